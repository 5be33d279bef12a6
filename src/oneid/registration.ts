import { randomBytes } from 'node:crypto';
import { type EmbeddedOneId } from '../embedded-oneid/embedded-oneid.js';
import { type Settings } from '../settings.js';
import { type EmbeddedClient } from '../embedded-oneid/embedded-client.js';

/** The registration of a reference app at OneID, without its client id and secret. */
export function registrationOf(baseUrl: string, name: string): Omit<EmbeddedClient, 'clientId'> {
  return {
    name,
    uri: `${baseUrl}/`,
    redirectUris: [`${baseUrl}/login/callback`],
    postLogoutRedirectUris: [`${baseUrl}/logout/callback`],
    backchannelLogoutUri: `${baseUrl}/backchannel_logout`,
    frontchannelLogoutUri: `${baseUrl}/frontchannel_logout`,
  };
}

/**
 * Registers the reference app once more at the embedded OneID, as another app on this machine.
 *
 * @returns its settings, with secrets of its own
 */
export async function registerAnotherApp(
  oneId: EmbeddedOneId,
  clientId: string,
  settings: Pick<Settings, 'port' | 'database' | 'identity' | 'reconfirmAfterOutageSeconds'>,
): Promise<Settings> {
  const baseUrl = `http://127.0.0.1:${settings.port}`;
  const clientSecret = randomBytes(32).toString('base64url');
  const { issuer, apiAudience } = oneId;
  await oneId.register({ ...registrationOf(baseUrl, settings.identity.name), clientId, clientSecret });
  return {
    ...{ ...settings, baseUrl, secrets: [randomBytes(32).toString('base64url')] },
    oneId: { issuer, clientId, clientSecret, apiAudience, accountUri: issuer },
  };
}
