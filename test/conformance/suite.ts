import { randomUUID } from 'node:crypto';
import { jwtVerify, SignJWT, UnsecuredJWT } from 'jose';
import { type Page } from '../../src/demo/browser.js';
import { elements } from '../../src/demo/html.js';
import { inShort, type ReferenceUser } from '../../src/demo/reference-user.js';
import { type BlackBoxApp } from '../support/black-box-app.js';
import { CLIENT_ID, type ClaimOverrides } from '../support/black-box-provider.js';

/** The key of {@link BlackBoxProvider} that signs `ES256`. */
export const EC_KEY = 'the-ec-key';

const LOGOUT_EVENT = 'http://schemas.openid.net/event/backchannel-logout';
/** Seconds. */
const TOKEN_LIFETIME = 120;

interface SignedIn {
  readonly user: ReferenceUser;
  readonly sid: string;
  /** The cookies of the session. A logout takes them from the browser, and the session may live on. */
  readonly cookie: string;
}

/** What a module changes in the logout token of the suite. */
export interface TokenChange {
  readonly claims?: ClaimOverrides;
  /** An `alg` other than that of the provider's ID tokens. */
  readonly alg?: 'ES256' | 'none';
}

/**
 * One run of a logout module of the conformance suite. Three browsers are signed in as one user, each with a login of its
 * own. Browser 1 plays the module. Tokens and iframes name the login of browser 2. Each step returns sentences that say
 * what it has seen.
 *
 * @see {@link https://gitlab.com/openid/conformance-suite}, the package `openid.client.logout`
 */
export class ModuleRun {
  private constructor(
    private readonly app: BlackBoxApp,
    private readonly one: SignedIn,
    private readonly two: SignedIn,
    private readonly three: SignedIn,
  ) {}

  static async start(app: BlackBoxApp): Promise<ModuleRun> {
    return new ModuleRun(app, await signIn(app), await signIn(app), await signIn(app));
  }

  /** Browser 1 logs out, as far as the end-session request. @returns the parameters of the request, with its URL */
  async logOut(): Promise<{ readonly url: string; readonly parameters: URLSearchParams }> {
    const until = `${this.app.provider.issuer}logout?`;
    const { next: url = '' } = await this.one.user.browser.follow(await this.one.user.pressLogout(), { until });
    if (!url.startsWith(until)) throw new Error(`the browser did not get to ${until}, but to ${url || 'no page'}`);
    return { url, parameters: new URL(url).searchParams };
  }

  /** Judges the end-session request as the suite does. */
  async endSessionRequest(parameters: URLSearchParams): Promise<string> {
    const { provider, url } = this.app;
    const [key] = provider.keys;
    if (key === undefined) throw new Error('the provider has no key');
    const { payload } = await jwtVerify(parameters.get('id_token_hint') ?? '', key.publicJwk, { audience: CLIENT_ID });
    const hint = payload['sid'] === this.one.sid ? 'the ID token of session 1' : 'another ID token';
    const uri = parameters.get('post_logout_redirect_uri');
    const address = uri === `${url}/logout/callback` ? 'the registered address' : `the address ${String(uri)}`;
    return `OneID gets ${hint} as the hint, ${address} and ${parameters.get('state') ? 'a state' : 'no state'}.`;
  }

  /** Answers the end-session request of browser 1 by a redirect to the app. @returns the redirect */
  redirect(endSession: string, location: string): Promise<Page> {
    this.app.provider.answers.set('/logout', [{ status: 302, headers: { Location: location } }]);
    return this.one.user.browser.get(endSession);
  }

  /** Sends the suite's logout token for the login of browser 2, with a parameter that the app has to ignore. */
  async sendToken(change: TokenChange = {}): Promise<string> {
    const body = new URLSearchParams({ logout_token: await this.logoutToken(change), ignored_parameter: 'a value' });
    const answer = await fetch(`${this.app.url}/backchannel_logout`, { method: 'POST', body });
    return `The token gets ${inShort({ status: answer.status, body: await answer.text() })}, ${caching(answer.headers)}.`;
  }

  /**
   * Answers a request of browser 1 by a page with the front-channel iframe, and loads the iframe in this browser.
   *
   * @param at the URL of the provider that browser 1 requests
   * @param named whether the client is registered with `frontchannel_logout_session_required`
   */
  async loadIframe(at: string, named: boolean): Promise<string> {
    const { provider, url } = this.app;
    const query = named ? `?${new URLSearchParams({ iss: provider.issuer, sid: this.two.sid }).toString()}` : '';
    const src = `${url}/frontchannel_logout${query}`.replaceAll('&', '&amp;');
    provider.answers.set(new URL(at).pathname, [{ status: 200, html: `<iframe src="${src}"></iframe>` }]);
    const page = await this.one.user.browser.get(at);
    const [iframe] = elements(page.body, 'iframe');
    const headers = { 'sec-fetch-dest': 'iframe', 'sec-fetch-site': 'cross-site' };
    const answer = await this.one.user.browser.get(iframe?.['src'] ?? '', headers);
    const frame = isFrameable(answer.headers, new URL(provider.issuer).origin) ? 'may' : 'may not';
    return (
      `The iframe ${named ? 'with both' : 'without iss and sid'} gets ${inShort(answer)}, ` +
      `${caching(answer.headers)}, and OneID ${frame} frame it.`
    );
  }

  async sessions(): Promise<string> {
    const states = await Promise.all([this.one, this.two, this.three].map(stateOf));
    return `S${states.map((state, n) => `ession ${n + 1} ${state}`).join(', s')}.`;
  }

  /** Sends browser 1 back to the app. */
  async comeBack(redirect: Page): Promise<string> {
    const { url, status } = await this.one.user.browser.follow(redirect);
    const { origin, pathname } = new URL(url);
    const place = origin === this.app.url && status === 200 ? pathname : `${status} at ${url}`;
    return `Browser 1 comes back to ${place}.`;
  }

  private logoutToken({ claims = {}, alg }: TokenChange): Promise<string> | string {
    const { provider } = this.app;
    const { issuer: iss, seconds: iat } = provider;
    const all = {
      ...{ iss, sub: 'alice', aud: CLIENT_ID, jti: randomUUID(), sid: this.two.sid },
      ...{ events: { [LOGOUT_EVENT]: {} }, iat, exp: iat + TOKEN_LIFETIME, ignored_claim: 'a value' },
      ...claims,
    };
    if (alg === 'none') return new UnsecuredJWT(all).encode();
    const key = alg === 'ES256' ? provider.keys.find(({ kid }) => kid === EC_KEY) : provider.keys[0];
    if (key === undefined) throw new Error('the provider has no such key');
    return new SignJWT(all).setProtectedHeader({ alg: alg ?? 'RS256', kid: key.kid }).sign(key.privateKey);
  }
}

async function signIn(app: BlackBoxApp): Promise<SignedIn> {
  const user = await app.signIn();
  const { sid } = await user.me();
  return { user, sid, cookie: user.cookie };
}

async function stateOf({ user, cookie }: SignedIn): Promise<string> {
  const answer = await user.meInShortWith(cookie);
  return { '200': 'alive', '401 logged_out': 'ended' }[answer] ?? answer;
}

function caching(headers: Headers): string {
  return headers.get('cache-control') === 'no-store' ? 'not cached' : 'which may be cached';
}

function isFrameable(headers: Headers, origin: string): boolean {
  const ancestors = /frame-ancestors ([^;]*)/.exec(headers.get('content-security-policy') ?? '')?.[1]?.split(' ');
  return !headers.has('x-frame-options') && ancestors?.includes(origin) === true;
}
