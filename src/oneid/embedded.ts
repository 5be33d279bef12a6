import { randomBytes } from 'node:crypto';
import { Logger } from '@nestjs/common';
import { type EmbeddedOneId, startEmbeddedOneId } from '../embedded-oneid/embedded-oneid.js';
import { type OneIdRegistration, type Settings } from '../settings.js';
import { registrationOf } from './registration.js';

/**
 * Starts the embedded OneID and registers this app. OneID takes the port after the app's, or any free port. When the
 * app is at `localhost`, OneID is at `127.0.0.1`; otherwise OneID is at `localhost`. To a browser these are two sites,
 * like the real OneID and its apps.
 */
export async function startForThisApp({
  baseUrl,
  port,
  identity,
}: Settings): Promise<{ registration: OneIdRegistration; embedded: EmbeddedOneId }> {
  const logger = new Logger('EmbeddedOneID');
  const client = {
    ...registrationOf(baseUrl, identity.name),
    clientId: 'reference-app',
    clientSecret: randomBytes(32).toString('base64url'),
  };
  const options = {
    host: new URL(baseUrl).hostname === 'localhost' ? ('127.0.0.1' as const) : ('localhost' as const),
    clients: [client],
    log: (line: string) => {
      logger.log(line);
    },
  };
  const embedded = await startEmbeddedOneId({ ...options, port: (port + 1) % 65_536 }).catch((error: unknown) => {
    // the user did not choose this port, so take another one
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EADDRINUSE' && code !== 'EACCES') throw error;
    return startEmbeddedOneId(options);
  });
  const { issuer, apiAudience } = embedded;
  const { clientId, clientSecret } = client;
  return { registration: { issuer, clientId, clientSecret, apiAudience, accountUri: issuer }, embedded };
}
