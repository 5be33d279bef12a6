import { Injectable } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { clearCookie } from '../http/cookies.js';
import { type HttpAnswer, jsonAnswer, sendAnswer } from '../http/http-answer.js';
import { rawQuery } from '../http/raw-query.js';
import {
  CrossSiteLogoutError,
  InvalidLogoutRequestError,
  ProviderUnavailableError,
  StoreUnavailableError,
} from '../oneid-logout.errors.js';
import { LogoutSettings } from './logout-settings.js';
import { type OneIdClient, OneIdClients } from '../provider/oneid-clients.js';
import { SessionLiveness } from '../guard/liveness.js';
import { LogoutRecorder } from '../sessions/logout-recorder.js';
import { type SessionFacts } from '../rule/session.js';
import { targetOf } from '../rule/targets.js';
import { type SessionRequest } from '../guard/session-resolvers.js';
import { SessionRepository } from '../store/session.repository.js';
import { TokenRepository } from '../store/token.repository.js';
import { TokenVault } from '../tokens/token-vault.js';
import { type EndSessionRequest, endSessionRequest, isUsableHint, refuseReserved } from './end-session-request.js';
import { newConfirmation, originOf, useConfirmation } from './logout-origin.js';
import { confirmPage, continuePage, failurePage } from './logout-pages.js';
import { LogoutStates } from './logout-state.js';
import { type Language, languageOf } from './logout-texts.js';

export interface StartLogoutOptions {
  /** The session that logs out, as from `@CurrentSession()`; without one only the browser is sent to OneID. */
  readonly session?: SessionFacts | undefined;
  /** The ID token of the sign-in; by default the one that was kept (which takes the option `secrets`). */
  readonly idTokenHint?: string | undefined;
  /** Where the browser shall land in the end: `defaultReturnUrl`, or one of `allowedReturnUrls`. */
  readonly returnTo?: string | undefined;
  /** Which client logs out; by default the session's, or the only one there is. */
  readonly clientId?: string | undefined;
  /** `logout_hint`: who is to be logged out, as the provider knows them. */
  readonly logoutHint?: string | undefined;
  /** `ui_locales`: languages for the provider's page, as in `vi en`, and for our own, which know these two. */
  readonly uiLocales?: string | undefined;
  /** Further parameters for the provider, under names that have no option here. */
  readonly parameters?: Readonly<Record<string, string>> | undefined;
}

export interface StartedLogout extends EndSessionRequest {
  /** `Set-Cookie` values to answer with: they bind `state` to this browser, and remove the app's `clearCookies`. */
  readonly cookies: readonly string[];
}

export interface RespondOptions extends StartLogoutOptions {
  /** Let a GET start a logout without asking; any link on the app's own pages can then log a user out. */
  readonly allowGet?: boolean;
}

/** How many sessions to end with one statement. */
const PAGE = 256;

/** Starts logouts at OneID (OpenID Connect RP-Initiated Logout 1.0), and ends sessions on an administrator's word. */
@Injectable()
export class LogoutService {
  constructor(
    private readonly clients: OneIdClients,
    private readonly states: LogoutStates,
    private readonly vault: TokenVault,
    private readonly recorder: LogoutRecorder,
    private readonly repository: SessionRepository,
    private readonly liveness: SessionLiveness,
    private readonly tokens: TokenRepository,
    private readonly adapterHost: HttpAdapterHost,
    private readonly settings: LogoutSettings,
  ) {}

  /**
   * Ends the session here, on every replica, and returns the request that takes the browser to OneID
   * (RP-Initiated Logout 1.0 §2).
   *
   * @throws {InvalidLogoutRequestError} 400: nothing has been ended. `return_url_not_allowed`, `client_unknown`,
   *   `client_ambiguous`, `parameter_reserved`
   * @throws {StoreUnavailableError} 503: the session has not been ended; don't send the browser on
   * @throws {ProviderUnavailableError} 503: the session has been ended here, but OneID can't be reached
   */
  async start(options: StartLogoutOptions): Promise<StartedLogout> {
    const { session } = options;
    const returnTo = this.requireAllowed(options.returnTo ?? this.settings.defaultReturnUrl);
    refuseReserved(options.parameters);
    const client = this.clientOf(options);
    const idToken = await this.idTokenOf(options);
    const state = this.states.create(returnTo, new URL(client.postLogoutRedirectUri).origin);

    if (session !== undefined) await this.recorder.endLogin(session, state.logoutId);

    const { issuer, end_session_endpoint: endpoint } = await client.provider.metadata();
    if (endpoint === undefined) throw new ProviderUnavailableError('The provider has no end_session_endpoint');
    const idTokenHint =
      idToken !== undefined && isUsableHint(idToken, issuer, client.clientId, session?.sid) ? idToken : undefined;
    // without a session nothing is on record that could use the state up
    const usesState = session !== undefined && idTokenHint !== undefined;
    const request = endSessionRequest(endpoint, client, {
      ...options,
      idTokenHint,
      state: usesState ? state.state : undefined,
    });
    const cookies = this.settings.clearCookies.map(clearCookie);
    return { ...request, cookies: usesState ? [...cookies, state.cookie] : cookies };
  }

  /**
   * Starts a logout and answers the request: with a page that goes on to OneID by itself, or `{ url }` for a caller
   * that accepts JSON only (and `method`, `action`, `fields` beside it when the URL is too long). A POST must come from
   * this site; where that can't be told, and for a GET without `allowGet`, a page asks first, whose form is posted to
   * the same path, and from which a link leads back to `defaultReturnUrl`.
   *
   * Without a `session` it is the live one that the request carries (`sessionFrom`), if any. With none, or a dead one,
   * there is no hint either: OneID asks the user, and keeps the browser.
   *
   * What {@link start} can't do for want of the store or of OneID, a browser is told by a page with status 503. All these
   * pages are in Vietnamese or English: the first of `uiLocales` that is either, else as the browser prefers.
   *
   * @param request the framework's request, as from `@Req()`
   * @param response the framework's response, as from `@Res()`
   * @throws {CrossSiteLogoutError} 403: another site's POST, or a caller of JSON who would have to be asked
   * @throws {InvalidLogoutRequestError} 400, as {@link start}
   * @throws {StoreUnavailableError} 503, to callers of JSON: the session has not been ended
   * @throws {ProviderUnavailableError} 503, to callers of JSON: the session has been ended here, not at OneID
   */
  async respond(request: SessionRequest, response: unknown, options: RespondOptions): Promise<void> {
    sendAnswer(this.adapterHost.httpAdapter, response, await this.answer(request, options));
  }

  /**
   * Ends one session, on an administrator's word and for good; others of the same browser login live on.
   *
   * @returns false when there is none of this id
   * @throws {StoreUnavailableError} 503: the session has not been ended
   */
  async end(sessionId: string): Promise<boolean> {
    const checked = await this.repository.check(sessionId);
    if (checked === undefined) return false;
    await this.recorder.endSession(checked.session, 'admin');
    return true;
  }

  /**
   * Ends every session that a user has now, on an administrator's word; a later sign-in lives. One statement, however
   * many sessions.
   *
   * @param user.issuer may be left out where all clients have the same
   * @throws {InvalidLogoutRequestError} 400: nothing has been ended. `client_ambiguous`, `client_unknown`,
   *   `user_invalid`
   * @throws {StoreUnavailableError} 503: nothing has been ended
   */
  async endAll(user: { readonly sub: string; readonly issuer?: string }): Promise<void> {
    const issuers = new Set(this.clients.all.map((client) => client.provider));
    const [provider] = issuers;
    const issuer = user.issuer ?? (issuers.size === 1 ? provider?.issuer : undefined);
    if (issuer === undefined) throw new InvalidLogoutRequestError('client_ambiguous', 'Several issuers: name one');
    if (this.clients.at(issuer).length === 0) {
      throw new InvalidLogoutRequestError('client_unknown', 'No client of this issuer is configured');
    }
    // programs without types give undefined where a request had none
    if (typeof (user.sub as unknown) !== 'string' || user.sub === '') {
      throw new InvalidLogoutRequestError('user_invalid', 'The sub is empty');
    }
    await this.recorder.endUser(issuer, user.sub);
  }

  /**
   * Ends for good, as {@link end} does, all other sessions that the user of this one has now: to sign out everywhere else.
   * They are those of all clients that share the database, also in the same browser. Bearer tokens that were never
   * registered are not among them.
   *
   * @param session as from `@CurrentSession()`; it lives on
   * @returns how many have been ended
   * @throws {InvalidLogoutRequestError} 400 `session_not_registered`: what is known by a bearer token has no `id`, by which
   *   it could be told from the others. Nothing has been ended
   * @throws {StoreUnavailableError} 503: some may have been ended, the newest first; calling again goes on
   */
  async endOthers(session: SessionFacts): Promise<number> {
    const { id, issuer, sub } = session;
    if (id === undefined || sub === undefined) {
      throw new InvalidLogoutRequestError(
        'session_not_registered',
        "Only a registered session can be told from its user's others",
      );
    }
    let count = 0;
    let registeredUntil: number | undefined;
    for (;;) {
      const page = await this.repository.findAlive('sub', targetOf('sub', issuer, sub), PAGE, registeredUntil);
      count += await this.recorder.bySessions(
        page.filter((other) => other.id !== id),
        'admin',
      );
      if (page.length < PAGE) return count;
      // those of that same millisecond that are dealt with are not alive any more
      registeredUntil = page.at(-1)?.registeredAt;
    }
  }

  /**
   * For a health page or a gauge: how many logouts still have refresh tokens to revoke at OneID, or to look for. Those
   * that fail are tried again for as long as the tokens may live; the log says why.
   *
   * @throws {StoreUnavailableError} 503
   */
  async countPendingRevocations(): Promise<number> {
    return this.tokens.countDue();
  }

  private async answer(request: SessionRequest, given: RespondOptions): Promise<HttpAnswer> {
    const json = acceptsJsonOnly(request);
    const { method } = request as { method?: unknown };
    const language = languageOf(given.uiLocales, request.headers['accept-language']);
    try {
      const options = { ...given, session: given.session ?? (await this.sessionOf(request)) };
      const { origin } = new URL(this.clientOf(options).postLogoutRedirectUri);
      const confirmed = method === 'POST' ? useConfirmation(request, rawQuery(request), origin) : undefined;
      if (confirmed === undefined) {
        const from = originOf(request, origin);
        const asks = from !== 'here' || !(method === 'POST' || (method === 'GET' && options.allowGet === true));
        if (asks && (json || (from === 'elsewhere' && method === 'POST'))) throw new CrossSiteLogoutError();
        if (asks) return askFirst(origin, this.settings.defaultReturnUrl, language);
      }
      const started = await this.start(options);
      const cookies = confirmed === undefined ? started.cookies : [...started.cookies, confirmed];
      return { ...(json ? jsonAnswer(200, jsonOf(started)) : continuePage(started, language)), cookies };
    } catch (error) {
      if (json) throw error;
      if (error instanceof StoreUnavailableError) return failurePage(503, 'notLoggedOut', language);
      if (error instanceof ProviderUnavailableError) {
        const page = failurePage(503, 'loggedOutHereOnly', language);
        return { ...page, cookies: this.settings.clearCookies.map(clearCookie) };
      }
      throw error;
    }
  }

  /** For a route that is not guarded: without it, its user would be sent to OneID and stay signed in here. */
  private async sessionOf(request: SessionRequest): Promise<SessionFacts | undefined> {
    const carried = await this.liveness.resolveSession(request);
    return carried && (await this.liveness.findAlive(carried));
  }

  private requireAllowed(returnTo: string): string {
    const { defaultReturnUrl, allowedReturnUrls } = this.settings;
    if (returnTo !== defaultReturnUrl && !allowedReturnUrls.includes(returnTo)) {
      throw new InvalidLogoutRequestError('return_url_not_allowed', 'The return URL is not on the allow-list');
    }
    return returnTo;
  }

  private clientOf({ session, clientId }: StartLogoutOptions): OneIdClient {
    const candidates = (session === undefined ? this.clients.all : this.clients.at(session.issuer)).filter(
      (client) => (clientId ?? session?.clientId ?? client.clientId) === client.clientId,
    );
    const [client, other] = candidates;
    if (client === undefined) throw new InvalidLogoutRequestError('client_unknown', 'No such client is configured');
    if (other !== undefined) throw new InvalidLogoutRequestError('client_ambiguous', 'Several clients: name one');
    return client;
  }

  /** Read before the session ends: its tokens are erased then. */
  private async idTokenOf({ session, idTokenHint }: StartLogoutOptions): Promise<string | undefined> {
    if (idTokenHint !== undefined || session?.id === undefined) return idTokenHint;
    return (await this.vault.load(session.id))?.idToken;
  }
}

function askFirst(origin: string, wayBack: string, language: Language): HttpAnswer {
  const { value, cookie } = newConfirmation(origin);
  return { ...confirmPage(`?confirm=${value}`, wayBack, language), cookies: [cookie] };
}

function acceptsJsonOnly(request: SessionRequest): boolean {
  const { accept } = request.headers;
  return typeof accept === 'string' && accept.includes('application/json') && !accept.includes('text/html');
}

function jsonOf({ method, url, action, fields }: EndSessionRequest): object {
  return method === 'GET' ? { url } : { url, method, action, fields };
}
