import { type OneId } from './oneid/oneid.js';
import { type Settings } from './settings.js';

/** What to do next, for whoever has just started the app. */
export function welcome({ baseUrl }: Settings, { embedded, registration }: OneId): string {
  if (embedded === undefined) return `\nReady at ${baseUrl}, with OneID at ${registration.issuer}\n`;
  return `
Ready at ${baseUrl}
with a OneID of its own at ${embedded.issuer} (set ONEID_ISSUER to use a real one).

Try this:
  1. Open ${baseUrl} and sign in as demo, password demo.
  2. Open ${embedded.issuer}oauth2/sessions/logout and log out there, at OneID.
  3. Open ${baseUrl}/me again: 401, logged_out.

Or watch it all happen: npm run demo
`;
}
