import { type CookieOptions } from 'nestjs-oneid-logout';

/** The cookie that holds the id of the library's session; on https with the prefix that no other host can set. */
export function sessionCookie(baseUrl: string) {
  const secure = baseUrl.startsWith('https:');
  const name = secure ? '__Host-app_session' : 'app_session';
  return { name, path: '/', secure, httpOnly: true, sameSite: 'lax' } as const satisfies CookieOptions;
}
