import { describe, expect, it } from '@jest/globals';
import { parseCookie } from 'cookie';
import { Random } from '../random.js';
import { clearCookie, readCookie, readCookies, repeatsCookie, setCookie } from './cookies.js';

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
    // a computed option
    const path = undefined as unknown as string;
    expect(setCookie({ name: 'a', path }, 'b', 1)).toBe('a=b; Max-Age=1; Path=/');
    expect(clearCookie({ name: 'a', path })).toBe('a=; Max-Age=0; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT');
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
      readCookie('b=a; c=a', 'a'),
      readCookie('a; b=1', 'a'),
    ]).toEqual(Array(8).fill(undefined));
  });

  it.each(['aa=1; ba=a; a=2', 'b=a;a=2', ' a = 2 ;b=1', 'x; a=2', 'a=2;', '=a; a=2; =a'])(
    'finds the one cookie in %j',
    (header) => {
      expect(readCookie(header, 'a')).toBe('2');
      expect(readCookies(header, 'a')).toEqual(['2']);
    },
  );
});

describe('readCookie and readCookies', () => {
  const parts = ['a', 'aa', '=', ';', ' ', '\t', '1', '%20', '%zz', '"', 'b=', '; a=', 'a ='];

  it('read a header as the package cookie does', () => {
    const random = new Random();
    const pick = () => parts[(random.bytes(1)[0] ?? 0) % parts.length] ?? '';
    for (let n = 0; n < 5_000; n++) {
      const header = Array.from({ length: 8 }, pick).join('');
      const all = header.split(';').flatMap((pair) => parseCookie(pair)['a'] ?? []);
      expect([header, readCookie(header, 'a')]).toEqual([header, parseCookie(header)['a']]);
      expect([header, readCookies(header, 'a')]).toEqual([header, all]);
      if (!repeatsCookie(header, 'a')) expect(all.length).toBeLessThan(2);
    }
  });
});

describe('readCookies', () => {
  it('P11: finds all cookies with the name, in their order, decoded', () => {
    expect(readCookies('a=1; b=a; a=%20; a=; aa=3; a=1', 'a')).toEqual(['1', ' ', '', '1']);
    for (const header of [undefined, '', 'b=a', ['a=1']]) expect(readCookies(header, 'a')).toEqual([]);
  });

  it('P11: repeatsCookie is true if a name may occur twice', () => {
    expect(['a=1; a=2', 'a=1; b=a', 'aa=1'].map((header) => repeatsCookie(header, 'a'))).toEqual([true, true, true]);
    expect(['a=1; b=2', 'b=1', '', undefined].map((header) => repeatsCookie(header, 'a'))).toEqual(
      Array(4).fill(false),
    );
  });
});
