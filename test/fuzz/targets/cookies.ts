import assert from 'node:assert/strict';
import { parseCookie } from 'cookie';
import fc from 'fast-check';
import { readCookie, readCookies, repeatsCookie, setCookie } from '../../../libs/oneid-logout/src/http/cookies.js';
import { firstLine, type FuzzTarget } from '../fuzz-target.js';

/** The characters of a cookie's name (RFC 6265 §4.1.1). */
const NAME = /^[\w!#$%&'*+.^`|~-]+$/;
const SPACE = /^[ \t]+|[ \t]+$/g;

const name = fc.constantFrom('session', '__Host-session', 's', 'aa');
const part = fc.oneof(
  fc.constantFrom('session', '__Host-session', 's', 'aa', '=', ';', '; ', ' ', '\t', '"', '%', '%C3%A9', '%FF', ','),
  fc.string({ maxLength: 6 }),
);

/** The values of all cookies with this name, by the splitting of RFC 6265 §5.4 and the decoding of `cookie`. */
function reference(header: string, wanted: string): readonly string[] {
  return header.split(';').flatMap((pair) => {
    const equals = pair.indexOf('=');
    if (equals === -1 || pair.slice(0, equals).replace(SPACE, '') !== wanted) return [];
    return [parseCookie(`x=${pair.slice(equals + 1)}`)['x'] ?? ''];
  });
}

/** The name of a cookie in the first line, then the header `Cookie`. Reference: the package `cookie`. */
export const cookiesTarget: FuzzTarget = {
  name: 'cookies',
  inputs: fc.tuple(name, fc.array(part, { maxLength: 16 })).map(([wanted, parts]) => `${wanted}\n${parts.join('')}`),
  check(input) {
    const [first, header] = firstLine(input);
    const wanted = NAME.test(first) ? first : 'session';
    const values = readCookies(header, wanted);
    assert.deepEqual(values, reference(header, wanted));
    assert.equal(readCookie(header, wanted), values[0]);
    if (wanted !== '__proto__') assert.equal(parseCookie(header)[wanted], values[0]);
    if (!repeatsCookie(header, wanted)) assert.ok(values.length <= 1);

    const [pair = ''] = setCookie({ name: wanted }, header, 60).split(';');
    assert.deepEqual(readCookies(pair, wanted), [header]);
  },
};
