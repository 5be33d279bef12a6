import { type CookieOptions } from 'nestjs-oneid-logout';
import { type Settings } from '../settings.js';

/** The cookie with the library's session token. On https it has the prefix `__Host-`, which no other host can set. */
export function sessionCookie({ baseUrl, identity }: Settings) {
  const secure = baseUrl.startsWith('https:');
  const name = `${secure ? '__Host-' : ''}${identity.cookiePrefix}_session`;
  return { name, path: '/', secure, httpOnly: true, sameSite: 'lax' } as const satisfies CookieOptions;
}
