import { type ExecutionContext, Inject, Injectable, Logger } from '@nestjs/common';
import { Clock } from '../clock.js';
import { type RejectionReason } from '../oneid-logout.errors.js';
import { isIdentifier } from '../rule/identifier.js';
import { type SessionFacts } from '../rule/session.js';
import { isSessionToken, tokenHashOf } from '../rule/session-token.js';
import { SESSION_LOOKUP, type SessionLookup } from './session-lookup.js';
import { GuardSettings } from './guard-settings.js';
import { type CarriedSession, type SessionRequest, type TokenClaims } from './session-resolvers.js';

/** Why the session of a request is not alive: `logged_out`, `expired` or `unknown`. */
export type DeadReason = Exclude<RejectionReason, 'missing'>;

/** The session, if it is alive; otherwise the reason why a guard rejects it. */
export type Verdict<Reason extends RejectionReason = RejectionReason> =
  { readonly alive: SessionFacts } | { readonly reason: Reason };

/**
 * Decides whether the session that a request carries is alive. The option `liveness` decides whether the database or
 * the replica's memory is asked.
 */
@Injectable()
export class SessionJudge {
  private readonly logger = new Logger('OneIdLogout');
  private warnedOfMissingSid = false;

  constructor(
    @Inject(SESSION_LOOKUP) private readonly lookup: SessionLookup,
    private readonly settings: GuardSettings,
    private readonly clock: Clock,
  ) {}

  /**
   * Returns the session that a request carries, alive or not.
   *
   * @throws {TypeError} a resolver returned a value of another shape
   */
  async resolveSession(request: SessionRequest, context?: ExecutionContext): Promise<CarriedSession | undefined> {
    for (const resolver of this.settings.sessionFrom) {
      const carried: unknown = await resolver(request, context);
      if (carried === undefined || carried === null) continue;
      if (isCarried(carried)) return carried;
      throw new TypeError('A session resolver must return { sessionToken }, { claims } or undefined');
    }
    return undefined;
  }

  /** @throws {Error} the option `sessionFrom` is empty, so the guard cannot find a session */
  requireResolvers(): void {
    if (this.settings.sessionFrom.length > 0) return;
    throw new Error('SessionAliveGuard cannot find any session: set the option sessionFrom of OneIdLogoutModule');
  }

  /**
   * Judges the session that a request carries.
   *
   * @param carried from {@link resolveSession}
   * @throws {StoreUnavailableError} 503
   */
  async judge(carried: CarriedSession | undefined): Promise<Verdict> {
    if (carried === undefined) return { reason: 'missing' };
    return 'sessionToken' in carried ? this.judgeToken(carried.sessionToken) : this.judgeClaims(carried.claims);
  }

  /**
   * Judges a session again that {@link judge} has found alive before.
   *
   * @throws {StoreUnavailableError} 503
   */
  async judgeAgain(session: SessionFacts): Promise<Verdict<DeadReason>> {
    const { id, expiresAt = Infinity } = session;
    if (id !== undefined) return this.judgeHash(id);
    if ((await this.lookup.findLogout(session)) !== undefined) return { reason: 'logged_out' };
    return this.clock.now() >= expiresAt ? { reason: 'expired' } : { alive: session };
  }

  /**
   * Returns the session if it is alive, otherwise undefined.
   *
   * @throws {StoreUnavailableError} 503
   */
  async findAlive(carried: CarriedSession): Promise<SessionFacts | undefined> {
    const verdict = await this.judge(carried);
    return 'alive' in verdict ? verdict.alive : undefined;
  }

  /** An attacker can put any text into a cookie. Text that is no session token costs neither a hash nor a query. */
  private async judgeToken(sessionToken: string): Promise<Verdict<DeadReason>> {
    return isSessionToken(sessionToken) ? this.judgeHash(tokenHashOf(sessionToken)) : { reason: 'unknown' };
  }

  private async judgeHash(tokenHash: string): Promise<Verdict<DeadReason>> {
    const checked = await this.lookup.check(tokenHash);
    const ours = checked && this.settings.isConfiguredClient(checked.session.issuer, checked.session.clientId);
    if (checked === undefined || !ours) return { reason: 'unknown' };
    if (checked.endedBy !== undefined) return { reason: 'logged_out' };
    return checked.expired ? { reason: 'expired' } : { alive: checked.session };
  }

  /**
   * For an API that never saw the sign-in. The session is alive until a logout matches or the login is too old. The
   * token's `iat` serves as `registeredAt` too.
   */
  private async judgeClaims(claims: TokenClaims): Promise<Verdict<DeadReason>> {
    const { iss, sub, exp, auth_time: authTime } = claims;
    const sid = isIdentifier(claims.sid) ? claims.sid : undefined;
    const iat = typeof claims.iat === 'number' ? Math.floor(claims.iat) : undefined;
    if (typeof iss !== 'string' || typeof sub !== 'string' || iat === undefined || !Number.isSafeInteger(iat * 1000)) {
      return { reason: 'unknown' };
    }
    const scope = this.settings.logoutScopeOf(iss);
    if (scope === undefined || (claims.sid !== undefined && sid === undefined)) return { reason: 'unknown' };
    // OneID's logout names only the sid: a token without sid needs the scope "user", and its user must have a
    // registered sign-in, because the sign-in connects the sid with the user
    const findable = sid !== undefined || (scope === 'user' && (await this.lookup.knowsUser(iss, sub)));
    if (!findable) {
      this.warnOfMissingSid();
      return { reason: 'unknown' };
    }
    // refuse an older login: its logout may be purged already; the age of a refreshed token counts from its login
    const since = typeof authTime === 'number' ? Math.min(authTime, iat) : iat;
    const lastMoment = (since + this.settings.maxSessionLifetimeSeconds) * 1000;
    if (lastMoment <= this.clock.now()) return { reason: 'expired' };
    const facts: SessionFacts = {
      issuer: iss,
      sub,
      iat,
      registeredAt: iat * 1000,
      // `exp` has been verified already: here it limits sockets and streams opened with the token
      expiresAt: typeof exp === 'number' ? Math.min(exp * 1000, lastMoment) : lastMoment,
      ...(sid !== undefined && { sid }),
    };
    return (await this.lookup.findLogout(facts)) === undefined ? { alive: facts } : { reason: 'logged_out' };
  }

  private warnOfMissingSid(): void {
    if (this.warnedOfMissingSid) return;
    this.warnedOfMissingSid = true;
    this.logger.error(
      'A request carried a token without sid. When a user logs out, OneID sends only the sid, so the guard could ' +
        'never reject this token. Make OneID put the sid into the token; or set logoutScope "user" for the client, and ' +
        'register the sign-ins of its users in this database.',
    );
  }
}

function isCarried(value: unknown): value is CarriedSession {
  if (typeof value !== 'object' || value === null) return false;
  if ('sessionToken' in value) return typeof value.sessionToken === 'string';
  return 'claims' in value && typeof value.claims === 'object' && value.claims !== null;
}
