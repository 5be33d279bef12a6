import { type OneId } from './oneid/oneid.js';
import { type Settings } from './settings.js';

/** The text that the app prints after its start: addresses and next steps for the developer. */
export function welcome({ baseUrl }: Settings, { embedded, registration }: OneId, secondApp = ''): string {
  if (embedded === undefined) return `\nReady at ${baseUrl}, with OneID at ${registration.issuer}\n`;
  return `
Ready at ${baseUrl}
with a second app at ${secondApp}
and a OneID of its own at ${embedded.issuer} (set ONEID_ISSUER to use a real one).

Try this:
  1. Open ${baseUrl} and sign in as demo, password demo.
  2. Open ${secondApp} in a window beside it, and sign in: OneID knows you already.
  3. Log out of one of them, or at ${embedded.issuer}, and watch the other say so.

Or watch it all happen: npm run demo
`;
}
