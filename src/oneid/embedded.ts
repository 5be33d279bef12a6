import { randomBytes } from 'node:crypto';
import { Logger } from '@nestjs/common';
import { type EmbeddedClient, type EmbeddedOneId, startEmbeddedOneId } from '../embedded-oneid/embedded-oneid.js';
import { type OneIdRegistration, type Settings } from '../settings.js';

/** A second app at the embedded OneID, for the demo and for tests; nobody is at its address. */
export const OTHER_APP = {
  clientId: 'other-app',
  redirectUris: ['http://other-app.test/callback'],
  postLogoutRedirectUris: ['http://other-app.test/'],
} satisfies EmbeddedClient;

/** Starts the embedded OneID with this app registered: on the port after the app's, or else on a free one. */
export async function startForThisApp({
  baseUrl,
  port,
}: Settings): Promise<{ registration: OneIdRegistration; embedded: EmbeddedOneId }> {
  const logger = new Logger('EmbeddedOneID');
  const client = {
    clientId: 'reference-app',
    clientSecret: randomBytes(32).toString('base64url'),
    redirectUris: [`${baseUrl}/login/callback`],
    postLogoutRedirectUris: [`${baseUrl}/logout/callback`],
    backchannelLogoutUri: `${baseUrl}/backchannel_logout`,
    frontchannelLogoutUri: `${baseUrl}/frontchannel_logout`,
  };
  const options = {
    clients: [client, OTHER_APP],
    log: (line: string) => {
      logger.log(line);
    },
  };
  const embedded = await startEmbeddedOneId({ ...options, port: (port + 1) % 65_536 }).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    return startEmbeddedOneId(options);
  });
  const { issuer, apiAudience } = embedded;
  const { clientId, clientSecret } = client;
  return { registration: { issuer, clientId, clientSecret, apiAudience }, embedded };
}
