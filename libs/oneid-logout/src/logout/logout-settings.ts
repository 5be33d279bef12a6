import { type CookieOptions } from '../http/cookies.js';

/** The module options that the folder `logout/` reads. */
export class LogoutSettings {
  /** Where the browser lands when the logout names no URL. */
  readonly defaultReturnUrl: string;
  readonly clearCookies: readonly CookieOptions[];
  readonly clearSiteData: readonly string[];
  private readonly returnUrls: ReadonlySet<string>;

  constructor(options: {
    readonly returnUrls: readonly string[];
    readonly clearCookies: readonly CookieOptions[];
    readonly clearSiteData: readonly string[];
  }) {
    const [first = '/'] = options.returnUrls;
    this.defaultReturnUrl = first;
    this.returnUrls = new Set(options.returnUrls);
    this.clearCookies = options.clearCookies;
    this.clearSiteData = options.clearSiteData;
  }

  /** May a logout return to this URL? */
  allowsReturn(url: string): boolean {
    return this.returnUrls.has(url);
  }
}
