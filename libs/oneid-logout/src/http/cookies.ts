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

/** The `Set-Cookie` value that sets the cookie. @param maxAge seconds */
export function setCookie(cookie: CookieOptions, value: string, maxAge: number): string {
  return stringifySetCookie({ path: '/', ...cookie, value, maxAge });
}

/** The `Set-Cookie` value that removes the cookie. */
export function clearCookie(cookie: CookieOptions): string {
  return stringifySetCookie({ path: '/', ...cookie, value: '', maxAge: 0, expires: new Date(0) });
}

/** The decoded value of one cookie. @param header the request's `Cookie` */
export function readCookie(header: string | string[] | undefined, name: string): string | undefined {
  return typeof header === 'string' ? parseCookie(header)[name] : undefined;
}
