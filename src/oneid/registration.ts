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
