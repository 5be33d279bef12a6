import { type OneIdLogoutOptions, sessionFromClaims, sessionFromCookie } from 'nestjs-oneid-logout';
import { type OneId } from './oneid/oneid.js';
import { type Settings } from './settings.js';
import { sessionCookie } from './sign-in/session-cookie.js';

/** This app's options for the library. */
export function oneIdLogoutOptions(settings: Settings, { registration }: OneId): OneIdLogoutOptions {
  const { baseUrl, database, secrets, maxStalenessMs, redisUrl, reconfirmAfterOutageSeconds } = settings;
  const { issuer, clientId, clientSecret, allowInsecureRequests } = registration;
  const clientAuthentication = clientSecret === undefined ? undefined : { clientSecret };
  const nudge = redisUrl !== undefined ? { redis: redisUrl } : database.type === 'postgres' ? 'postgres' : undefined;
  const cookie = sessionCookie(settings);
  return {
    clients: [
      {
        ...{ issuer, clientId, clientAuthentication, postLogoutRedirectUri: `${baseUrl}/logout/callback` },
        ...(allowInsecureRequests && { allowInsecureRequests }),
      },
    ],
    database,
    // a person starts this app, and wants to read at once that the database is down
    connectAttempts: 1,
    secrets,
    ...(reconfirmAfterOutageSeconds !== undefined && { reconfirmAfterOutageSeconds }),
    liveness: maxStalenessMs === undefined ? 'strict' : { maxStalenessMs, nudge },
    // a bearer token that a guard has verified comes before the cookie
    sessionFrom: [sessionFromClaims(), sessionFromCookie(cookie.name)],
    clearCookies: [cookie],
    // the browser drops cached pages and storage too; without `cookies`, it keeps the chosen language
    clearSiteData: ['cache', 'storage'],
    returnUrls: ['/', '/goodbye'],
  };
}
