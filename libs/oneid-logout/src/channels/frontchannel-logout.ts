import { Logger } from '../logger.js';
import { isIdentifier } from '../rule/identifier.js';
import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { Clock } from '../clock.js';
import { CountedWarning } from '../counted-warning.js';
import { clearCookie } from '../http/cookies.js';
import { type HttpAnswer } from '../http/http-answer.js';
import { isPrefetch, prefetchRefusal } from '../http/navigation.js';
import { Measures } from '../measures/measures.js';
import {
  InvalidLogoutTokenError,
  OneIdLogoutError,
  reasonOf,
  STORE_RETRY_AFTER_SECONDS,
} from '../oneid-logout.errors.js';
import { ChannelSettings } from './channel-settings.js';
import { OneIdClients } from '../provider/oneid-clients.js';
import { targetOf } from '../rule/targets.js';
import { BackchannelWatch } from '../sessions/backchannel-watch.js';
import { LogoutRecorder } from '../sessions/logout-recorder.js';
import { SessionJudge } from '../guard/session-judge.js';
import { type SessionRequest } from '../guard/session-resolvers.js';

export const LOGGED_OUT = 'Logged out.';
export const NOT_RECORDED = 'The app could not record the logout.';
const NOTHING_DONE = 'Nothing was logged out: the request names no login. It needs iss and sid.';

/** What a front-channel request has ended. */
interface Ending {
  /** The request names a login, or carries a session. It is over now; perhaps it was before. */
  readonly named: boolean;
  /** A session was alive, and the library has recorded its logout. */
  readonly recorded: boolean;
}

/** Handles a front-channel request and makes its answer (OpenID Connect Front-Channel Logout 1.0 §2 and §3). */
@Injectable()
export class FrontchannelLogout implements OnApplicationShutdown {
  private readonly logger = new Logger('OneIdLogout');
  private readonly nameless: CountedWarning;

  constructor(
    private readonly clients: OneIdClients,
    private readonly recorder: LogoutRecorder,
    private readonly judge: SessionJudge,
    private readonly watch: BackchannelWatch,
    private readonly settings: ChannelSettings,
    private readonly measures: Measures,
    clock: Clock,
  ) {
    this.nameless = new CountedWarning(
      clock,
      (count) =>
        `Front-channel logouts without iss and sid: ${count}. The library did nothing, because they name no login. ` +
        'Register frontchannel_logout_session_required as true at the provider, so that it sends both.',
    );
  }

  onApplicationShutdown(): void {
    this.nameless.close();
  }

  /**
   * The request is unsigned and unauthenticated. So the library records a logout only for a live session, and stores
   * no other data. The answer never reveals whether the session exists. A prefetch does nothing: the page of OneID that
   * contains the iframe may not be shown yet.
   */
  async answer(request: SessionRequest, query: URLSearchParams): Promise<HttpAnswer> {
    if (isPrefetch(request)) return prefetchRefusal;
    const [iss, otherIss] = query.getAll('iss');
    const [sid, otherSid] = query.getAll('sid');
    const repeated = otherIss !== undefined || otherSid !== undefined;
    const login = repeated ? undefined : this.loginOf(iss, sid);
    if (login === undefined) {
      const text = 'Give iss and sid once each, or give neither of them.';
      this.measures.countFailure('frontchannel', new InvalidLogoutTokenError('logout_request_malformed', text));
      return page(400, text, await this.headers());
    }
    let text = LOGGED_OUT;
    try {
      const { recorded, named } = await (login === 'carried'
        ? this.endCarried(request)
        : this.end(login.iss, login.sid));
      this.measures.countLogouts('frontchannel', recorded ? 'matched' : 'unmatched');
      if (!named) {
        this.nameless.add();
        text = NOTHING_DONE;
      }
    } catch (error) {
      this.measures.countFailure('frontchannel', error);
      const code = error instanceof OneIdLogoutError ? error.code : 'server_error';
      this.logger.error(`Could not process a front-channel logout: ${code}: ${reasonOf(error)}`);
      return page(503, NOT_RECORDED, {
        ...(await this.headers()),
        'Retry-After': String(STORE_RETRY_AFTER_SECONDS),
      });
    }
    // the logout, if any, is already recorded, so a failure from here on must not change the answer
    const cookies = await this.staleCookies(request).catch(() => []);
    return { ...page(200, text, await this.headers()), cookies };
  }

  /**
   * Which login the parameters name. Some providers send `sid` without `iss`: it counts when the clients have one issuer.
   *
   * @returns `carried` when they name none; undefined when they are invalid
   */
  private loginOf(
    iss: string | undefined,
    sid: string | undefined,
  ): { readonly iss: string; readonly sid: string } | 'carried' | undefined {
    if (iss === undefined && sid === undefined) return 'carried';
    if (!isIdentifier(sid)) return undefined;
    if (iss !== undefined) return isIdentifier(iss) ? { iss, sid } : undefined;
    const { onlyIssuer } = this.clients;
    if (onlyIssuer !== undefined) return { iss: onlyIssuer, sid };
    this.logger.warn(
      'Refused a front-channel logout that gives sid without iss: the clients of this app have several issuers, so the ' +
        'sid does not say which login to end',
    );
    return undefined;
  }

  private async end(iss: string, sid: string): Promise<Ending> {
    return { named: true, recorded: this.clients.at(iss).length > 0 && (await this.endSid(iss, sid)) };
  }

  private async endSid(issuer: string, sid: string): Promise<boolean> {
    const recorded = await this.recorder.recordFrontchannel(issuer, sid);
    if (recorded) this.watch.expect(targetOf('sid', issuer, sid));
    return recorded;
  }

  /**
   * Any site can cause a top-level visit, and it carries cookies. So only an iframe's request ends the session.
   */
  private async endCarried(request: SessionRequest): Promise<Ending> {
    if (!this.settings.frontchannelEndsCarriedSession || request.headers['sec-fetch-dest'] !== 'iframe')
      return { named: false, recorded: false };
    const carried = await this.judge.resolveSession(request);
    const session = await this.judge.findAnyAlive(carried);
    let recorded = false;
    for (const { issuer, sid, id } of session === undefined ? [] : this.judge.allOf(session)) {
      if (sid !== undefined) recorded = (await this.endSid(issuer, sid)) || recorded;
      else if (id !== undefined) recorded = (await this.recorder.recordFrontchannel(issuer, id, 'session')) || recorded;
    }
    return { named: carried !== undefined, recorded };
  }

  /**
   * `Set-Cookie` values that remove the app's cookies, only if the sessions that the request carries are over. The
   * request itself proves nothing, because any site can cause it.
   */
  private async staleCookies(request: SessionRequest): Promise<string[]> {
    if (this.settings.clearCookies.length === 0) return [];
    const carried = await this.judge.resolveSession(request);
    if (carried === undefined || !(await this.judge.isOver(carried))) return [];
    return this.settings.clearCookies.map(clearCookie);
  }

  /** Only pages of the configured providers may frame the answer. This policy replaces the policy of the host app. */
  private async headers(): Promise<Record<string, string>> {
    const origins = new Set<string>();
    for (const { issuer, provider } of this.clients.all) {
      origins.add(new URL(issuer).origin);
      const metadata = await provider.metadata().catch(() => undefined);
      if (metadata?.end_session_endpoint !== undefined) origins.add(new URL(metadata.end_session_endpoint).origin);
    }
    return {
      'Content-Security-Policy': `default-src 'none'; frame-ancestors ${[...origins].join(' ')}`,
      'Cross-Origin-Resource-Policy': 'cross-origin',
    };
  }
}

function page(status: number, text: string, headers: Record<string, string>): HttpAnswer {
  return {
    status,
    headers: { 'Content-Type': 'text/html; charset=utf-8', ...headers },
    without: ['X-Frame-Options'],
    body: `<!doctype html><meta charset="utf-8"><title>Logout</title><p>${text}</p>`,
  };
}
