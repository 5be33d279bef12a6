import { type CookieOptions } from 'nestjs-oneid-logout';
import { type Settings } from '../settings.js';

/** The cookie with the library's session token. */
export function sessionCookie(settings: Settings) {
  return cookieNamed('session', settings);
}

/** Marks a browser that has just logged out of this app only, see {@link SignInController}. It has no secret. */
export function loggedOutHereCookie(settings: Settings) {
  return cookieNamed('logged_out_here', settings);
}

/** On https the name has the prefix `__Host-`, which no other host can set. */
function cookieNamed(purpose: string, { baseUrl, identity }: Settings) {
  const secure = baseUrl.startsWith('https:');
  const name = `${secure ? '__Host-' : ''}${identity.cookiePrefix}_${purpose}`;
  return { name, path: '/', secure, httpOnly: true, sameSite: 'lax' } as const satisfies CookieOptions;
}
