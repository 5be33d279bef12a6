import { parseCookie, stringifySetCookie } from 'cookie';

/**
 * A cookie's name and the attributes with which it is set. To replace or remove a cookie, the browser needs the same
 * name, `domain` and `path` (RFC 6265 §5.3).
 */
export interface CookieOptions {
  readonly name: string;
  readonly path?: string;
  readonly domain?: string;
  readonly secure?: boolean;
  readonly httpOnly?: boolean;
  readonly sameSite?: 'lax' | 'strict' | 'none';
  readonly partitioned?: boolean;
}

/** The request's `Cookie`, as Node gives it. */
type CookieHeader = string | string[] | undefined;

/** The `Set-Cookie` value that sets the cookie. @param maxAge seconds */
export function setCookie(cookie: CookieOptions, value: string, maxAge: number): string {
  return stringifySetCookie({ path: '/', ...cookie, value, maxAge });
}

/** The `Set-Cookie` value that removes the cookie. */
export function clearCookie(cookie: CookieOptions): string {
  return stringifySetCookie({ path: '/', ...cookie, value: '', maxAge: 0, expires: new Date(0) });
}

/** The decoded value of the first cookie with this name. @param header the request's `Cookie` */
export function readCookie(header: CookieHeader, name: string): string | undefined {
  if (typeof header !== 'string') return undefined;
  // the guard reads a cookie at every request, so this parses only the cookies in which the name occurs
  for (let at = header.indexOf(name); at !== -1; at = header.indexOf(name, at + 1)) {
    const end = header.indexOf(';', at);
    const value = valueIn(header.slice(header.lastIndexOf(';', at) + 1, end === -1 ? undefined : end), name);
    if (value !== undefined) return value;
  }
  return undefined;
}

/**
 * The decoded values of all cookies with this name, in the order of the header. A browser sends several if they were
 * set with different paths or domains (RFC 6265 §5.4).
 */
export function readCookies(header: CookieHeader, name: string): readonly string[] {
  return typeof header === 'string' ? header.split(';').flatMap((pair) => valueIn(pair, name) ?? []) : [];
}

/** False if the header certainly has at most one cookie with this name; a name in another cookie's value counts, too. */
export function repeatsCookie(header: CookieHeader, name: string): boolean {
  return typeof header === 'string' && header.indexOf(name) !== header.lastIndexOf(name);
}

function valueIn(pair: string, name: string): string | undefined {
  return parseCookie(pair)[name];
}
