import { type ExecutionContext, Inject, Injectable, Logger } from '@nestjs/common';
import { Clock } from '../clock.js';
import { SessionRejectedError } from '../oneid-logout.errors.js';
import { type SessionFacts } from '../rule/session.js';
import { SESSION_LOOKUP, type SessionLookup } from './session-lookup.js';
import { GuardSettings } from './guard-settings.js';
import { type CarriedSession, type SessionRequest, type TokenClaims } from './session-resolvers.js';

/**
 * Decides whether the session that a request carries is alive. The option `liveness` decides whether the database or
 * the replica's memory is asked.
 */
@Injectable()
export class SessionLiveness {
  private readonly logger = new Logger('OneIdLogout');
  private warnedOfMissingSid = false;

  constructor(
    @Inject(SESSION_LOOKUP) private readonly checks: SessionLookup,
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
      throw new TypeError('A session resolver must return { id }, { claims } or undefined');
    }
    return undefined;
  }

  /** @throws {Error} the option `sessionFrom` is empty, so the guard cannot find a session */
  requireResolvers(): void {
    if (this.settings.sessionFrom.length > 0) return;
    throw new Error('SessionAliveGuard cannot find any session: set the option sessionFrom of OneIdLogoutModule');
  }

  /**
   * Returns the session if it is alive, otherwise undefined.
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
   * Returns the reason why a session is over; undefined while it lives. A guard has found it alive before.
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

  /**
   * For an API that never saw the sign-in. The session is alive until a logout matches or the login is too old. The
   * token's `iat` serves as `issuedAt` and as `registeredAt`.
   */
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
    // OneID's logout names only the sid: a token without sid needs the scope "user", and its user must have a
    // registered sign-in, because the sign-in connects the sid with the user
    const findable = sid !== undefined || (scope === 'user' && (await this.checks.knowsUser(iss, sub)));
    if (!findable) {
      this.warnOfMissingSid();
      throw new SessionRejectedError('unknown');
    }
    // refuse an older login: its logout may be purged already; the age of a refreshed token counts from its login
    const since = typeof authTime === 'number' ? Math.min(authTime, iat) : iat;
    const lastMoment = (since + this.settings.maxSessionLifetime) * 1000;
    if (lastMoment <= this.clock.now()) throw new SessionRejectedError('expired');
    const facts: SessionFacts = {
      issuer: iss,
      sub,
      issuedAt: iat,
      registeredAt: iat * 1000,
      // `exp` has been verified already: here it limits sockets and streams opened with the token
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
      'A request carried a token without sid. When a user logs out, OneID sends only the sid, so the guard could ' +
        'never reject this token. Make OneID put the sid into the token; or set logoutScope "user" for the client, and ' +
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
