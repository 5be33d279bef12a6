import { describe, expect, it } from '@jest/globals';
import { clearCookie, readCookie, setCookie } from './cookies.js';

const full = {
  name: '__Secure-session',
  path: '/app',
  domain: 'app.example',
  secure: true,
  httpOnly: true,
  sameSite: 'none',
  partitioned: true,
} as const;

describe('setCookie', () => {
  it('writes the value and every attribute', () => {
    expect(setCookie(full, 'a b;c', 60)).toBe(
      '__Secure-session=a%20b%3Bc; Max-Age=60; Domain=app.example; Path=/app; HttpOnly; Secure; Partitioned; SameSite=None',
    );
  });

  it('uses the path / when none is given', () => {
    expect(setCookie({ name: 'a' }, 'b', 1)).toBe('a=b; Max-Age=1; Path=/');
  });

  it.each([{ name: 'a b' }, { name: 'a;b' }, { name: '' }, { name: 'a', path: '/;x' }, { name: 'a', domain: 'x;y' }])(
    'throws an error for an invalid cookie: %j',
    (cookie) => expect(() => setCookie(cookie, 'v', 1)).toThrow(TypeError),
  );
});

describe('clearCookie', () => {
  it('removes the cookie with these attributes', () => {
    expect(clearCookie(full)).toBe(
      '__Secure-session=; Max-Age=0; Domain=app.example; Path=/app; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; ' +
        'Secure; Partitioned; SameSite=None',
    );
    expect(clearCookie({ name: 'a', sameSite: 'lax' })).toBe(
      'a=; Max-Age=0; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; SameSite=Lax',
    );
  });
});

describe('readCookie', () => {
  it('finds a cookie by its name, decoded', () => {
    expect(readCookie('a=1; b=a%20b%3Bc; c=%zz', 'b')).toBe('a b;c');
    expect(readCookie('a=1; b=2; c=%zz', 'c')).toBe('%zz');
    expect(readCookie('a=1; a=2', 'a')).toBe('1');
  });

  it('returns undefined without such a cookie', () => {
    expect([
      readCookie(undefined, 'a'),
      readCookie('', 'a'),
      readCookie('aa=1', 'a'),
      readCookie('a=1', 'toString'),
      readCookie('a=1', '__proto__'),
      readCookie(['a=1'], 'a'),
    ]).toEqual(Array(6).fill(undefined));
  });
});
