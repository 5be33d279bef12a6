import { type CookieOptions, clearCookie, readCookies, setCookie } from '../http/cookies.js';
import { type Random } from '../random.js';
import { type SessionRequest } from '../guard/session-resolvers.js';

export type Origin = 'here' | 'elsewhere' | 'unknown';

/** How long the user may leave a confirmation page open, seconds. */
const CONFIRMATION_MAX_AGE = 5 * 60;

/**
 * Did the app's own pages or the user send this request? `Sec-Fetch-Site` decides if it is present (`none` means the
 * user, for example by a typed address), else `Origin`. The origin is unknown if `Origin` is missing, or is `null`
 * because of `Referrer-Policy: no-referrer`.
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

/** One random value for the form and for a cookie. Other sites cannot read or set the cookie. */
export interface Confirmation {
  readonly value: string;
  /** The value of a `Set-Cookie` header. */
  readonly cookie: string;
}

export function newConfirmation(origin: string, random: Random): Confirmation {
  const value = random.bytes(32).toString('base64url');
  return { value, cookie: setCookie(confirmationCookie(origin), value, CONFIRMATION_MAX_AGE) };
}

/** If the query and the cookie have the same confirmation: the `Set-Cookie` value that removes it; else undefined. */
export function useConfirmation(request: SessionRequest, query: URLSearchParams, origin: string): string | undefined {
  const cookie = confirmationCookie(origin);
  const value = query.get('confirm') ?? '';
  return value !== '' && readCookies(request.headers['cookie'], cookie.name).includes(value)
    ? clearCookie(cookie)
    : undefined;
}

function confirmationCookie(origin: string): CookieOptions {
  const secure = origin.startsWith('https:');
  const name = `${secure ? '__Host-' : ''}oneid-logout-confirm`;
  return { name, path: '/', secure, httpOnly: true, sameSite: 'strict' };
}
