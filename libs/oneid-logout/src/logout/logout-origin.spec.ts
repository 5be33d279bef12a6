import { describe, expect, it } from '@jest/globals';
import { isNavigation, isPrefetch } from '../http/navigation.js';
import { Random } from '../random.js';
import { newConfirmation, originOf, useConfirmation } from './logout-origin.js';

const random = new Random();
const origin = 'https://app.example';

describe('originOf', () => {
  it.each([
    [{ 'sec-fetch-site': 'same-origin' }, 'here'],
    [{ 'sec-fetch-site': 'none' }, 'here'],
    [{ 'sec-fetch-site': 'same-site' }, 'elsewhere'],
    [{ 'sec-fetch-site': 'cross-site' }, 'elsewhere'],
    [{ 'sec-fetch-site': '' }, 'elsewhere'],
    [{ 'sec-fetch-site': 'Same-Origin' }, 'elsewhere'],
    [{ 'sec-fetch-site': 'same-origin, cross-site' }, 'elsewhere'],
    [{ 'sec-fetch-site': ['same-origin'] }, 'elsewhere'],
    // Sec-Fetch-Site decides, and Origin does not matter
    [{ 'sec-fetch-site': 'same-origin', origin: 'null' }, 'here'],
    [{ 'sec-fetch-site': 'same-origin', origin: 'https://evil.example' }, 'here'],
    [{ 'sec-fetch-site': 'cross-site', origin }, 'elsewhere'],
    [{ origin }, 'here'],
    [{ origin: 'https://evil.example' }, 'elsewhere'],
    [{ origin: 'http://app.example' }, 'elsewhere'],
    [{ origin: 'https://app.example:8443' }, 'elsewhere'],
    [{ origin: 'https://app.example.evil.example' }, 'elsewhere'],
    [{ origin: 'https://sub.app.example' }, 'elsewhere'],
    [{ origin: '' }, 'elsewhere'],
    [{ origin: 'null' }, 'unknown'],
    [{}, 'unknown'],
    [{ referer: `${origin}/me` }, 'unknown'],
    [{ host: 'app.example', 'x-forwarded-host': 'app.example' }, 'unknown'],
  ] as const)('RPI-6: %j is from %s', (headers, expected) => {
    expect(originOf({ headers: { ...headers } as Record<string, string> }, origin)).toBe(expected);
  });
});

describe('isNavigation', () => {
  const asked = (headers: object, method = 'GET') => {
    const request = { headers: headers as Record<string, string>, method };
    return { navigation: isNavigation(request), prefetch: isPrefetch(request) };
  };
  const navigation = { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' };

  it.each([
    navigation,
    { ...navigation, 'sec-fetch-user': '?1', purpose: '' },
    {},
    { 'sec-fetch-mode': 'navigate' },
    { 'sec-fetch-dest': 'document' },
    // a service worker has passed it on
    { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'empty' },
    // a program without a browser
    { 'sec-fetch-mode': 'cors' },
  ])('P8: %j is a navigation', (headers) => {
    expect(asked(headers)).toEqual({ navigation: true, prefetch: false });
    expect(asked(headers, 'POST').navigation).toBe(true);
    expect(asked(headers, 'HEAD').navigation).toBe(false);
  });

  it.each([
    { 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'image' },
    { 'sec-fetch-mode': 'no-cors' },
    { 'sec-fetch-mode': 'same-origin' },
    { 'sec-fetch-mode': 'websocket' },
    { 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty' },
    { 'sec-fetch-mode': 'same-origin', 'sec-fetch-dest': 'empty' },
    { 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'empty' },
    { 'sec-fetch-dest': 'empty' },
    { 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'document' },
    ...['image', 'script', 'style', 'iframe', 'frame', 'object', 'embed', 'Document', ''].map((dest) => ({
      'sec-fetch-mode': 'navigate',
      'sec-fetch-dest': dest,
    })),
  ])('P8: %j is none', (headers) => {
    expect(asked(headers)).toEqual({ navigation: false, prefetch: false });
  });

  it.each([
    { ...navigation, 'sec-purpose': 'prefetch' },
    { ...navigation, 'sec-purpose': 'prefetch;prerender' },
    { 'sec-purpose': ['prefetch', 'prerender'] },
    { purpose: 'prefetch' },
    { purpose: 'Preview' },
    { 'x-purpose': 'preview' },
    { 'x-moz': 'prefetch' },
    { 'x-sec-purpose': 'prefetch' },
    { 'next-router-prefetch': '1' },
  ])('P8: %j is a prefetch', (headers) => {
    expect(asked(headers)).toEqual({ navigation: false, prefetch: true });
  });
});

describe('a confirmation', () => {
  const request = (cookie?: string) => ({ headers: cookie === undefined ? {} : { cookie } });
  const query = (value: string) => new URLSearchParams({ confirm: value });

  it('is random, and bound to the browser by a cookie that no other site can send or set', () => {
    const { value, cookie } = newConfirmation(origin, random);
    expect(value).toMatch(/^[\w-]{43}$/);
    expect(newConfirmation(origin, random).value).not.toBe(value);
    expect(cookie).toBe(`__Host-oneid-logout-confirm=${value}; Max-Age=300; Path=/; HttpOnly; Secure; SameSite=Strict`);
    expect(newConfirmation('http://localhost:3000', random).cookie).toMatch(
      /^oneid-logout-confirm=[\w-]{43}; Max-Age=300; Path=\/; HttpOnly; SameSite=Strict$/,
    );
  });

  it('works once, in its own browser', () => {
    const { value } = newConfirmation(origin, random);
    const cookie = `other=1; __Host-oneid-logout-confirm=${value}`;
    expect(useConfirmation(request(cookie), query(value), origin)).toBe(
      '__Host-oneid-logout-confirm=; Max-Age=0; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; Secure; SameSite=Strict',
    );
  });

  it.each([
    ['no cookie', undefined, 'abc'],
    ['another value', '__Host-oneid-logout-confirm=abc', 'abd'],
    ['a beginning', '__Host-oneid-logout-confirm=abc', 'ab'],
    ['an empty value', '__Host-oneid-logout-confirm=', ''],
    ['a cookie without the prefix', 'oneid-logout-confirm=abc', 'abc'],
    ['another cookie', '__Host-oneid-logout-confirm2=abc', 'abc'],
  ])('is refused with %s', (_what, cookie, value) => {
    expect(useConfirmation(request(cookie), query(value), origin)).toBeUndefined();
  });

  it('P11: works also when the browser has another cookie of its name', () => {
    const cookie = 'oneid-logout-confirm=old; oneid-logout-confirm=abc';
    expect(useConfirmation(request(cookie), query('abc'), 'http://localhost:3000')).toBe(
      'oneid-logout-confirm=; Max-Age=0; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; SameSite=Strict',
    );
  });

  it('is refused when the query has none, and uses the first of several', () => {
    const cookie = '__Host-oneid-logout-confirm=abc';
    expect(useConfirmation(request(cookie), new URLSearchParams(), origin)).toBeUndefined();
    expect(useConfirmation(request(cookie), new URLSearchParams('confirm=x&confirm=abc'), origin)).toBeUndefined();
  });
});
