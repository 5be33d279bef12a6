import { type CookieOptions } from '../http/cookies.js';

/** The module options that the folder `channels/` reads. */
export abstract class ChannelSettings {
  abstract readonly clearCookies: readonly CookieOptions[];
  abstract readonly frontchannelEndsCarriedSession: boolean;
}
