import { type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import { Logger } from '../logger.js';
import { Clock } from '../clock.js';
import { Measures } from '../measures/measures.js';
import { type RejectionReason } from '../oneid-logout.errors.js';
import { type EndReason, reasonOfEnd } from '../rule/logout.js';
import { isIdentifier } from '../rule/identifier.js';
import { isSessionExpiry, presentClaims, shown } from '../provider/token-claims.js';
import {
  copyOf,
  isSameUser,
  type SessionFacts,
  targetsByKind,
  timedOutBy,
  usersOf,
  withUsers,
} from '../rule/session.js';
import { isSessionToken, tokenHashOf } from '../rule/session-token.js';
import { SESSION_LOOKUP, type SessionLookup } from './session-lookup.js';
import { GuardSettings } from './guard-settings.js';
import { type CarriedSession, type SessionRequest, type TokenClaims } from './session-resolvers.js';

/** How many different warnings of claims the log gets. */
const MOST_WARNINGS = 20;

/** Why the session of a request is not alive. */
export type DeadReason = EndReason | 'expired' | 'unknown';

/**
 * What a request carries: usually one session. If a resolver finds several values, or several resolvers find something:
 * for each resolver that finds something, its values.
 */
export type Carried = CarriedSession | readonly (readonly CarriedSession[])[];

/** How many different values of one resolver the guard asks about. Each costs a look-up, and a browser has one or two. */
const MOST_VALUES = 4;

/**
 * How many different values of one resolver a logout asks about: more than the guard, because a session that its user
 * logs out must not live on. A browser sends one cookie of a name for each path and domain that it was set with, which
 * are never as many; and no stranger's request should cost more look-ups.
 */
const MOST_ENDED = 4 * MOST_VALUES;

/** The session, if it is alive; otherwise the reason why a guard rejects it. */
export type Verdict<Reason extends RejectionReason = RejectionReason> =
  | {
      readonly alive: SessionFacts;
      /** Only with `maxIdleSeconds`: when the session is idle unless it is used: the database's clock, milliseconds. */
      readonly idleAt?: number;
    }
  | { readonly reason: Reason };

/**
 * Decides whether the session that a request carries is alive. The option `liveness` decides whether the database or
 * the replica's memory is asked.
 */
@Injectable()
export class SessionJudge {
  private readonly logger = new Logger('OneIdLogout');
  private warnedOfMissingSid = false;
  /** All live sessions of a request, by the one that its handlers get; only if there are several. */
  private readonly together = new WeakMap<SessionFacts, readonly SessionFacts[]>();
  /** The warnings that the log has already. */
  private readonly warnings = new Set<string>();

  constructor(
    @Inject(SESSION_LOOKUP) private readonly lookup: SessionLookup,
    private readonly settings: GuardSettings,
    private readonly clock: Clock,
    private readonly measures: Measures,
  ) {}

  /**
   * Returns what a request carries, alive or not.
   *
   * @throws {TypeError} a resolver returned a value of another shape
   */
  async resolveSession(request: SessionRequest, context?: ExecutionContext): Promise<Carried | undefined> {
    let carried: Carried | undefined;
    for (const resolver of this.settings.sessionFrom) {
      const found: unknown = await resolver(request, context);
      if (found === undefined || found === null) continue;
      if (isCarried(found)) carried = carried === undefined ? found : [...groupsOf(carried), [found]];
      else if (!isCarriedList(found)) throw new TypeError(WRONG_SHAPE);
      else if (found.length > 0) carried = [...groupsOf(carried), found];
    }
    return carried;
  }

  /** Does an unused session end, by the option `maxIdleSeconds`? */
  get endsIdleSessions(): boolean {
    return this.settings.maxIdleMs !== undefined;
  }

  /** @throws {Error} the option `sessionFrom` is empty, so the guard cannot find a session */
  requireResolvers(): void {
    if (this.settings.sessionFrom.length > 0) return;
    throw new Error('SessionAliveGuard cannot find any session: set the option sessionFrom of OneIdLogoutModule');
  }

  /**
   * Judges what a request carries. It is alive if each resolver that found something found a live session, and all live
   * sessions belong to one user. The verdict then has the first one; {@link allOf} gives the others.
   *
   * @param carried from {@link resolveSession}
   * @param countsAsUse whether the user has done something, so that the sessions are not idle (`maxIdleSeconds`)
   * @throws {StoreUnavailableError} 503
   */
  judge(carried: Carried | undefined, countsAsUse = false): Promise<Verdict> {
    return this.measures.check(() => this.judgeCarried(carried, countsAsUse));
  }

  private async judgeCarried(carried: Carried | undefined, countsAsUse: boolean): Promise<Verdict> {
    if (carried === undefined) return { reason: 'missing' };
    return 'length' in carried ? this.judgeSeveral(carried, countsAsUse) : this.judgeOne(carried, countsAsUse);
  }

  /** @returns all live sessions of the request that the session comes from, the session itself first */
  allOf(session: SessionFacts): readonly SessionFacts[] {
    return this.together.get(session) ?? [session];
  }

  /**
   * Judges a session again that {@link judge} has found alive before. A token without `sub` may now have more users, who
   * have signed in with its `sid` since then: `alive` then has their targets.
   *
   * @throws {StoreUnavailableError} 503
   */
  async judgeAgain(session: SessionFacts): Promise<Verdict<DeadReason>> {
    const { id, expiresAt = Infinity } = session;
    if (id !== undefined) return this.judgeHash(id);
    const verdict = await this.judgeForUsers(session);
    return 'alive' in verdict && this.clock.now() >= expiresAt ? { reason: 'expired' } : verdict;
  }

  /**
   * For a logout, which ends all that a request carries, also sessions of different users: the first 16 values of each
   * resolver.
   *
   * @returns the first live session; {@link allOf} gives the others
   * @throws {StoreUnavailableError} 503
   */
  async findAnyAlive(carried: Carried | undefined): Promise<SessionFacts | undefined> {
    const groups = groupsOf(carried).map(distinct);
    if (groups.some((values) => values.length > MOST_ENDED)) this.warnOnce(TOO_MANY_TO_END);
    const values = groups.flatMap((group) => group.slice(0, MOST_ENDED));
    return this.withOthers(aliveIn(await Promise.all(values.map((value) => this.judgeOne(value)))));
  }

  /**
   * Are all sessions that a request carries certainly over? If it carries more values than the guard asks about, the
   * answer is no, without a look-up.
   *
   * @throws {StoreUnavailableError} 503
   */
  async isOver(carried: Carried): Promise<boolean> {
    if (groupsOf(carried).some((values) => distinct(values).length > MOST_VALUES)) return false;
    return (await this.findAnyAlive(carried)) === undefined;
  }

  private async judgeSeveral(
    groups: readonly (readonly CarriedSession[])[],
    countsAsUse: boolean,
  ): Promise<Verdict<DeadReason | 'ambiguous'>> {
    const askable = groups.map(distinct);
    // a request must not hide the session of another user behind many dead ones, so this refuses instead of ignoring
    if (askable.some((values) => values.length > MOST_VALUES)) return { reason: 'ambiguous' };
    const verdicts = await Promise.all(
      askable.map((values) => Promise.all(values.map((value) => this.judgeOne(value)))),
    );
    for (const [first, ...others] of verdicts) {
      if (first !== undefined && 'reason' in first && aliveIn(others).length === 0) return first;
    }
    const alive = aliveIn(verdicts.flat());
    const session = this.withOthers(alive);
    if (session === undefined) return { reason: 'unknown' };
    if (!alive.every((other) => isSameUser(session, other))) return { reason: 'ambiguous' };
    if (countsAsUse) await this.noteUses(alive);
    return { alive: session };
  }

  /** Only now, because a request that is refused is no use of the live sessions that it carries. */
  private async noteUses(sessions: readonly SessionFacts[]): Promise<void> {
    await Promise.all(sessions.flatMap(({ id }) => (id === undefined ? [] : [this.judgeHash(id, true)])));
  }

  /** Returns the first session, and remembers the others for {@link allOf}. */
  private withOthers(sessions: readonly SessionFacts[]): SessionFacts | undefined {
    const [first, ...others] = sessions;
    if (first === undefined || others.length === 0) return first;
    // a copy, because other requests may have the same object from memory
    const session = copyOf(first);
    this.together.set(session, [session, ...others]);
    return session;
  }

  private judgeOne(carried: CarriedSession, countsAsUse = false): Promise<Verdict<DeadReason>> {
    if ('sessionToken' in carried) return this.judgeToken(carried.sessionToken, countsAsUse);
    return this.judgeClaims(carried.claims);
  }

  /** An attacker can put any text into a cookie. Text that is no session token costs neither a hash nor a query. */
  private async judgeToken(sessionToken: string, countsAsUse: boolean): Promise<Verdict<DeadReason>> {
    if (!isSessionToken(sessionToken)) return { reason: 'unknown' };
    return this.judgeHash(tokenHashOf(sessionToken), countsAsUse);
  }

  private async judgeHash(tokenHash: string, countsAsUse = false): Promise<Verdict<DeadReason>> {
    const checked = await this.lookup.check(tokenHash, countsAsUse);
    const ours = checked && this.settings.isConfiguredClient(checked.session.issuer, checked.session.clientId);
    if (checked === undefined || !ours) return { reason: 'unknown' };
    if (checked.endedBy !== undefined) return { reason: reasonOfEnd(checked.endedBy) };
    const timedOut = timedOutBy(checked);
    if (timedOut !== undefined) return { reason: timedOut };
    const { session, usage } = checked;
    if (usage === undefined) return { alive: session };
    return { alive: session, idleAt: usage.recordedAt + (this.settings.maxIdleMs ?? Infinity) };
  }

  /**
   * For an API that never saw the sign-in. The session is alive until a logout matches or the login is too old. The
   * token's `iat` serves as `registeredAt` too.
   */
  private async judgeClaims(claims: TokenClaims): Promise<Verdict<DeadReason>> {
    const { iss, exp, auth_time: authTime } = claims;
    if (this.endsIdleSessions) this.warnOnce(IDLE_CLAIMS);
    const {
      sid,
      sub,
      limit = Infinity,
    } = presentClaims({
      sid: claims.sid,
      sub: claims.sub,
      limit: claims.session_expiry,
    });
    const iat = typeof claims.iat === 'number' ? Math.floor(claims.iat) : NaN;
    if (typeof iss !== 'string') return this.unknown('has no iss');
    const scope = this.settings.logoutScopeOf(iss);
    if (scope === undefined) return this.unknown(`has the iss ${shown(iss)}, which is not the issuer of any client`);
    if (!Number.isSafeInteger(iat * 1000)) return this.unknown(`of ${shown(iss)} has no iat, or no valid one`);
    if (sid !== undefined && !isIdentifier(sid)) return this.unknown(`of ${shown(iss)} has a sid that is not valid`);
    if (sub !== undefined && typeof sub !== 'string')
      return this.unknown(`of ${shown(iss)} has a sub that is not valid`);
    if (limit !== Infinity && !isSessionExpiry(limit))
      return this.unknown(`of ${shown(iss)} has a session_expiry that is not a whole number of seconds`);
    // OneID's logout names only the sid: a token without sid needs the scope "user", and its user must have a
    // registered sign-in with a sid, because this sign-in connects the sid with the user
    const byUser = sub !== undefined && scope === 'user';
    if (sid === undefined && !(byUser && (await this.lookup.knowsUser(iss, sub)))) {
      this.warnOfMissingSid();
      return { reason: 'unknown' };
    }
    // refuse an older login: its logout may be purged already; the age of a refreshed token counts from its login
    const since = typeof authTime === 'number' ? Math.min(authTime, iat) : iat;
    const lastMoment = Math.min(since + this.settings.maxSessionLifetimeSeconds, limit) * 1000;
    if (lastMoment <= this.clock.now()) return { reason: 'expired' };
    const clientId = this.clientOf(iss, claims);
    const facts: SessionFacts = {
      issuer: iss,
      ...(clientId !== undefined && { clientId }),
      iat,
      registeredAt: iat * 1000,
      // `exp` has been verified already: here it limits sockets and streams opened with the token
      expiresAt: typeof exp === 'number' ? Math.min(exp * 1000, lastMoment) : lastMoment,
      ...(sub !== undefined && { sub }),
      ...(sid !== undefined && { sid }),
    };
    const verdict = await this.judgeForUsers(facts);
    if ('alive' in verdict && usersOf(verdict.alive).length === 0) this.warnOfUnknownUser(iss, clientId);
    return verdict;
  }

  /** A token without `sub` counts as the token of all users who have signed in with its `sid`. */
  private async judgeForUsers(token: SessionFacts): Promise<Verdict<EndReason>> {
    const facts = await this.withUsersOf(token);
    const endedBy = await this.lookup.endedBy(facts);
    if (endedBy === undefined) return { alive: facts };
    return { reason: endedBy === 'unconfirmed' ? 'unconfirmed' : 'logged_out' };
  }

  private async withUsersOf(token: SessionFacts): Promise<SessionFacts> {
    const { sid } = targetsByKind(token);
    if (token.sub !== undefined || sid === undefined) return token;
    // also those whom the database has forgotten since the token was judged before
    return withUsers(token, [...new Set([...usersOf(token), ...(await this.lookup.findUsers(sid))])]);
  }

  /** @param fault why no logout can match the token; without the token's own identifiers */
  private unknown(fault: string): Verdict<DeadReason> {
    this.warnOnce(`The guard refused a verified token with session_unknown: it ${fault}.`);
    return { reason: 'unknown' };
  }

  /** The client that a token is for: the first configured one that it names. */
  private clientOf(iss: string, { client_id: clientId, azp, aud }: TokenClaims): string | undefined {
    const names: unknown[] = [clientId, azp, aud].flat();
    return names.find((name): name is string => {
      return typeof name === 'string' && this.settings.isConfiguredClient(iss, name);
    });
  }

  private warnOfUnknownUser(iss: string, client: string | undefined): void {
    const of = client === undefined ? `of ${shown(iss)}` : `for ${client} of ${shown(iss)}`;
    this.warnOnce(
      `The guard let in a verified token ${of} without sub, and nobody has signed in here with its sid. Only a logout ` +
        'of this sid can end it. Make OneID put the sub into the token, or register the sign-ins in this database.',
    );
  }

  private warnOnce(text: string): void {
    if (this.warnings.has(text) || this.warnings.size >= MOST_WARNINGS) return;
    this.warnings.add(text);
    this.logger.warn(text);
  }

  private warnOfMissingSid(): void {
    if (this.warnedOfMissingSid) return;
    this.warnedOfMissingSid = true;
    this.logger.error(
      'A request carried a token without sid. When a user logs out, OneID sends only the sid, so the guard could ' +
        'never reject this token. Make OneID put the sid into the token; or set logoutScope "user" for the client, and ' +
        'register the sign-ins of its users, with their sid, in this database.',
    );
  }
}

const TOO_MANY_TO_END =
  `A logout came with more than ${MOST_ENDED} different session tokens of one resolver, and the library ended the ` +
  `sessions of the first ${MOST_ENDED}. The guard refuses such requests. Set the session cookie with one path and domain.`;

const IDLE_CLAIMS =
  'A request carried a verified token. maxIdleSeconds does not end it: only registered sessions can be idle.';

const WRONG_SHAPE = 'A session resolver must return { sessionToken }, { claims }, a list of them, or undefined';

function groupsOf(carried: Carried | undefined): readonly (readonly CarriedSession[])[] {
  if (carried === undefined) return [];
  return 'length' in carried ? carried : [[carried]];
}

/** Drops repeated tokens, and text that is no session token unless there is nothing else. */
function distinct(values: readonly CarriedSession[]): readonly CarriedSession[] {
  const byValue = new Map(values.map((value) => ['sessionToken' in value ? value.sessionToken : value, value]));
  const different = [...byValue.values()];
  const askable = different.filter((value) => !('sessionToken' in value) || isSessionToken(value.sessionToken));
  return askable.length > 0 ? askable : different.slice(0, 1);
}

function aliveIn(verdicts: readonly Verdict[]): SessionFacts[] {
  return verdicts.flatMap((verdict) => ('alive' in verdict ? [verdict.alive] : []));
}

function isCarriedList(value: unknown): value is readonly CarriedSession[] {
  return Array.isArray(value) && value.every(isCarried);
}

function isCarried(value: unknown): value is CarriedSession {
  if (typeof value !== 'object' || value === null) return false;
  if ('sessionToken' in value) return typeof value.sessionToken === 'string';
  return 'claims' in value && typeof value.claims === 'object' && value.claims !== null;
}
