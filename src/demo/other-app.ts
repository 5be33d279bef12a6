import {
  allowInsecureRequests,
  authorizationCodeGrant,
  buildAuthorizationUrl,
  calculatePKCECodeChallenge,
  type Configuration,
  discovery,
  None,
  randomPKCECodeVerifier,
} from 'openid-client';
import { type EmbeddedOneId } from '../embedded-oneid/embedded-oneid.js';
import { type Browser } from './browser.js';

/** No server has this address: the browser stops before it requests the URL. */
const REDIRECT_URI = 'http://other-app.test/callback';
const CLIENT_ID = 'other-app';

export interface OtherAppTokens {
  readonly idToken: string;
  readonly accessToken: string;
}

/** Another app of the same OneID, where the user's browser is already signed in. */
export class OtherApp {
  private constructor(private readonly configuration: Configuration) {}

  static async at(oneId: EmbeddedOneId): Promise<OtherApp> {
    await oneId.register({ clientId: CLIENT_ID, redirectUris: [REDIRECT_URI], postLogoutRedirectUris: [] });
    // eslint-disable-next-line @typescript-eslint/no-deprecated -- marked as a warning only; the embedded OneID has no TLS
    const options = { execute: [allowInsecureRequests] };
    return new OtherApp(await discovery(new URL(oneId.issuer), CLIENT_ID, undefined, None(), options));
  }

  /** Signs in without a password form, so the browser must already be signed in at OneID. */
  async signIn(browser: Browser): Promise<OtherAppTokens> {
    const verifier = randomPKCECodeVerifier();
    const url = buildAuthorizationUrl(this.configuration, {
      redirect_uri: REDIRECT_URI,
      scope: 'openid',
      prompt: 'none',
      code_challenge: await calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
    });
    const { next = '' } = await browser.visit(url.href, { until: REDIRECT_URI });
    const tokens = await authorizationCodeGrant(this.configuration, new URL(next), { pkceCodeVerifier: verifier });
    return { idToken: tokens.id_token ?? '', accessToken: tokens.access_token };
  }

  /** Sends the browser to OneID, where the user confirms a logout from all apps. @returns status of OneID's answer */
  async logOut(browser: Browser, { idToken }: OtherAppTokens): Promise<number> {
    const { end_session_endpoint = '' } = this.configuration.serverMetadata();
    const question = await browser.get(
      `${end_session_endpoint}?${new URLSearchParams({ id_token_hint: idToken }).toString()}`,
    );
    return (await browser.submit(question, { answer: 'yes' })).status;
  }
}
