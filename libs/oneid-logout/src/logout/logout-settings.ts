import { type CookieOptions } from '../http/cookies.js';

/** The module options that the folder `logout/` reads. */
export class LogoutSettings {
  /** Where the browser lands when the logout names no URL. */
  readonly defaultReturnUrl: string;
  readonly clearCookies: readonly CookieOptions[];
  /** The header `Clear-Site-Data` of the browser's return; empty without the option `clearSiteData`. */
  readonly clearSiteData: Readonly<Record<string, string>>;
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
    const types = options.clearSiteData.map((type) => `"${type}"`);
    this.clearSiteData = types.length > 0 ? { 'Clear-Site-Data': types.join(', ') } : {};
  }

  /** May a logout return to this URL? */
  allowsReturn(url: string): boolean {
    return this.returnUrls.has(url);
  }
}
