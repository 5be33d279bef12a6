import { stringifySetCookie } from 'cookie';

/**
 * A cookie's name and the attributes with which it is set. To replace or remove a cookie, the browser needs the same
 * name, `domain` and `path` (RFC 6265 §5.3).
 *
 * @category Set-up
 */
export interface CookieOptions {
  /** The cookie's name, such as `__Host-session`. */
  readonly name: string;
  /**
   * `Path`.
   *
   * @defaultValue '/'
   */
  readonly path?: string;
  /** `Domain`. Without it, the cookie belongs to the app's host alone. */
  readonly domain?: string;
  /** `Secure`. Browsers take a cookie whose name begins with `__Host-` or `__Secure-` only with it. */
  readonly secure?: boolean;
  /** `HttpOnly`. */
  readonly httpOnly?: boolean;
  /** `SameSite`. */
  readonly sameSite?: 'lax' | 'strict' | 'none';
  /** `Partitioned`: a cookie of an embedded page (CHIPS). */
  readonly partitioned?: boolean;
}

/** The request's `Cookie`, as Node gives it. */
type CookieHeader = string | string[] | undefined;

/** The characters that the package `cookie` takes in a name: more than RFC 6265 §4.1.1 allows. */
const NAME = /^[\x21-\x3a\x3c\x3e-\x7e]+$/;

export function isCookieName(name: unknown): name is string {
  return typeof name === 'string' && NAME.test(name);
}

/** The `Set-Cookie` value that sets the cookie. @param maxAge seconds */
export function setCookie(cookie: CookieOptions, value: string, maxAge: number): string {
  return stringifySetCookie({ ...cookie, path: cookie.path ?? '/', value, maxAge });
}

/** The `Set-Cookie` value that removes the cookie. */
export function clearCookie(cookie: CookieOptions): string {
  return stringifySetCookie({ ...cookie, path: cookie.path ?? '/', value: '', maxAge: 0, expires: new Date(0) });
}

/**
 * The decoded value of the first cookie with this name. The guard calls this at every request, so it reads only where
 * the name occurs.
 *
 * @param header the request's `Cookie`
 * @param name not empty
 */
export function readCookie(header: CookieHeader, name: string): string | undefined {
  if (typeof header !== 'string') return undefined;
  for (let at = header.indexOf(name); at !== -1; at = header.indexOf(name, at + 1)) {
    const value = valueAt(header, name, at);
    if (value !== undefined) return value;
  }
  return undefined;
}

/**
 * The decoded values of all cookies with this name, in the order of the header. A browser sends several if they were
 * set with different paths or domains (RFC 6265 §5.4).
 *
 * @param name not empty
 */
export function readCookies(header: CookieHeader, name: string): readonly string[] {
  const values: string[] = [];
  if (typeof header !== 'string') return values;
  for (let at = header.indexOf(name); at !== -1; at = header.indexOf(name, at + 1)) {
    const value = valueAt(header, name, at);
    if (value !== undefined) values.push(value);
  }
  return values;
}

/** False if the header certainly has at most one cookie with this name; a name in another cookie's value counts, too. */
export function repeatsCookie(header: CookieHeader, name: string): boolean {
  if (typeof header !== 'string') return false;
  const at = header.indexOf(name);
  return at !== -1 && header.includes(name, at + 1);
}

/** The value of the cookie whose name begins at this position; undefined if another cookie's text is there. */
function valueAt(header: string, name: string, at: number): string | undefined {
  const before = skipSpace(header, at - 1, -1);
  const equals = skipSpace(header, at + name.length, 1);
  if ((before >= 0 && header[before] !== ';') || header[equals] !== '=') return undefined;
  const end = header.indexOf(';', equals);
  const start = skipSpace(header, equals + 1, 1);
  const last = skipSpace(header, (end === -1 ? header.length : end) - 1, -1);
  return decode(header.slice(start, Math.max(start, last + 1)));
}

/** The first position from `at` on, in this direction, that is no space or tab. */
function skipSpace(header: string, at: number, step: 1 | -1): number {
  let position = at;
  while (header[position] === ' ' || header[position] === '\t') position += step;
  return position;
}

/** A value that is badly encoded stays as it is, as in the package `cookie`. */
function decode(value: string): string {
  if (!value.includes('%')) return value;
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}
