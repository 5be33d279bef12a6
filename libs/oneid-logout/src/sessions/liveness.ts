import { type ExecutionContext, Injectable, Logger } from '@nestjs/common';
import { Clock } from '../clock.js';
import { SessionRejectedError } from '../oneid-logout.errors.js';
import { type SessionFacts } from './session.js';
import { SessionRepository } from './session.repository.js';
import { SessionSettings } from './session-settings.js';
import { type CarriedSession, type SessionRequest, type TokenClaims } from './session-resolvers.js';

/** Says whether the session that a request carries is alive: one indexed query to the primary. */
@Injectable()
export class SessionLiveness {
  private readonly logger = new Logger('OneIdLogout');
  private warnedOfMissingSid = false;

  constructor(
    private readonly repository: SessionRepository,
    private readonly settings: SessionSettings,
    private readonly clock: Clock,
  ) {}

  /** The session that a request carries, alive or not. */
  async carriedBy(request: SessionRequest, context?: ExecutionContext): Promise<CarriedSession | undefined> {
    for (const resolver of this.settings.sessionFrom) {
      const carried = await resolver(request, context);
      if (carried !== undefined) return carried;
    }
    return undefined;
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

  private async requireSession(id: string): Promise<SessionFacts> {
    const checked = await this.repository.check(id);
    const ours = checked && this.settings.isOurs(checked.session.issuer, checked.session.clientId);
    if (checked === undefined || !ours) throw new SessionRejectedError('unknown');
    if (checked.endedBy !== undefined) throw new SessionRejectedError('logged_out');
    if (checked.expired) throw new SessionRejectedError('expired');
    return checked.session;
  }

  /** For an API that never saw the sign-in: alive unless a logout matches, the token's `iat` standing for both times. */
  private async requireClaims(claims: TokenClaims): Promise<SessionFacts> {
    const { iss, sid, sub } = claims;
    const iat = typeof claims.iat === 'number' ? Math.floor(claims.iat) : undefined;
    if (typeof iss !== 'string' || typeof sub !== 'string' || iat === undefined || !Number.isSafeInteger(iat * 1000)) {
      throw new SessionRejectedError('unknown');
    }
    const scope = this.settings.logoutScopeOf(iss);
    if (scope === undefined) throw new SessionRejectedError('unknown');
    if (typeof sid !== 'string' && scope === 'session') {
      this.warnOfMissingSid();
      throw new SessionRejectedError('unknown');
    }
    // older than any logout is remembered
    if (iat * 1000 + this.settings.maxSessionLifetime <= this.clock.now()) throw new SessionRejectedError('expired');
    const facts: SessionFacts = {
      issuer: iss,
      sub,
      issuedAt: iat,
      registeredAt: iat * 1000,
      ...(typeof sid === 'string' && { sid }),
    };
    if ((await this.repository.findLogout(facts)) !== undefined) throw new SessionRejectedError('logged_out');
    return facts;
  }

  private warnOfMissingSid(): void {
    if (this.warnedOfMissingSid) return;
    this.warnedOfMissingSid = true;
    this.logger.error(
      'A request carried a token without sid. OneID names only the sid when a user logs out, so such a token could ' +
        'never be rejected: have OneID put the sid into the token, or set logoutScope "user" for the client.',
    );
  }
}
