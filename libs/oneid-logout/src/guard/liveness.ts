import { type ExecutionContext, Inject, Injectable, Logger } from '@nestjs/common';
import { Clock } from '../clock.js';
import { SessionRejectedError } from '../oneid-logout.errors.js';
import { type SessionFacts } from '../rule/session.js';
import { SESSION_LOOKUP, type SessionLookup } from './session-lookup.js';
import { GuardSettings } from './guard-settings.js';
import { type CarriedSession, type SessionRequest, type TokenClaims } from './session-resolvers.js';

/** Says whether the session that a request carries is alive; who answers is a matter of the option `liveness`. */
@Injectable()
export class SessionLiveness {
  private readonly logger = new Logger('OneIdLogout');
  private warnedOfMissingSid = false;

  constructor(
    @Inject(SESSION_LOOKUP) private readonly checks: SessionLookup,
    private readonly settings: GuardSettings,
    private readonly clock: Clock,
  ) {}

  /** The session that a request carries, alive or not. */
  async resolveSession(request: SessionRequest, context?: ExecutionContext): Promise<CarriedSession | undefined> {
    for (const resolver of this.settings.sessionFrom) {
      const carried: unknown = await resolver(request, context);
      if (carried === undefined || carried === null) continue;
      if (isCarried(carried)) return carried;
      throw new TypeError('A session resolver must return { id }, { claims } or undefined');
    }
    return undefined;
  }

  /** @throws {Error} nobody has said how to find a session, so nothing can be guarded */
  requireResolvers(): void {
    if (this.settings.sessionFrom.length > 0) return;
    throw new Error('SessionAliveGuard: set the option sessionFrom of OneIdLogoutModule, or no session can be found');
  }

  /**
   * The session, if it is alive.
   *
   * @throws {StoreUnavailableError} 503
   */
  async findAlive(carried: CarriedSession): Promise<SessionFacts | undefined> {
    try {
      return await this.requireAlive(carried);
    } catch (error) {
      if (error instanceof SessionRejectedError) return undefined;
      throw error;
    }
  }

  /**
   * @throws {SessionRejectedError} 401 with a `reason`
   * @throws {StoreUnavailableError} 503
   */
  async requireAlive(carried: CarriedSession | undefined): Promise<SessionFacts> {
    if (carried === undefined) throw new SessionRejectedError('missing');
    return 'id' in carried ? this.requireSession(carried.id) : this.requireClaims(carried.claims);
  }

  /**
   * Why a session is over that a guard has found alive before; undefined while it lives.
   *
   * @throws {StoreUnavailableError} 503
   */
  async findEnding(session: SessionFacts): Promise<'logged_out' | 'expired' | 'unknown' | undefined> {
    const { id, expiresAt = Infinity } = session;
    if (id === undefined) {
      if ((await this.checks.findLogout(session)) !== undefined) return 'logged_out';
      return this.clock.now() >= expiresAt ? 'expired' : undefined;
    }
    try {
      await this.requireSession(id);
      return undefined;
    } catch (error) {
      if (error instanceof SessionRejectedError && error.reason !== 'missing') return error.reason;
      throw error;
    }
  }

  private async requireSession(id: string): Promise<SessionFacts> {
    const checked = await this.checks.check(id);
    const ours = checked && this.settings.isConfiguredClient(checked.session.issuer, checked.session.clientId);
    if (checked === undefined || !ours) throw new SessionRejectedError('unknown');
    if (checked.endedBy !== undefined) throw new SessionRejectedError('logged_out');
    if (checked.expired) throw new SessionRejectedError('expired');
    return checked.session;
  }

  /** For an API that never saw the sign-in: alive unless a logout matches, the token's `iat` standing for both times. */
  private async requireClaims(claims: TokenClaims): Promise<SessionFacts> {
    const { iss, sub, exp, auth_time: authTime } = claims;
    const sid = isSid(claims.sid) ? claims.sid : undefined;
    const iat = typeof claims.iat === 'number' ? Math.floor(claims.iat) : undefined;
    if (typeof iss !== 'string' || typeof sub !== 'string' || iat === undefined || !Number.isSafeInteger(iat * 1000)) {
      throw new SessionRejectedError('unknown');
    }
    const scope = this.settings.logoutScopeOf(iss);
    if (scope === undefined || (claims.sid !== undefined && sid === undefined))
      throw new SessionRejectedError('unknown');
    // a logout names the sid alone: who that is, only sign-ins that are registered in this database tell
    const findable = sid !== undefined || (scope === 'user' && (await this.checks.knowsUser(iss, sub)));
    if (!findable) {
      this.warnOfMissingSid();
      throw new SessionRejectedError('unknown');
    }
    // older than any logout is remembered; a refreshed token is as old as the login it came from
    const since = typeof authTime === 'number' ? Math.min(authTime, iat) : iat;
    const lastMoment = (since + this.settings.maxSessionLifetime) * 1000;
    if (lastMoment <= this.clock.now()) throw new SessionRejectedError('expired');
    const facts: SessionFacts = {
      issuer: iss,
      sub,
      issuedAt: iat,
      registeredAt: iat * 1000,
      // the token has been verified: this is for what stays open under it
      expiresAt: typeof exp === 'number' ? Math.min(exp * 1000, lastMoment) : lastMoment,
      ...(sid !== undefined && { sid }),
    };
    if ((await this.checks.findLogout(facts)) !== undefined) throw new SessionRejectedError('logged_out');
    return facts;
  }

  private warnOfMissingSid(): void {
    if (this.warnedOfMissingSid) return;
    this.warnedOfMissingSid = true;
    this.logger.error(
      'A request carried a token without sid. OneID names only the sid when a user logs out, so such a token could ' +
        'never be rejected: have OneID put the sid into the token; or set logoutScope "user" for the client, and ' +
        'register the sign-ins of its users in this database.',
    );
  }
}

function isCarried(value: unknown): value is CarriedSession {
  if (typeof value !== 'object' || value === null) return false;
  if ('id' in value) return typeof value.id === 'string';
  return 'claims' in value && typeof value.claims === 'object' && value.claims !== null;
}

function isSid(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && value.length <= 255;
}
