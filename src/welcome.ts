import { type OneId } from './oneid/oneid.js';
import { type Settings } from './settings.js';

/** The text that the app prints after its start: addresses and next steps for the developer. */
export function welcome({ baseUrl }: Settings, { embedded, registration }: OneId, secondApp = ''): string {
  if (embedded === undefined) return `\nReady at ${baseUrl}, with OneID at ${registration.issuer}\n`;
  return `
Ready at ${baseUrl}
with a second app at ${secondApp}
and an embedded OneID at ${embedded.issuer} (set ONEID_ISSUER to use a real OneID).

Try this:
  1. Open ${baseUrl} and sign in as demo, password demo.
  2. Open ${secondApp} in a second window, and sign in: you are already signed in at OneID.
  3. Log out of one app, or at ${embedded.issuer}. The other app shows that you are logged out.

Or watch a demo in the terminal: npm run demo
`;
}
