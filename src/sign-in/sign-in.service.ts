import { setTimeout as delay } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { type RegisteredSession, SessionRegistry } from 'nestjs-oneid-logout';
import {
  authorizationCodeGrant,
  buildAuthorizationUrl,
  calculatePKCECodeChallenge,
  randomNonce,
  randomPKCECodeVerifier,
  randomState,
} from 'openid-client';
import { type Language } from '../html/language.js';
import { OneIdClient } from '../oneid/oneid-client.js';
import { OneId } from '../oneid/oneid.js';
import { Settings } from '../settings.js';
import { Timeline } from '../timeline/timeline.js';
import { type ReturnPage } from '../pages/return-page.js';
import { type SignInTransaction } from './sign-in-transactions.js';

export interface BeginOptions {
  readonly isSecondTry: boolean;
  readonly returnTo: ReturnPage;
  /** Forces a new login, also when OneID still knows the one that has just been ended. */
  readonly newLogin?: boolean;
  /** The language of OneID's pages. */
  readonly language: Language;
}

/** The browser that comes back from OneID. */
export interface SignInBrowser {
  /** The session tokens that the browser had before, usually one. */
  readonly replaces: readonly string[];
  readonly device: string | undefined;
}

/** OneID gives refresh tokens for `offline`, other providers for `offline_access` or without any scope. */
const DEFAULT_SCOPE = 'openid offline';

/** The authorization code flow with PKCE (OpenID Connect Core 1.0 §3.1, RFC 7636). */
@Injectable()
export class SignInService {
  private readonly redirectUri: string;

  constructor(
    private readonly client: OneIdClient,
    private readonly oneId: OneId,
    private readonly registry: SessionRegistry,
    private readonly timeline: Timeline,
    { baseUrl }: Settings,
  ) {
    this.redirectUri = `${baseUrl}/login/callback`;
  }

  /** Starts a sign-in. @returns the URL for the browser, and the values to check when it returns */
  async begin({
    isSecondTry,
    returnTo,
    newLogin = false,
    language,
  }: BeginOptions): Promise<{ url: string; transaction: SignInTransaction }> {
    const configuration = await this.client.configuration();
    const transaction = {
      state: randomState(),
      nonce: randomNonce(),
      codeVerifier: randomPKCECodeVerifier(),
      isSecondTry,
      returnTo,
    };
    const url = buildAuthorizationUrl(configuration, {
      redirect_uri: this.redirectUri,
      scope: this.oneId.registration.scope ?? DEFAULT_SCOPE,
      state: transaction.state,
      nonce: transaction.nonce,
      code_challenge: await calculatePKCECodeChallenge(transaction.codeVerifier),
      code_challenge_method: 'S256',
      ui_locales: language,
      ...(newLogin && { prompt: 'login' }),
    });
    return { url: url.href, transaction };
  }

  /**
   * Resolves when OneID dates new ID tokens one second later than a token that has just arrived. A logout token that
   * names only the user ends the sign-ins of its own second too.
   */
  async nextSecond(): Promise<void> {
    // timers may fire a little early
    await delay(1_050);
  }

  /**
   * Redeems the code and registers the session.
   *
   * @param query the callback's query, unchanged
   */
  async complete(
    query: URLSearchParams,
    transaction: SignInTransaction,
    browser: SignInBrowser,
  ): Promise<RegisteredSession> {
    const { state, nonce, codeVerifier } = transaction;
    // our configured address, because an attacker can choose the Host header
    const callback = new URL(`${this.redirectUri}?${query.toString()}`);
    const tokens = await authorizationCodeGrant(await this.client.configuration(), callback, {
      expectedState: state,
      expectedNonce: nonce,
      pkceCodeVerifier: codeVerifier,
      idTokenExpected: true,
    });
    const { replaces, device } = browser;
    const session = await this.registry.register({
      idToken: tokens.id_token ?? '',
      nonce,
      replaces,
      label: device,
      ...(tokens.refresh_token !== undefined && { refreshToken: tokens.refresh_token }),
    });
    this.timeline.add(session, { kind: 'signed_in', device });
    return session;
  }
}
