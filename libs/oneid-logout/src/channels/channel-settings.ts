import { type CookieOptions } from '../http/cookies.js';

/** The options of the module that this room reads. */
export abstract class ChannelSettings {
  abstract readonly clients: readonly { readonly clientId: string; readonly postLogoutRedirectUri: string }[];
  abstract readonly clearCookies: readonly CookieOptions[];
  abstract readonly frontchannelEndsCarriedSession: boolean;
}
