import { Browser, type FollowOptions, type Page } from './browser.js';

export interface Me {
  readonly sub: string;
  readonly sid: string;
  readonly issuer: string;
}

/** A user of the reference app, with a browser. */
export class ReferenceUser {
  constructor(
    readonly baseUrl: string,
    readonly browser = new Browser(),
  ) {}

  /** Signs in. OneID asks for the password only when it does not know the browser. */
  async signIn(): Promise<Page> {
    return this.goOn(await this.browser.visit(`${this.baseUrl}/login`));
  }

  /** Signs in at OneID, but stops before the browser requests the app's callback. */
  async signInUntilCallback(): Promise<Page> {
    const until = `${this.baseUrl}/login/callback`;
    return this.goOn(await this.browser.visit(`${this.baseUrl}/login`, { until }), until);
  }

  /** Fills in OneID's sign-in form when `page` has it; otherwise returns `page`. */
  async goOn(page: Page, until?: string): Promise<Page> {
    if (!page.body.includes('name="password"')) return page;
    return this.browser.follow(await this.browser.submit(page), until === undefined ? {} : { until });
  }

  /** Presses the logout button on the app's page: one request. */
  pressLogout(): Promise<Page> {
    return this.browser.post(`${this.baseUrl}/logout`, {}, `${this.baseUrl}/`);
  }

  /** Follows the app's answer to OneID's confirmation page. */
  goToOneId(started: Page): Promise<Page> {
    return this.browser.follow(started);
  }

  /** Confirms the logout at OneID, and follows the redirects. */
  async sayYes(question: Page, options: FollowOptions = {}): Promise<Page> {
    return this.browser.follow(await this.browser.submit(question, { answer: 'yes' }), options);
  }

  /** Logs out here and at OneID, with all steps. */
  async logOut(options: FollowOptions = {}): Promise<Page> {
    return this.sayYes(await this.goToOneId(await this.pressLogout()), options);
  }

  async me(): Promise<Me> {
    return JSON.parse((await this.browser.get(`${this.baseUrl}/me`)).body) as Me;
  }

  /** `GET /me` in one line: `200`, or `401 logged_out`. */
  async meInShort(): Promise<string> {
    return inShort(await this.browser.get(`${this.baseUrl}/me`));
  }

  /** The same with an earlier `Cookie` header of this browser. */
  async meInShortWith(cookie: string): Promise<string> {
    return inShort(await new Browser().get(`${this.baseUrl}/me`, { cookie }));
  }

  /** The `Cookie` header that the app would get now. */
  get cookie(): string {
    return this.browser.cookies.header(new URL(this.baseUrl));
  }
}

/** An answer's status, and the `reason` or `code` of a rejection. */
export function inShort({ status, body }: Pick<Page, 'status' | 'body'>): string {
  const reason = /"reason":"(\w+)"/.exec(body)?.[1] ?? /"code":"(\w+)"/.exec(body)?.[1];
  return reason === undefined ? String(status) : `${status} ${reason}`;
}
