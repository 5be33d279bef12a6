import { type EmbeddedClient } from '../embedded-oneid/embedded-client.js';

/** What OneID is told of an app of this kind. */
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
