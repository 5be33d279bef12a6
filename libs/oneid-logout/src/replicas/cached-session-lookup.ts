import { LRUCache } from 'lru-cache';
import { type Clock, type Moment } from '../clock.js';
import { type LogoutFollower } from './logout-follower.js';
import { type LogoutChannel } from '../rule/logout.js';
import { type SessionLookup } from '../guard/session-lookup.js';
import { type IdleLimit } from '../rule/idle-limit.js';
import {
  type CheckedSession,
  type Session,
  type SessionFacts,
  targetsOf,
  timedOutBy,
  usersOf,
} from '../rule/session.js';
import { type OutageWatch } from '../sessions/outage-watch.js';
import { type SessionRepository } from '../store/session.repository.js';

/** Milliseconds until a remembered session is read from the database again. The follower keeps logouts as long. */
export const SESSION_RETENTION = 10 * 60 * 1000;

export interface CachedSessionLookupSettings {
  /** Milliseconds. */
  readonly maxStalenessMs: number;
  /** Milliseconds. */
  readonly allowDuringOutageMs: number;
  /** Largest number of entries in each cache: of sessions, of claims, of users, and of users by `sid`. */
  readonly maxSessions: number;
  /** Undefined without the option `maxIdleSeconds`. */
  readonly idleLimit?: IdleLimit | undefined;
  /** Undefined where an outage ends no session. */
  readonly outages?: Pick<OutageWatch, 'sureGeneration'> | undefined;
}

/** The begin of a database read whose answer may be remembered. */
interface ReadBegin {
  /** The follower's generation; the entry counts only in this generation. */
  readonly generation: number;
  readonly asked: Moment;
}

interface Remembered<T extends SessionFacts> extends ReadBegin {
  readonly facts: T;
  readonly targets: readonly string[];
  /** Only of a session, with the option `maxIdleSeconds`. */
  readonly usage?: RememberedUsage | undefined;
}

interface RememberedUsers extends ReadBegin {
  readonly users: readonly string[];
}

/** When a remembered session was last used, as far as this replica knows that the database has recorded it. */
interface RememberedUsage {
  /** The database's clock, milliseconds. */
  recordedAt: number;
  readonly onRecorded: (recordedAt: number) => void;
}

/** A database read that callers may share. */
interface PendingRead<T> {
  readonly asked: Moment;
  readonly sureGeneration: number | undefined;
  /** As {@link LogoutFollower.declaredPeriod}, when it was asked. */
  readonly declaredPeriod: number | undefined;
  readonly answer: Promise<T>;
}

/**
 * Answers from memory while the follower is fresh. A session that was alive when this replica read it can only expire,
 * or be ended by a later logout, and the follower knows the later logouts. The database answers for all other sessions.
 */
export class CachedSessionLookup implements SessionLookup {
  /** By the hash of a session token. A session with several tokens may have several entries. */
  private readonly sessions: LRUCache<string, Remembered<Session>>;
  private readonly claims: LRUCache<string, Remembered<SessionFacts>>;
  /** Users who have signed in. An entry lives for minutes, and the database remembers a sign-in far longer. */
  private readonly users: LRUCache<string, true>;
  /** The users of a `sid`, if the database knows any. They may become more at any time. */
  private readonly usersOfLogin: LRUCache<string, RememberedUsers>;
  private readonly pendingReads = new Map<string, PendingRead<unknown>>();

  constructor(
    private readonly repository: SessionRepository,
    private readonly follower: LogoutFollower,
    private readonly clock: Clock,
    private readonly settings: CachedSessionLookupSettings,
  ) {
    // `max` instead of `maxSize` would take the memory for all entries at once
    const limit = { maxSize: settings.maxSessions, sizeCalculation: () => 1 };
    this.sessions = new LRUCache(limit);
    this.claims = new LRUCache(limit);
    // by default, LRUCache takes the time from the process, and keeps it with a timer of its own
    const times = { ttl: SESSION_RETENTION, ttlResolution: 0, perf: { now: () => clock.monotonicNow() } };
    this.users = new LRUCache({ ...limit, ...times });
    this.usersOfLogin = new LRUCache(limit);
  }

  check(tokenHash: string): Promise<CheckedSession | undefined> {
    const known = this.sessions.get(tokenHash);
    if (this.isUsable(known, this.follower.usableGeneration) && !this.mayBeIdleSoon(known))
      return Promise.resolve(this.checked(known));
    return this.readOnce(`session ${tokenHash}`, async (began) => {
      const checked = await this.repository.check(tokenHash).catch((error: unknown) => {
        const remembered = this.requireUsableInOutage(this.sessions.get(tokenHash), error);
        // memory cannot say that a session is idle
        if (this.settings.idleLimit?.isIdle(this.unusedMs(remembered))) throw error;
        return this.checked(remembered);
      });
      if (checked !== undefined && checked.endedBy === undefined && timedOutBy(checked) === undefined) {
        this.remember(this.sessions, tokenHash, checked.session, began, checked.usage?.recordedAt);
      }
      return checked;
    });
  }

  endedBy(facts: SessionFacts): Promise<LogoutChannel | undefined> {
    const { issuer, clientId, sid, sub, iat, registeredAt, authTime } = facts;
    // without `sub`, its users may be known, and not the same ones at every request
    const users = sub === undefined ? usersOf(facts) : [];
    const key = JSON.stringify([issuer, clientId, sid, sub, iat, registeredAt, authTime, users]);
    const known = this.claims.get(key);
    if (this.isUsable(known, this.follower.usableGeneration)) return Promise.resolve(this.endedInMemory(known));
    return this.readOnce(`claims ${key}`, async (began) => {
      const endedBy = await this.repository.endedBy(facts).catch((error: unknown) => {
        return this.endedInMemory(this.requireUsableInOutage(this.claims.get(key), error));
      });
      if (endedBy === undefined) this.remember(this.claims, key, facts, began);
      return endedBy;
    });
  }

  async knowsUser(issuer: string, sub: string): Promise<boolean> {
    const key = JSON.stringify([issuer, sub]);
    if (this.users.has(key)) return true;
    const known = await this.repository.knowsUser(issuer, sub);
    if (known) this.users.set(key, true);
    return known;
  }

  /**
   * Another user may sign in with this `sid` and log out, and the follower tells nothing of the sign-in. When OneID has its
   * 200 for this logout, all replicas have had `maxStalenessMs`, so an answer that is not older has this user.
   */
  findUsers(sidTarget: string): Promise<readonly string[]> {
    const { maxStalenessMs, allowDuringOutageMs } = this.settings;
    const known = this.usersOfLogin.get(sidTarget);
    if (this.isUsable(known, this.follower.usableGeneration, maxStalenessMs)) return Promise.resolve(known.users);
    return this.readOnce(`users ${sidTarget}`, async (began) => {
      try {
        const users = await this.repository.findUsers(sidTarget);
        if (began !== undefined && users.length > 0) this.usersOfLogin.set(sidTarget, { ...began, users });
        return users;
      } catch (error) {
        const remembered = this.usersOfLogin.get(sidTarget);
        return this.requireUsableInOutage(remembered, error, maxStalenessMs + allowDuringOutageMs).users;
      }
    });
  }

  private remember<F extends SessionFacts>(
    cache: LRUCache<string, Remembered<F>>,
    key: string,
    facts: F,
    began: ReadBegin | undefined,
    recordedAt?: number,
  ): void {
    if (began === undefined) return;
    const usage = recordedAt === undefined ? undefined : this.rememberedUsage(recordedAt);
    cache.set(key, { facts, targets: targetsOf(facts), ...began, ...(usage && { usage }) });
  }

  private checked(known: Remembered<Session>): CheckedSession {
    const { facts: session } = known;
    const endedBy = this.endedInMemory(known);
    const expired = (this.follower.databaseNow() ?? Infinity) >= session.expiresAt;
    const checked = { session, expired, ...(endedBy !== undefined && { endedBy }) };
    if (known.usage === undefined) return checked;
    const { recordedAt, onRecorded } = known.usage;
    // a time that is too late would let the session live too long
    const checkedAt = Math.floor(this.follower.databaseNowAtLeast() ?? recordedAt);
    return { ...checked, usage: { recordedAt, checkedAt, idle: false, onRecorded } };
  }

  /** Memory confirms only sessions that are not near their end: the database may know of a later use. */
  private mayBeIdleSoon(known: Remembered<Session>): boolean {
    return this.settings.idleLimit?.isNearEnd(this.unusedMs(known)) ?? false;
  }

  /** How long the session may have been unused, milliseconds: since the recorded use that this replica knows. */
  private unusedMs({ usage }: Remembered<Session>): number {
    return usage === undefined ? 0 : (this.follower.databaseNow() ?? Infinity) - usage.recordedAt;
  }

  private rememberedUsage(recordedAt: number): RememberedUsage {
    const usage: RememberedUsage = {
      recordedAt,
      onRecorded: (later) => {
        usage.recordedAt = Math.max(usage.recordedAt, later);
      },
    };
    return usage;
  }

  private endedInMemory({ facts, targets }: Remembered<SessionFacts>): LogoutChannel | undefined {
    return this.follower.logouts.endedBy(facts, targets);
  }

  private isUsable<R extends ReadBegin>(
    known: R | undefined,
    generation: number | undefined,
    retention = SESSION_RETENTION,
  ): known is R {
    if (known === undefined || known.generation !== generation) return false;
    return this.clock.ageOf(known.asked) < retention;
  }

  /** While the database fails, memory may answer for `allowDuringOutageMs` longer. @throws `error` when it may not */
  private requireUsableInOutage<R extends ReadBegin>(
    known: R | undefined,
    error: unknown,
    retention = SESSION_RETENTION + this.settings.allowDuringOutageMs,
  ): R {
    if (this.isUsable(known, this.follower.usableGenerationInOutage, retention)) return known;
    throw error;
  }

  /**
   * Callers that ask the same at the same time share one database read. A caller does not join a read that began more
   * than `maxStalenessMs` ago, or one since which this replica was not always declared: such a read may have missed a
   * logout for which OneID already has its 200. Nor does a caller after the end of an outage join a read of before.
   *
   * @param load gets undefined when its answer must not be remembered
   */
  private readOnce<T>(what: string, load: (began: ReadBegin | undefined) => Promise<T>): Promise<T> {
    const asked = this.clock.moment();
    const pending = this.pendingReads.get(what);
    const isYoung = pending !== undefined && this.clock.ageOf(pending.asked) <= this.settings.maxStalenessMs;
    const sureGeneration = this.settings.outages?.sureGeneration;
    const isOfNow = isYoung && pending.sureGeneration === sureGeneration;
    const { declaredPeriod } = this.follower;
    const isShared = declaredPeriod !== undefined && pending?.declaredPeriod === declaredPeriod;
    if (isOfNow && isShared) return pending.answer as Promise<T>;
    const generation = this.follower.usableGeneration;
    const answer = load(generation === undefined ? undefined : { generation, asked });
    const read = { asked, sureGeneration, declaredPeriod, answer };
    this.pendingReads.set(what, read);
    const done = () => {
      if (this.pendingReads.get(what) === read) this.pendingReads.delete(what);
    };
    answer.then(done, done);
    return answer;
  }
}
