import { randomBytes } from 'node:crypto';
import { type CookieOptions, clearCookie, readCookie, setCookie } from '../http/cookies.js';
import { type SessionRequest } from '../guard/session-resolvers.js';

export type Origin = 'here' | 'elsewhere' | 'unknown';

/** How long a confirmation page may be left open: seconds. */
const CONFIRMATION_MAX_AGE = 5 * 60;

/**
 * Did our own pages send this request? `Sec-Fetch-Site` says it best; without it `Origin` does, unless a
 * `Referrer-Policy: no-referrer` has made it `null`, which says nothing.
 *
 * @param origin the app's public origin
 */
export function originOf(request: SessionRequest, origin: string): Origin {
  const site = request.headers['sec-fetch-site'];
  if (site !== undefined) return site === 'same-origin' || site === 'none' ? 'here' : 'elsewhere';
  const from = request.headers['origin'];
  if (from === undefined || from === 'null') return 'unknown';
  return from === origin ? 'here' : 'elsewhere';
}

/** A confirmation: a random value in the page's form and, the same, in a cookie that no other site can read or set. */
export function newConfirmation(origin: string): { readonly value: string; readonly cookie: string } {
  const value = randomBytes(32).toString('base64url');
  return { value, cookie: setCookie(confirmationCookie(origin), value, CONFIRMATION_MAX_AGE) };
}

/** `Set-Cookie` that uses the confirmation up, when the request carries one that fits; else undefined. */
export function useConfirmation(request: SessionRequest, query: URLSearchParams, origin: string): string | undefined {
  const cookie = confirmationCookie(origin);
  const value = readCookie(request.headers['cookie'], cookie.name);
  return value !== undefined && value !== '' && query.get('confirm') === value ? clearCookie(cookie) : undefined;
}

function confirmationCookie(origin: string): CookieOptions {
  const secure = origin.startsWith('https:');
  const name = `${secure ? '__Host-' : ''}oneid-logout-confirm`;
  return { name, path: '/', secure, httpOnly: true, sameSite: 'strict' };
}
