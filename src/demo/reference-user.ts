import { Browser, type FollowOptions, type Page } from './browser.js';

export interface Me {
  readonly sub: string;
  readonly sid: string;
  readonly issuer: string;
}

/** Somebody with a browser, at the reference app. */
export class ReferenceUser {
  constructor(
    readonly baseUrl: string,
    readonly browser = new Browser(),
  ) {}

  /** Signs in; the password is asked for only when OneID does not know the browser. */
  async signIn(): Promise<Page> {
    return this.goOn(await this.browser.visit(`${this.baseUrl}/login`));
  }

  /** Signs in, but stops where OneID has sent the browser back and it has not arrived yet. */
  async signInUntilCallback(): Promise<Page> {
    const until = `${this.baseUrl}/login/callback`;
    return this.goOn(await this.browser.visit(`${this.baseUrl}/login`, { until }), until);
  }

  /** Fills in OneID's form, if that is where the browser is. */
  async goOn(page: Page, until?: string): Promise<Page> {
    if (!page.body.includes('name="password"')) return page;
    return this.browser.follow(await this.browser.submit(page), until === undefined ? {} : { until });
  }

  /** Presses the button on the app's page, one request. */
  pressLogout(): Promise<Page> {
    return this.browser.post(`${this.baseUrl}/logout`, {}, `${this.baseUrl}/`);
  }

  /** Goes from the app's answer to OneID, to be asked there. */
  goToOneId(started: Page): Promise<Page> {
    return this.browser.follow(started);
  }

  /** Says yes to OneID, and goes where that leads. */
  async sayYes(question: Page, options: FollowOptions = {}): Promise<Page> {
    return this.browser.follow(await this.browser.submit(question, { answer: 'yes' }), options);
  }

  /** Logs out here and at OneID, to the end. */
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

  /** The same with this browser's cookies of earlier. */
  async meInShortWith(cookie: string): Promise<string> {
    return inShort(await new Browser().get(`${this.baseUrl}/me`, { cookie }));
  }

  /** The cookies that the app would get now. */
  get cookie(): string {
    return this.browser.cookies.header(new URL(this.baseUrl));
  }
}

/** An answer's status, and the reason when it is a rejection. */
export function inShort({ status, body }: Page): string {
  const reason = /"reason":"(\w+)"/.exec(body)?.[1] ?? /"code":"(\w+)"/.exec(body)?.[1];
  return reason === undefined ? String(status) : `${status} ${reason}`;
}
