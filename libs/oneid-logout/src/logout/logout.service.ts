import { Injectable } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { clearCookie } from '../http/cookies.js';
import { type HttpAnswer, jsonAnswer, sendAnswer } from '../http/http-answer.js';
import { isNavigation, isPrefetch, prefetchRefusal } from '../http/navigation.js';
import { rawQuery } from '../http/raw-query.js';
import {
  CrossSiteLogoutError,
  InvalidLogoutRequestError,
  ProviderMisconfiguredError,
  ProviderUnavailableError,
  StoreUnavailableError,
} from '../oneid-logout.errors.js';
import { LogoutSettings } from './logout-settings.js';
import { type OneIdClient, OneIdClients } from '../provider/oneid-clients.js';
import { SessionJudge } from '../guard/session-judge.js';
import { currentSession } from '../guard/session.decorators.js';
import { LogoutRecorder } from '../sessions/logout-recorder.js';
import { Random } from '../random.js';
import { type SessionFacts } from '../rule/session.js';
import { type SessionRequest } from '../guard/session-resolvers.js';
import { TokenVault } from '../tokens/token-vault.js';
import { type EndSessionRequest, endSessionRequest, refuseReserved } from './end-session-request.js';
import { hintOf } from './id-token-hint.js';
import { type Confirmation, newConfirmation, originOf, useConfirmation } from './logout-origin.js';
import { confirmPage, continuePage, failurePage } from './logout-pages.js';
import { LogoutStates } from './logout-state.js';
import { type Language, languageOf } from './logout-texts.js';

/**
 * A logout to start, for {@link LogoutService.start}.
 *
 * @category Logout
 */
export interface StartLogoutOptions {
  /**
   * The session to log out, for example from `@CurrentSession()`. Then `start` also ends the other live sessions that the
   * same request carried, if this is the very object and not a copy. Without it, `start` ends no session here.
   */
  readonly session?: SessionFacts | undefined;
  /** The ID token of the sign-in. Default: the stored ID token, which needs the option `secrets`. */
  readonly idTokenHint?: string | undefined;
  /** Where the browser goes after the logout: one of the option `returnUrls`, the first by default. */
  readonly returnTo?: string | undefined;
  /** The client that logs out. Default: the session's client, or the only configured client. */
  readonly clientId?: string | undefined;
  /** `logout_hint`: names the user to log out, in a form that the provider knows (RP-Initiated Logout 1.0 §2). */
  readonly logoutHint?: string | undefined;
  /** `ui_locales`: languages for the provider's pages and for ours, for example `vi en`; ours have only these two. */
  readonly uiLocales?: string | undefined;
  /** Additional parameters for the provider. Names that the library itself sets are refused. */
  readonly parameters?: Readonly<Record<string, string>> | undefined;
}

/**
 * A started logout: the request that takes the browser to OneID, and the cookies to send with the answer.
 *
 * @category Logout
 */
export interface StartedLogout extends EndSessionRequest {
  /** `Set-Cookie` values for the answer: they bind `state` to this browser and remove the app's `clearCookies`. */
  readonly cookies: readonly string[];
  /** False when the provider has no `end_session_endpoint`: `url` is then `returnTo`. */
  readonly leadsToProvider: boolean;
}

/**
 * A logout to start and to answer, for {@link LogoutService.respond}.
 *
 * @category Logout
 */
export interface RespondOptions extends StartLogoutOptions {
  /**
   * A GET may start a logout without a confirmation page, if the browser navigates: not for a prefetch, an image, a frame
   * or a `fetch`, where the browser tells. Any link on the app's own pages can then log a user out.
   *
   * @defaultValue false
   */
  readonly allowGet?: boolean;
}

/**
 * Starts logouts at OneID (OpenID Connect RP-Initiated Logout 1.0).
 *
 * @category Logout
 * @hideconstructor
 * @example
 * ```ts
 * import { Controller, Post, Req, Res } from '@nestjs/common';
 * import { LogoutService, type SessionRequest } from 'nestjs-oneid-logout';
 *
 * @Controller()
 * export class LogoutController {
 *   constructor(private readonly logout: LogoutService) {}
 *
 *   // the page has a form: <form method="post" action="/logout">
 *   @Post('logout')
 *   start(@Req() request: SessionRequest, @Res() response: unknown): Promise<void> {
 *     return this.logout.respond(request, response, { returnTo: '/' });
 *   }
 * }
 * ```
 */
@Injectable()
export class LogoutService {
  constructor(
    private readonly clients: OneIdClients,
    private readonly states: LogoutStates,
    private readonly vault: TokenVault,
    private readonly recorder: LogoutRecorder,
    private readonly judge: SessionJudge,
    private readonly adapterHost: HttpAdapterHost,
    private readonly settings: LogoutSettings,
    private readonly random: Random,
  ) {}

  /**
   * Ends the session here, on every replica, and returns the request that takes the browser to OneID
   * (RP-Initiated Logout 1.0 §2). If the provider has no `end_session_endpoint`, the request leads to `returnTo`.
   *
   * This method does not check where the app's request comes from: {@link respond} does. Call it only for a request of
   * one of the app's own pages.
   *
   * @returns send its `cookies` with the answer, because they bind the logout's `state` to this browser
   * @throws {InvalidLogoutRequestError} 400: the session has not ended. `return_url_not_allowed`, `client_unknown`,
   *   `client_ambiguous`, `parameter_reserved`
   * @throws {StoreUnavailableError} 503: the session may still be alive; don't send the browser to OneID
   * @throws {ProviderUnavailableError} 503: the session has ended here, but OneID can't be reached
   * @throws {ProviderMisconfiguredError} 500: the session has ended here, but OneID's configuration does not fit the
   *   options
   * @example
   * ```ts
   * import { Controller, ForbiddenException, Headers, Post, Res, UseGuards } from '@nestjs/common';
   * import { type Response } from 'express';
   * import { CurrentSession, LogoutService, SessionAliveGuard, type SessionFacts } from 'nestjs-oneid-logout';
   *
   * // for a single-page app on an origin of its own, which goes to the `url` in the answer
   * @Controller('api/logout')
   * @UseGuards(SessionAliveGuard)
   * export class ApiLogoutController {
   *   constructor(private readonly logout: LogoutService) {}
   *
   *   @Post()
   *   async start(
   *     @Headers('origin') origin: string,
   *     @CurrentSession() session: SessionFacts,
   *     @Res({ passthrough: true }) response: Response,
   *   ): Promise<{ url: string }> {
   *     if (origin !== 'https://pages.my-app.example') throw new ForbiddenException();
   *     const { url, cookies } = await this.logout.start({ session });
   *     response.append('Set-Cookie', [...cookies]);
   *     return { url };
   *   }
   * }
   * ```
   */
  async start(options: StartLogoutOptions): Promise<StartedLogout> {
    const { session } = options;
    return this.startWith(options, session === undefined ? [] : this.judge.allOf(session).slice(1));
  }

  /** @param others sessions that end, too */
  private async startWith(options: StartLogoutOptions, others: readonly SessionFacts[]): Promise<StartedLogout> {
    const { session } = options;
    const returnTo = this.requireAllowed(options.returnTo ?? this.settings.defaultReturnUrl);
    refuseReserved(options.parameters);
    const client = this.clientOf(options);
    const idToken = await this.idTokenOf(options);
    const state = this.states.create(returnTo, new URL(client.postLogoutRedirectUri).origin);

    if (session !== undefined) await this.endAll(session, others, state.logoutId);

    const { issuer, end_session_endpoint: endpoint } = await client.provider.metadata();
    const cookies = this.settings.clearCookies.map(clearCookie);
    if (endpoint === undefined) {
      return { method: 'GET', url: returnTo, action: returnTo, fields: {}, cookies, leadsToProvider: false };
    }
    const idTokenHint = idToken === undefined ? undefined : await hintOf(idToken, client, issuer, session?.sid);
    // the recorded logout makes a state usable once; without a session, no logout is recorded
    const usesState = session !== undefined && (idTokenHint !== undefined || client.hintlessLogout);
    const request = endSessionRequest(endpoint, client, {
      ...options,
      idTokenHint,
      state: usesState ? state.state : undefined,
    });
    return { ...request, cookies: usesState ? [...cookies, state.cookie] : cookies, leadsToProvider: true };
  }

  /**
   * Starts a logout and answers the request. A browser gets a page that goes on to OneID by itself. A caller that
   * accepts only JSON gets `{ url }`, and also `method`, `action` and `fields` when the URL is too long.
   *
   * A POST must come from this site. The browser first gets a confirmation page if the origin of a POST is unknown, for
   * a GET without `allowGet`, for a GET that is no navigation or may come from another site. A prefetch gets 403, and
   * no page that the browser could show later. The form of that page is posted to the same path; its cancel link goes to
   * the first of `returnUrls`.
   *
   * All live sessions that the request carries (`sessionFrom`) end, beside the given one; OneID is told of the given
   * one, or else of the first. If the request carries no live session, the library has no stored ID token hint. OneID then
   * asks the user and does not send the browser back, unless the caller gives `idTokenHint` or the client has the option
   * `hintlessLogout`.
   *
   * If the provider has no `end_session_endpoint`, the user is logged out here only, and the page goes to `returnTo`.
   *
   * If the store or OneID is unavailable, a browser gets a page with status 503; if OneID's configuration does not fit
   * the options, with status 500. All these pages are in Vietnamese or English: the first of the two in `uiLocales`,
   * else the language that the browser prefers.
   *
   * @param request the framework's request, for example from `@Req()`
   * @param response the framework's response, for example from `@Res()`
   * @throws {CrossSiteLogoutError} 403: a POST from another site, or a JSON request that needs a confirmation page
   * @throws {InvalidLogoutRequestError} 400, as {@link start}
   * @throws {StoreUnavailableError} 503, only for a JSON request: the session may still be alive
   * @throws {ProviderUnavailableError} 503, only for a JSON request: the session has ended here, but not at OneID
   * @throws {ProviderMisconfiguredError} 500, likewise
   */
  async respond(request: SessionRequest, response: unknown, options: RespondOptions): Promise<void> {
    sendAnswer(this.adapterHost.httpAdapter, response, await this.answer(request, options));
  }

  /**
   * Ends all live sessions that the request carries, on every replica. OneID is told of no logout, but the refresh token
   * is revoked there: Keycloak may then end the login and tell its other apps. Call it only for a request of one of the
   * app's own pages, because this method does not check where the request comes from.
   *
   * @param request the framework's request, for example from `@Req()`
   * @throws {StoreUnavailableError} 503: the sessions may still be alive
   * @example
   * ```ts
   * import { Controller, ForbiddenException, Headers, HttpCode, Post, Req } from '@nestjs/common';
   * import { LogoutService, type SessionRequest } from 'nestjs-oneid-logout';
   *
   * @Controller()
   * export class LogoutController {
   *   constructor(private readonly logout: LogoutService) {}
   *
   *   @Post('logout-here')
   *   @HttpCode(204)
   *   async end(@Req() request: SessionRequest, @Headers('origin') origin: string): Promise<void> {
   *     if (origin !== 'https://my-app.example') throw new ForbiddenException();
   *     await this.logout.endHere(request);
   *   }
   * }
   * ```
   */
  async endHere(request: SessionRequest): Promise<void> {
    const session = await this.sessionOf(request);
    if (session === undefined) return;
    for (const { id, ...facts } of this.judge.allOf(session)) {
      if (id === undefined) await this.recorder.endLogin(facts);
      else await this.recorder.endSession({ issuer: facts.issuer, id }, 'admin');
    }
  }

  private async answer(request: SessionRequest, given: RespondOptions): Promise<HttpAnswer> {
    const json = acceptsJsonOnly(request);
    const { method } = request as { method?: unknown };
    if (method !== 'POST' && isPrefetch(request)) return prefetchRefusal;
    const language = languageOf(given.uiLocales, request.headers['accept-language']);
    try {
      const [session, ...others] = await this.sessionsToEnd(request, given.session);
      const options = { ...given, session };
      const { origin } = new URL(this.clientOf(options).postLogoutRedirectUri);
      const confirmed = method === 'POST' ? useConfirmation(request, rawQuery(request), origin) : undefined;
      if (confirmed === undefined) {
        const from = originOf(request, origin);
        const methodAllowed =
          method === 'POST' || (method === 'GET' && options.allowGet === true && isNavigation(request));
        const mayStart = from === 'here' && methodAllowed;
        const mayAsk = !json && !(from === 'elsewhere' && method === 'POST');
        if (!mayStart && !mayAsk) throw new CrossSiteLogoutError(origin);
        if (!mayStart) return askFirst(newConfirmation(origin, this.random), this.settings.defaultReturnUrl, language);
      }
      const started = await this.startWith(options, others);
      const cookies = confirmed === undefined ? started.cookies : [...started.cookies, confirmed];
      const answer = json ? jsonAnswer(200, jsonOf(started)) : continuePage(started, language);
      // the browser does not come back over the callback, which sends this header otherwise
      const cleared = started.leadsToProvider ? {} : this.settings.clearSiteData;
      return { ...answer, headers: { ...answer.headers, ...cleared }, cookies };
    } catch (error) {
      if (json) throw error;
      if (error instanceof StoreUnavailableError) return failurePage(503, 'notLoggedOut', language);
      if (error instanceof ProviderUnavailableError || error instanceof ProviderMisconfiguredError) {
        const page = failurePage(error.getStatus(), 'loggedOutHereOnly', language);
        return { ...page, cookies: this.settings.clearCookies.map(clearCookie) };
      }
      throw error;
    }
  }

  /** For a route without the guard: otherwise the browser would go to OneID, but the session here would live on. */
  private async sessionOf(request: SessionRequest): Promise<SessionFacts | undefined> {
    return this.judge.findAnyAlive(await this.judge.resolveSession(request));
  }

  /**
   * The sessions to end, the one that OneID is told of first.
   *
   * @param given from the app: perhaps a copy of a session that the request carries
   */
  private async sessionsToEnd(request: SessionRequest, given?: SessionFacts): Promise<readonly SessionFacts[]> {
    const found = currentSession(request) ?? (await this.sessionOf(request));
    const carried = found === undefined ? [] : this.judge.allOf(found);
    if (given === undefined) return carried;
    const own = carried.find((session) => isSameSession(session, given));
    return [own ?? given, ...carried.filter((session) => session !== own)];
  }

  /**
   * Ends the login of a session, and those of other sessions. OneID is told only of the session, so that one ends last: if
   * the store fails before, the user can try again.
   */
  private async endAll(session: SessionFacts, others: readonly SessionFacts[], logoutId: string): Promise<void> {
    await Promise.all(others.map((other) => this.recorder.endLogin(other)));
    await this.recorder.endLogin(session, logoutId);
  }

  private requireAllowed(returnTo: string): string {
    if (!this.settings.allowsReturn(returnTo)) {
      throw new InvalidLogoutRequestError('return_url_not_allowed', 'The return URL is not on the allow-list');
    }
    return returnTo;
  }

  private clientOf({ session, clientId }: StartLogoutOptions): OneIdClient {
    const candidates = (session === undefined ? this.clients.all : this.clients.at(session.issuer)).filter(
      (client) => (clientId ?? session?.clientId ?? client.clientId) === client.clientId,
    );
    const [client, other] = candidates;
    if (client === undefined) throw new InvalidLogoutRequestError('client_unknown', 'This client is not configured');
    if (other !== undefined)
      throw new InvalidLogoutRequestError('client_ambiguous', 'Several clients are configured: name one of them');
    return client;
  }

  /** Call this before the session ends, because the library then erases the session's tokens. */
  private async idTokenOf({ session, idTokenHint }: StartLogoutOptions): Promise<string | undefined> {
    if (idTokenHint !== undefined || session?.id === undefined) return idTokenHint;
    return (await this.vault.load(session.id))?.idToken;
  }
}

function askFirst({ value, cookie }: Confirmation, wayBack: string, language: Language): HttpAnswer {
  return { ...confirmPage(`?confirm=${value}`, wayBack, language), cookies: [cookie] };
}

/** Is the one a copy of the other? A verified token has no id: then its facts tell. */
function isSameSession(one: SessionFacts, other: SessionFacts): boolean {
  if (one.id !== undefined || other.id !== undefined) return one.id === other.id;
  return one.issuer === other.issuer && one.sid === other.sid && one.sub === other.sub && one.iat === other.iat;
}

function acceptsJsonOnly(request: SessionRequest): boolean {
  const { accept } = request.headers;
  return typeof accept === 'string' && accept.includes('application/json') && !accept.includes('text/html');
}

function jsonOf({ method, url, action, fields }: EndSessionRequest): object {
  return method === 'GET' ? { url } : { url, method, action, fields };
}
