import { parseCookie, stringifySetCookie } from 'cookie';

/** A cookie by its name and the attributes it was set with: those, too, say which cookie is meant (RFC 6265 §5.3). */
export interface CookieOptions {
  readonly name: string;
  readonly path?: string;
  readonly domain?: string;
  readonly secure?: boolean;
  readonly httpOnly?: boolean;
  readonly sameSite?: 'lax' | 'strict' | 'none';
  readonly partitioned?: boolean;
}

/** `Set-Cookie` for a new value. @param maxAge seconds */
export function setCookie(cookie: CookieOptions, value: string, maxAge: number): string {
  return stringifySetCookie({ path: '/', ...cookie, value, maxAge });
}

/** `Set-Cookie` that removes the cookie. */
export function clearCookie(cookie: CookieOptions): string {
  return stringifySetCookie({ path: '/', ...cookie, value: '', maxAge: 0, expires: new Date(0) });
}

/** The value of a cookie of the request, decoded. */
export function readCookie(header: string | string[] | undefined, name: string): string | undefined {
  return typeof header === 'string' ? parseCookie(header)[name] : undefined;
}
