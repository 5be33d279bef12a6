import { setTimeout as delay } from 'node:timers/promises';
import { type EmbeddedOneId } from '../embedded-oneid/embedded-oneid.js';
import { Browser } from './browser.js';
import { forgedTokens } from './forged-tokens.js';
import { OtherApp, type OtherAppTokens } from './other-app.js';
import { inShort, ReferenceUser } from './reference-user.js';
import { OUTAGE_SECONDS, StoppingApp } from './stopping-app.js';
import { type Story } from './story.js';

/** The chapters of the demo. Each chapter continues from the state after the previous one. */
export class Chapters {
  readonly #user: ReferenceUser;
  readonly #programs = new Browser();
  #deliveriesSeen = 0;

  private constructor(
    private readonly story: Story,
    private readonly baseUrl: string,
    private readonly oneId: EmbeddedOneId,
    private readonly otherApp: OtherApp,
  ) {
    this.#user = new ReferenceUser(baseUrl);
  }

  /** @param file for the SQLite database of an app that stops and starts again */
  static async tell(story: Story, baseUrl: string, oneId: EmbeddedOneId, file: string): Promise<void> {
    const chapters = new Chapters(story, baseUrl, oneId, await OtherApp.at(oneId));
    const tokens = await chapters.signIn();
    const oldCookie = await chapters.logOutElsewhere(tokens);
    await chapters.sendAgain();
    await chapters.signInAgain(oldCookie);
    await chapters.frontchannel();
    await chapters.logOutHere();
    await chapters.logoutOvertakesSignIn();
    await chapters.forgeries();
    const stopping = await StoppingApp.start(oneId, file);
    try {
      await chapters.outage(stopping);
    } finally {
      await stopping.stop();
    }
  }

  private async signIn(): Promise<OtherAppTokens> {
    const { story } = this;
    const user = this.#user;
    story.chapter('1. A user signs in, and another app of the same OneID gets an access token in the same login');
    story.step('GET /me without a session', await user.meInShort(), '401 missing');
    story.step('GET /login, to OneID, its form, and back', inShort(await user.signIn()), '200');
    story.step('GET /me', await user.meInShort(), '200');
    const tokens = await this.otherApp.signIn(user.browser);
    story.step("GET /api/me with the other app's access token", await this.api(tokens), '200');
    return tokens;
  }

  private async logOutElsewhere(tokens: OtherAppTokens): Promise<string> {
    const { story } = this;
    const { cookie } = this.#user;
    story.chapter('2. The other app logs the user out at OneID, which tells this app over the back-channel');
    story.step("OneID's answer to the browser", String(await this.otherApp.logOut(this.#user.browser, tokens)), '200');
    story.step('OneID: POST /backchannel_logout, signed', await this.delivered(), '200');
    story.step('GET /me with the cookie from before the logout', await this.#user.meInShort(), '401 logged_out');
    story.step('GET /api/me with the access token from before the logout', await this.api(tokens), '401 logged_out');
    return cookie;
  }

  private async sendAgain(): Promise<void> {
    const { story } = this;
    story.chapter('3. OneID did not get the answer and sends the same token again');
    story.step('POST /backchannel_logout, the same token', inShort(await this.post(this.lastToken())), '200');
    story.step('GET /me', await this.#user.meInShort(), '401 logged_out');
  }

  private async signInAgain(oldCookie: string): Promise<void> {
    const { story } = this;
    const user = this.#user;
    story.chapter('4. The user signs in again: the new session is alive, the old session stays ended');
    story.step('GET /login, and back', inShort(await user.signIn()), '200');
    story.step('GET /me', await user.meInShort(), '200');
    story.step('GET /me with the old cookie', await user.meInShortWith(oldCookie), '401 logged_out');
    story.step('POST /backchannel_logout, the old token again', inShort(await this.post(this.lastToken())), '200');
    story.step('GET /me', await user.meInShort(), '200');
  }

  private async frontchannel(): Promise<void> {
    const { story } = this;
    const user = this.#user;
    const { issuer, sid } = await user.me();
    const url = `${this.baseUrl}/frontchannel_logout?${new URLSearchParams({ iss: issuer, sid }).toString()}`;
    story.chapter("5. Front-channel only: OneID's page loads this URL in an iframe, in a browser without cookies");
    story.step('GET /frontchannel_logout?iss=…&sid=…', inShort(await new Browser().get(url)), '200');
    story.step('GET /me', await user.meInShort(), '401 logged_out');
    story.step('GET /login, and back: the user is still signed in at OneID', inShort(await user.signIn()), '200');
    story.step('GET /me', await user.meInShort(), '200');
  }

  private async logOutHere(): Promise<void> {
    const { story, baseUrl } = this;
    const user = this.#user;
    const { cookie } = user;
    story.chapter('6. The user logs out here');
    const started = await user.pressLogout();
    story.step('POST /logout: a page that sends the browser to OneID', inShort(started), '200');
    story.step('GET /me with the cookie from before the logout', await user.meInShortWith(cookie), '401 logged_out');
    const question = await user.goToOneId(started);
    story.step('OneID asks the user, and the user confirms', inShort(question), '200');
    const { next: callback = '' } = await user.sayYes(question, { until: `${baseUrl}/logout/callback` });
    story.step('OneID: POST /backchannel_logout to this app, too', await this.delivered(), '200');
    const returned = await user.browser.get(callback);
    story.step('and back: GET /logout/callback?state=…', whereTo(returned), '303 /goodbye');
    story.step('GET /goodbye', inShort(await user.browser.follow(returned)), '200');
    story.step('GET /logout/callback, the same state again', whereTo(await user.browser.get(callback)), '303 /');
    story.step('GET /me with the cookie from before the logout', await user.meInShortWith(cookie), '401 logged_out');
    story.step('GET /me: the cookie is gone', await user.meInShort(), '401 missing');
  }

  private async logoutOvertakesSignIn(): Promise<void> {
    const { story } = this;
    const user = this.#user;
    story.chapter('7. A logout arrives during a sign-in, before the browser comes back from OneID');
    const { next: callback = '' } = await user.signInUntilCallback();
    story.step(
      'GET /login: OneID signs the user in, and the browser stops there',
      whereIs(callback),
      '/login/callback',
    );
    const tokens = await this.otherApp.signIn(user.browser);
    await this.otherApp.logOut(user.browser, tokens);
    story.step('the other app logs out; OneID: POST /backchannel_logout', await this.delivered(), '200');
    const refused = await user.browser.get(callback);
    const prompt = new URL(refused.next ?? callback).searchParams.get('prompt') ?? 'no prompt';
    story.step('GET /login/callback: back to OneID, for a new login', `${refused.status} ${prompt}`, '303 login');
    story.step('GET /me: not signed in', await user.meInShort(), '401 missing');
    story.step("OneID's form, and back", inShort(await user.goOn(await user.browser.follow(refused))), '200');
    story.step('GET /me', await user.meInShort(), '200');
    const ended = this.oneId.deliveries.finished.at(-1)?.sid;
    story.step(
      'the new session belongs to a new login',
      (await user.me()).sid === ended ? 'the ended sid' : 'a new sid',
      'a new sid',
    );
  }

  private async forgeries(): Promise<void> {
    const { story } = this;
    const user = this.#user;
    const { issuer, sid } = await user.me();
    const forged = await forgedTokens(this.lastToken(), { issuer, clientId: 'reference-app', sid });
    story.chapter('8. An attacker sends logout tokens for the session that is alive');
    const unsigned = inShort(await this.post(forged.unsigned));
    story.step('POST /backchannel_logout, without a signature', unsigned, '400 logout_token_alg_not_allowed');
    const strange = inShort(await this.post(forged.signedByAStranger));
    story.step('POST /backchannel_logout, signed by the attacker', strange, '400 logout_token_signature_invalid');
    story.step('GET /me', await user.meInShort(), '200');
  }

  private async outage(app: StoppingApp): Promise<void> {
    const { story } = this;
    const [leaver, stayer] = [new ReferenceUser(app.baseUrl), new ReferenceUser(app.baseUrl)];
    story.chapter('9. Another app is down while the user logs out at OneID, and OneID gives up telling it');
    story.step('GET /login at that app, and back', inShort(await leaver.signIn()), '200');
    story.step('the same in another browser', inShort(await stayer.signIn()), '200');
    const tokens = await this.otherApp.signIn(leaver.browser);
    const { cookie } = leaver;
    await this.delivered();
    await app.stop();
    const stoppedAt = Date.now();
    story.step(
      'the app stops; the user logs out at OneID',
      String(await this.otherApp.logOut(leaver.browser, tokens)),
      '200',
    );
    story.step('OneID: POST /backchannel_logout', await this.delivered(), 'no answer');
    await delay(Math.max(0, stoppedAt + (OUTAGE_SECONDS + 1) * 1000 - Date.now()));
    await app.start();
    story.step(
      'the app starts again; GET /me with the old cookie',
      await leaver.meInShortWith(cookie),
      '401 unconfirmed',
    );
    const asked = await leaver.browser.visit(`${app.baseUrl}/account`);
    story.step('GET /account: over OneID, which asks for the password', asksForPassword(asked), 'a form at OneID');
    const back = await stayer.browser.visit(`${app.baseUrl}/account`);
    story.step('the same in the other browser: over OneID, and back, without a form', whereIs(back.url), '/account');
    story.step('GET /me in the other browser', await stayer.meInShort(), '200');
  }

  private async api({ accessToken }: OtherAppTokens): Promise<string> {
    const headers = { authorization: `Bearer ${accessToken}` };
    return inShort(await this.#programs.get(`${this.baseUrl}/api/me`, headers));
  }

  private post(logoutToken: string) {
    return this.#programs.post(`${this.baseUrl}/backchannel_logout`, { logout_token: logoutToken });
  }

  /** The statuses of the logout tokens that OneID has sent since the previous call. */
  private async delivered(): Promise<string> {
    await this.oneId.deliveries.idle();
    const { finished } = this.oneId.deliveries;
    const statuses = finished.slice(this.#deliveriesSeen).map(({ attempts }) => attempts.at(-1)?.status ?? 'no answer');
    this.#deliveriesSeen = finished.length;
    return statuses.join(', ') || 'nothing sent';
  }

  private lastToken(): string {
    return this.oneId.deliveries.finished.at(-1)?.token ?? '';
  }
}

function asksForPassword({ body }: { body: string }): string {
  return body.includes('name="password"') ? 'a form at OneID' : 'no form';
}

function whereTo({ status, url, next }: { status: number; url: string; next?: string }): string {
  return `${status} ${next === undefined ? 'nowhere' : new URL(next, url).pathname}`;
}

function whereIs(url: string): string {
  return URL.canParse(url) ? new URL(url).pathname : 'nowhere';
}
