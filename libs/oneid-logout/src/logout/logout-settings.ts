import { type CookieOptions } from '../http/cookies.js';

/** The module options that the folder `logout/` reads. */
export abstract class LogoutSettings {
  abstract readonly defaultReturnUrl: string;
  abstract readonly allowedReturnUrls: readonly string[];
  abstract readonly clearCookies: readonly CookieOptions[];
  abstract readonly clearSiteData: readonly string[];
}
