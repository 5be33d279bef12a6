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
import { OTHER_APP } from '../oneid/embedded.js';
import { type Browser } from './browser.js';

const [REDIRECT_URI] = OTHER_APP.redirectUris as [string];

export interface OtherAppTokens {
  readonly idToken: string;
  readonly accessToken: string;
}

/** Another app that signs in with the same OneID: its user's browser is known there already. */
export class OtherApp {
  private constructor(private readonly configuration: Configuration) {}

  static async at(issuer: string): Promise<OtherApp> {
    // eslint-disable-next-line @typescript-eslint/no-deprecated -- only marked so to stand out; the embedded OneID has no TLS
    const options = { execute: [allowInsecureRequests] };
    return new OtherApp(await discovery(new URL(issuer), OTHER_APP.clientId, undefined, None(), options));
  }

  /** Nobody is asked for a password, so the browser has to have signed in before. */
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

  /** Sends the browser to OneID to log out everywhere. @returns the status of OneID's answer */
  async logOut(browser: Browser, { idToken }: OtherAppTokens): Promise<number> {
    const { end_session_endpoint = '' } = this.configuration.serverMetadata();
    const page = await browser.get(
      `${end_session_endpoint}?${new URLSearchParams({ id_token_hint: idToken }).toString()}`,
    );
    return page.status;
  }
}
