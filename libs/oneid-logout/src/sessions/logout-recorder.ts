import { Logger } from '../logger.js';
import { type CreatedLogout } from '../store/logout-inserts.js';
import { MAX_COMMIT_LATENESS } from '../store/logout-changes.js';
import { everyoneIdOf, idOfFact, type LogoutAuthor, type LogoutChannel, type NewLogout } from '../rule/logout.js';
import { type VerifiedLogoutToken } from '../provider/logout-token.js';
import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { Clock, type Moment } from '../clock.js';
import { CountedWarning } from '../counted-warning.js';
import { Measures } from '../measures/measures.js';
import { ClocksDifferError, StoreUnavailableError } from '../oneid-logout.errors.js';
import { Random } from '../random.js';
import { type Session, type SessionFacts, targetsByKind } from '../rule/session.js';
import { LogoutBus } from './logout-bus.js';
import { MAX_CLOCK_DIFFERENCE } from '../store/clock-difference.js';
import { logoutsOfToken, type TokenLogouts } from './token-logouts.js';
import { UncertainLogouts } from './uncertain-logouts.js';
import { SessionRepository } from '../store/session.repository.js';
import { digest, everyoneTargetOf, everyoneTargetsOf, targetOf } from '../rule/targets.js';

type StoredSession = Pick<Session, 'issuer' | 'id'>;

/** How many times to give a logout a new time; each try must commit within `MAX_COMMIT_LATENESS`. */
const ATTEMPTS = 3;

/** How many sessions of a target a front-channel request looks at: anyone can send such requests. */
const MOST_SESSIONS_LOOKED_AT = 32;

/** How many sessions one statement ends, of those that were registered while the database's clock was ahead. */
const PAGE = 256;

/** A logout of everyone. Its key makes the id of the logout: a second one with the same key records no second row. */
interface EveryoneFact {
  readonly key: string;
  readonly channel: 'admin' | 'unconfirmed';
  readonly author?: LogoutAuthor | undefined;
}

/** Records the logouts of all channels, and publishes new logouts in this process. */
@Injectable()
export class LogoutRecorder implements OnApplicationShutdown {
  private readonly logger = new Logger('OneIdLogout');
  private readonly unmatched: CountedWarning;
  /** Only for databases that do not tell it when they record a logout. */
  private asksForSignIn = false;

  constructor(
    private readonly repository: SessionRepository,
    private readonly bus: LogoutBus,
    private readonly uncertain: UncertainLogouts,
    private readonly clock: Clock,
    private readonly random: Random,
    private readonly measures: Measures,
  ) {
    this.unmatched = new CountedWarning(
      clock,
      (count) =>
        `Logout tokens of OneID that ended nothing: ${count}. They name a sid or a sub that has not signed in here. If ` +
        'this goes on, check that the app registers every sign-in in this database, and that ID tokens and logout ' +
        'tokens of the same login have the same sid and sub.',
    );
  }

  onApplicationShutdown(): void {
    this.unmatched.close();
  }

  /**
   * Records a logout token that OneID sent over the back-channel. A logout of a `sid` is final, or for a `sid` that the
   * provider reuses, ends the sign-ins of the same login. A logout of a `sub` ends the sessions that OneID issued until
   * the token's `iat`; beside a `sid`, only those without `sid`. The same token again records no second logout.
   */
  async recordBackchannel(token: VerifiedLogoutToken): Promise<void> {
    await this.recordTokenLogouts(logoutsOfToken(token));
  }

  /** Does {@link recordBackchannel} for a token of which only the hashes are left. */
  async recordTokenLogouts({ issuer, named, ofUser }: TokenLogouts): Promise<void> {
    const created = await this.recordToken(issuer, named);
    if (ofUser !== undefined) {
      // read after the sid is recorded: a sign-in that is registered after this read sees that the sid has ended, and
      // SessionRegistry then calls endUserOfEndedSid
      const users = await this.repository.findUsers(ofUser.sidTarget, 'logout');
      if (users.length > 0) {
        await this.recordToken(
          issuer,
          users.map((target) => ({ ...ofUser.logout, target, id: digest([ofUser.logout.id, target]) })),
        );
      }
    }
    this.countToken(named, created);
  }

  /**
   * Records a logout of the front-channel. The request is unsigned, so it ends only sessions that are registered by
   * now, and stores no row when no session is alive. An exception is a target whose newest sessions have all ended, and
   * that has more sessions: instead of looking at all of them, this records one logout, so that the next request finds
   * none. The database does the same small work for a target that is unknown and for one that has ended.
   *
   * @returns whether a logout was recorded
   */
  async recordFrontchannel(issuer: string, value: string, kind: 'sid' | 'session' = 'sid'): Promise<boolean> {
    const target = targetOf(kind, issuer, value);
    const sessions = await this.repository.findNewest(kind, target, MOST_SESSIONS_LOOKED_AT + 1);
    const [newest] = sessions;
    const mayBeAlive = sessions.length > MOST_SESSIONS_LOOKED_AT || sessions.some(({ isAlive }) => isAlive);
    if (newest === undefined || !mayBeAlive) return false;
    // requests that find the same newest session have the same id, so one row is stored
    const id = digest(['frontchannel', target, newest.registeredAt]);
    await this.recordBounded({ id, channel: 'frontchannel', kind, target });
    return true;
  }

  /**
   * Logs the user out of the whole browser login: ends its sessions by `sid`, without `sid` by session id, else by
   * `sub`. A later sign-in in the same browser login lives.
   */
  async endLogin(session: SessionFacts, logoutId: string = this.random.id()): Promise<void> {
    const targets = targetsByKind(session);
    const kind = (['sid', 'session', 'sub'] as const).find((candidate) => targets[candidate] !== undefined);
    const target = kind && targets[kind];
    if (kind === undefined || target === undefined)
      throw new TypeError('The session has no id, no sid and no sub, so the library cannot end it');
    // claims bring `registeredAt` from the provider's clock, which may be ahead of ours; the bound must still cover it
    const { registeredAt: registeredUntil } = session;
    const record = () => this.recordBounded({ id: logoutId, channel: 'app', kind, target }, registeredUntil);
    const created = await this.counted('app', record);
    this.measures.countLogouts('app', created === undefined ? 'repeated' : 'matched');
  }

  /** Ends one session for good. */
  async endSession(
    session: StoredSession,
    channel: 'admin' | 'idle' | 'replaced',
    author?: LogoutAuthor,
  ): Promise<void> {
    await this.endSessions([session], channel, author);
  }

  /**
   * Ends sessions for good, in one atomic statement.
   *
   * @returns how many of the sessions had not been ended over this channel before
   */
  async endSessions(
    sessions: readonly StoredSession[],
    channel: 'admin' | 'idle' | 'replaced' | 'unconfirmed',
    author?: LogoutAuthor,
  ): Promise<number> {
    if (sessions.length === 0) return 0;
    const logouts = sessions.map(({ issuer, id }): NewLogout => {
      const target = targetOf('session', issuer, id);
      return { id: digest([channel, target]), kind: 'session', target, channel, author };
    });
    // always in the same order, so that two callers with the same sessions do not deadlock
    logouts.sort((a, b) => (a.id < b.id ? -1 : 1));
    const { length: count } = await this.counted(channel, () => this.recordAll(logouts));
    this.measures.countLogouts(channel, 'matched', count);
    this.measures.countLogouts(channel, 'repeated', logouts.length - count);
    return count;
  }

  /** Ends every session that a user has now. */
  async endUser(issuer: string, sub: string, author?: LogoutAuthor): Promise<void> {
    const logout = {
      id: this.random.id(),
      channel: 'admin',
      kind: 'sub',
      target: targetOf('sub', issuer, sub),
      author,
    } as const;
    const created = await this.counted('admin', () => this.recordBounded(logout));
    this.measures.countLogouts('admin', resultOf(created?.hasSignIn));
  }

  /**
   * Ends the sessions that everyone has now at an issuer, or of one client there.
   *
   * The bound is read before it is recorded: a bound far ahead would refuse every bearer token until then. So this ends
   * one by one the sessions that were registered while the database's clock was ahead.
   *
   * @throws {ClocksDifferError} the bound would be wrong. Nothing is recorded
   */
  endEveryone(issuer: string, clientId?: string, author?: LogoutAuthor): Promise<void> {
    return this.endEveryoneNow({ key: this.random.id(), channel: 'admin', author }, issuer, clientId);
  }

  /**
   * Ends the sessions that everyone has now of a client, because its logouts could not be recorded for a while.
   *
   * @param recordableUntil when this began: the database's clock, milliseconds. Replicas that find the same outage record
   *   the same logout
   * @throws {ClocksDifferError} as {@link endEveryone}
   */
  async endUnconfirmed(issuer: string, clientId: string, recordableUntil: number): Promise<void> {
    // a database that was restored since this process wrote the client may lack it
    await this.repository.rememberClient(issuer, clientId);
    const { target } = everyoneTargetOf(issuer, clientId);
    const key = digest(['unconfirmed', target, recordableUntil]);
    await this.endEveryoneNow({ key, channel: 'unconfirmed' }, issuer, clientId);
  }

  private async endEveryoneNow(fact: EveryoneFact, issuer: string, clientId?: string): Promise<void> {
    const { channel } = fact;
    const { now, hasAhead } = await this.counted(channel, async () => {
      const found = await this.repository.findRegistrations(MAX_CLOCK_DIFFERENCE);
      const difference = found.now - this.clock.now();
      if (Math.abs(difference) > MAX_CLOCK_DIFFERENCE) throw new ClocksDifferError(difference);
      await this.endEveryoneUntil(Math.max(found.now, found.newest), fact, issuer, clientId);
      return found;
    });
    this.measures.countLogouts(channel, 'recorded');
    if (hasAhead) await this.endRegisteredAfter(now + MAX_CLOCK_DIFFERENCE, fact, issuer, clientId);
  }

  /**
   * Ends the sessions of everyone at an issuer, or of one client there, that were registered until this time.
   *
   * @param registeredUntil recorded as given: the database's clock, milliseconds
   */
  private async endEveryoneUntil(
    registeredUntil: number,
    { key, ...fact }: EveryoneFact,
    issuer: string,
    clientId?: string,
  ): Promise<void> {
    const id = everyoneIdOf(key);
    await this.recordAll([{ id, ...fact, ...everyoneTargetOf(issuer, clientId), bound: { registeredUntil } }]);
  }

  /** Ends, one by one, the sessions of everyone that are registered after this time. */
  private async endRegisteredAfter(
    registeredAt: number,
    { channel, author }: EveryoneFact,
    issuer: string,
    clientId?: string,
  ): Promise<void> {
    const { target } = everyoneTargetOf(issuer, clientId);
    let page = await this.repository.findRegisteredAfter({ registeredAt: registeredAt + 1, id: '' }, PAGE);
    for (;;) {
      await this.endSessions(
        page.filter((session) => everyoneTargetsOf(session.issuer, session.clientId).includes(target)),
        channel,
        author,
      );
      const last = page.at(-1);
      if (last === undefined || page.length < PAGE) return;
      page = await this.repository.findRegisteredAfter(last, PAGE);
    }
  }

  /**
   * For a sign-in whose `sid` OneID has already ended, in the scope "user". OneID named only the `sid`; this sign-in
   * tells us the `sub`. Ends the user's sessions that OneID issued until the latest logout of the `sid`.
   */
  async endUserOfEndedSid(issuer: string, sid: string, sub: string): Promise<void> {
    const iat = await this.repository.findLogoutIat(targetOf('sid', issuer, sid));
    if (iat === undefined) return;
    const target = targetOf('sub', issuer, sub);
    await this.recordAll([
      {
        id: digest(['late', target, iat]),
        kind: 'sub',
        target,
        channel: 'backchannel',
        bound: { issuedUntil: iat },
      },
    ]);
  }

  /** @returns one entry for each logout that was new */
  private async recordToken(issuer: string, logouts: readonly NewLogout[]): Promise<readonly CreatedLogout[]> {
    const sent = this.clock.moment();
    const created = await this.insert(logouts);
    const allNew = created.length === logouts.length;
    const reused = allNew ? [] : await this.rememberIfFailed(logouts, () => this.findReused(logouts));
    // not the reused ones: their id is that of another logout, of which this replica may not know yet
    const own = logouts.filter((one) => !reused.includes(one));
    if (own.length > 0) await this.spread(own, created.length > 0, allNew && this.isInTime(sent));
    if (reused.length === 0) return created;
    // some providers use the sid as jti: a refusal would lose the second logout
    this.logger.warn(
      `${issuer} has reused the jti of a logout token for another logout. The library has recorded both logouts.`,
    );
    return this.recordAll(reused.map((one) => ({ ...one, id: idOfFact(one) })));
  }

  /** @returns those of these logouts whose id another logout has */
  private async findReused(logouts: readonly NewLogout[]): Promise<readonly NewLogout[]> {
    const recorded = await this.repository.findLogouts(logouts.map(({ id }) => id));
    return logouts.filter((one) => {
      const known = recorded.get(one.id);
      return known !== undefined && idOfFact({ ...known, id: one.id }) !== idOfFact(one);
    });
  }

  /**
   * Counts a token, and warns if it ended nothing. On MySQL and MariaDB, the answer for a token that comes while a
   * question is under way stays unknown.
   *
   * @param logouts all logouts of the token
   * @param created the answers for those that were new
   */
  private countToken(logouts: readonly NewLogout[], created: readonly CreatedLogout[]): void {
    if (created.length === 0) this.measures.countLogouts('backchannel', 'repeated');
    else if (created.some(({ hasSignIn }) => hasSignIn === true)) this.countMatch(true);
    else if (created.every(({ hasSignIn }) => hasSignIn === false)) this.countMatch(false);
    else if (this.asksForSignIn) this.countMatch(undefined);
    else void this.askForSignIn(logouts);
  }

  /** OneID need not wait for this answer. One question at a time, so that many logouts hold no sign-in up. */
  private async askForSignIn(logouts: readonly NewLogout[]): Promise<void> {
    this.asksForSignIn = true;
    const targets = logouts.map(({ target }) => target);
    this.countMatch(await this.repository.hasSignIn(targets).catch(() => undefined));
    this.asksForSignIn = false;
  }

  /** @param hasSignIn undefined when the database has not answered */
  private countMatch(hasSignIn: boolean | undefined): void {
    if (hasSignIn === false) this.unmatched.add();
    this.measures.countLogouts('backchannel', resultOf(hasSignIn));
  }

  /** Counts a logout of the app that can't be recorded. The channels of OneID count what they answer. */
  private async counted<T>(channel: LogoutChannel, record: () => Promise<T>): Promise<T> {
    try {
      return await record();
    } catch (error) {
      this.measures.countFailure(channel, error);
      throw error;
    }
  }

  /** @returns one entry for each logout that was new */
  private async recordAll(logouts: readonly NewLogout[]): Promise<readonly CreatedLogout[]> {
    const sent = this.clock.moment();
    const created = await this.insert(logouts);
    const allNew = created.length === logouts.length;
    await this.spread(logouts, created.length > 0, allNew && this.isInTime(sent));
    return created;
  }

  /** Tells this process of recorded logouts, and makes sure that the looks of the other replicas find them. */
  private async spread(logouts: readonly NewLogout[], someAreNew: boolean, areInTime: boolean): Promise<void> {
    // the bus leaves out the logouts that this process has published before
    if (someAreNew) this.bus.publishOwn(logouts);
    await this.touchUntilInTime(logouts, areInTime);
  }

  /**
   * @param logout ends the sessions that are registered by now, or until `registeredUntil` if that is later
   * @returns undefined when the logout was recorded before
   */
  private async recordBounded(
    logout: Omit<NewLogout, 'bound'>,
    registeredUntil = 0,
  ): Promise<CreatedLogout | undefined> {
    const sent = this.clock.moment();
    const bounded = { ...logout, bound: { registeredUntil } };
    const [created] = await this.insert([bounded]);
    const inTime = created !== undefined && this.isInTime(sent);
    if (created !== undefined) {
      // without the recorded bound, the event ends too many sessions here rather than too few
      const bound = { registeredUntil: created.registeredUntil ?? Number.MAX_SAFE_INTEGER };
      this.bus.publishOwn([{ ...logout, bound }]);
    }
    await this.touchUntilInTime([bounded], inTime);
    return created;
  }

  /**
   * Gives logouts a new `changedAt` when one of them is not new, or when their commit was late. A follower that has
   * already passed the old time would miss them. Records a logout again that was purged since its insert found it.
   *
   * @throws {StoreUnavailableError} some logouts are not recorded, or other replicas may learn of them late
   */
  private async touchUntilInTime(logouts: readonly NewLogout[], inTime: boolean): Promise<void> {
    const ids = logouts.map(({ id }) => id);
    await this.rememberIfFailed(logouts, async () => {
      for (let attempt = 1; !inTime; attempt++) {
        if (attempt > ATTEMPTS)
          throw new StoreUnavailableError(new Error(`No commit of the logout was in time (${MAX_COMMIT_LATENESS} ms)`));
        const sent = this.clock.moment();
        const touched = await this.repository.touchLogouts(ids);
        const complete = touched === ids.length || (await this.recordPurged(logouts)) === 0;
        inTime = complete && this.isInTime(sent);
      }
    });
  }

  /** @returns how many of the logouts were not there any more, and are recorded again */
  private async recordPurged(logouts: readonly NewLogout[]): Promise<number> {
    const recorded = await this.repository.findLogouts(logouts.map(({ id }) => id));
    const purged = logouts.filter(({ id }) => !recorded.has(id));
    if (purged.length > 0) await this.insert(purged);
    return purged.length;
  }

  private insert(logouts: readonly NewLogout[]): Promise<readonly CreatedLogout[]> {
    return this.rememberIfFailed(logouts, () => this.repository.insertLogouts(logouts));
  }

  /** If this part of the recording fails, {@link UncertainLogouts} searches for the logouts, which may be recorded. */
  private async rememberIfFailed<T>(logouts: readonly NewLogout[], work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      this.uncertain.add(logouts.map(({ id }) => id));
      throw error;
    }
  }

  private isInTime(sent: Moment): boolean {
    return this.clock.ageOf(sent) <= MAX_COMMIT_LATENESS;
  }
}

function resultOf(hasSignIn: boolean | undefined): 'matched' | 'unmatched' | 'recorded' {
  if (hasSignIn === undefined) return 'recorded';
  return hasSignIn ? 'matched' : 'unmatched';
}
