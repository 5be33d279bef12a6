import { type OneIdLogoutOptions, sessionFromClaims, sessionFromCookie } from 'nestjs-oneid-logout';
import { type OneId } from './oneid/oneid.js';
import { type Settings } from './settings.js';
import { sessionCookie } from './sign-in/session-cookie.js';

/** All that the library is told by this app. */
export function oneIdLogoutOptions(settings: Settings, { registration }: OneId): OneIdLogoutOptions {
  const { baseUrl, database, secrets, maxStaleness, redisUrl } = settings;
  const { issuer, clientId, clientSecret } = registration;
  const nudge = redisUrl !== undefined ? { redis: redisUrl } : database.type === 'postgres' ? 'postgres' : undefined;
  const cookie = sessionCookie(settings);
  return {
    clients: [{ issuer, clientId, clientSecret, postLogoutRedirectUri: `${baseUrl}/logout/callback` }],
    database,
    secrets,
    liveness: maxStaleness === undefined ? 'strict' : { maxStaleness, nudge },
    // a bearer token, where a guard has verified one, counts before the cookie
    sessionFrom: [sessionFromClaims(), sessionFromCookie(cookie.name)],
    clearCookies: [cookie],
    // what the browser has kept of these pages goes, too; the language that was chosen may stay
    clearSiteData: ['cache', 'storage'],
    allowedReturnUrls: ['/goodbye'],
  };
}
