import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type LogoutEvent, type Session, StoreUnavailableError } from 'nestjs-oneid-logout';
import { Random } from '../libs/oneid-logout/src/random.js';
import { GuardSettings } from '../libs/oneid-logout/src/guard/guard-settings.js';
import { SessionJudge } from '../libs/oneid-logout/src/guard/session-judge.js';
import { Measures } from '../libs/oneid-logout/src/measures/measures.js';
import { targetOf } from '../libs/oneid-logout/src/rule/targets.js';
import { ReplicaBarrier } from '../libs/oneid-logout/src/replicas/replica-barrier.js';
import { CachedSessionLookup } from '../libs/oneid-logout/src/replicas/cached-session-lookup.js';
import { LogoutFollower } from '../libs/oneid-logout/src/replicas/logout-follower.js';
import { ReplicaRepository } from '../libs/oneid-logout/src/store/replica.repository.js';
import { databases, type TestDatabase } from './support/databases.js';
import { clientId, intercept, issuer, maxSessionLifetimeMs, numberOf, SessionStore } from './support/session-store.js';
import { startReplica as startApp } from './support/replica.js';
import { TestClock } from './support/test-clock.js';
import { until } from './support/until.js';

const STALENESS = 500;
const MINUTE = 60_000;

/** A replica that answers from memory; it looks at the database when the test says so. */
class Replica {
  statements = 0;
  readonly replicas: ReplicaRepository;
  readonly follower: LogoutFollower;
  readonly checks: CachedSessionLookup;
  readonly barrier: ReplicaBarrier;

  constructor(
    readonly store: SessionStore,
    readonly clock: TestClock,
    { maxStalenessMs = STALENESS, allowDuringOutageMs = 0, max = 1000 } = {},
  ) {
    this.replicas = new ReplicaRepository(store.database);
    this.follower = new LogoutFollower(store.repository, this.replicas, store.bus, clock, new Random(), {
      answers: true,
      ...{ maxStalenessMs, allowDuringOutageMs, retention: 10 * MINUTE + allowDuringOutageMs },
    });
    this.checks = new CachedSessionLookup(store.repository, this.follower, clock, {
      ...{ maxStalenessMs, allowDuringOutageMs, maxSessions: max },
    });
    this.barrier = new ReplicaBarrier(this.replicas, clock, 0, false);
    intercept(store.database, (run, sql, parameters) => {
      this.statements += 1;
      return run(sql, parameters);
    });
  }

  async start(): Promise<void> {
    this.follower.followOwnLogouts();
    await this.follower.look();
  }

  /** The guard's decision, and the number of statements for it. */
  async check(session: Pick<Session, 'id'>): Promise<[string, number]> {
    const before = this.statements;
    const checked = await this.checks.check(session.id);
    const answer = checked === undefined ? 'unknown' : (checked.endedBy ?? (checked.expired ? 'expired' : 'alive'));
    return [answer, this.statements - before];
  }
}

describe.each(databases)('bounded liveness, on $name', (database) => {
  let testDatabase: TestDatabase;
  let clock: TestClock;
  let stores: SessionStore[];
  let writer: SessionStore;
  let reader: Replica;
  beforeEach(async () => {
    testDatabase = await database.take();
    clock = new TestClock(Date.now());
    stores = [];
    writer = await open();
    reader = await startReplica();
  });
  afterEach(async () => {
    for (const store of stores) await store.close();
    await testDatabase.drop();
  });

  async function open(): Promise<SessionStore> {
    const store = await SessionStore.open(testDatabase, { clock });
    stores.push(store);
    return store;
  }

  async function startReplica(settings: ConstructorParameters<typeof Replica>[2] = {}): Promise<Replica> {
    const replica = new Replica(await open(), clock, settings);
    await replica.start();
    return replica;
  }

  let made = 0;
  const signIn = (facts: { sub?: string; sid?: string | undefined } = {}) => {
    made += 1;
    return writer.registry.register({ idToken: writer.idToken({ sub: `user-${made}`, sid: `sid-${made}`, ...facts }) });
  };
  const logOut = (session: Session) => writer.recorder.recordBackchannel(writer.logout({ sid: session.sid }));

  it('asks the database once, and answers from memory until the bound is over', async () => {
    const session = await signIn();
    expect(await reader.check(session)).toEqual(['alive', 1]);
    for (let n = 0; n < 5; n++) expect(await reader.check(session)).toEqual(['alive', 0]);
    clock.advance(STALENESS + 1);
    expect(await reader.check(session)).toEqual(['alive', 1]);
    await reader.follower.look();
    expect(await reader.check(session)).toEqual(['alive', 0]);
  });

  it('refuses a session that another replica has ended, after the next look and without a query', async () => {
    const [session, other] = [await signIn(), await signIn()];
    await reader.check(session);
    await reader.check(other);
    await logOut(session);
    expect(await reader.check(session)).toEqual(['alive', 0]);
    await reader.follower.look();
    expect(await reader.check(session)).toEqual(['backchannel', 0]);
    expect(await reader.check(other)).toEqual(['alive', 0]);
  });

  it('refuses the sessions of everyone that another replica has ended, after the next look and without a query', async () => {
    const [session, other] = [await signIn(), await signIn()];
    await reader.check(session);
    await reader.check(other);
    await writer.recorder.endEveryone(issuer, session.clientId);
    const later = await signIn();
    await reader.check(later);
    await reader.follower.look();
    expect(await reader.check(session)).toEqual(['admin', 0]);
    expect(await reader.check(other)).toEqual(['admin', 0]);
    expect(await reader.check(later)).toEqual(['alive', 0]);
  });

  it('refuses an ended session when the bound is over, also without a look', async () => {
    const session = await signIn();
    await reader.check(session);
    await logOut(session);
    clock.advance(STALENESS + 1);
    expect(await reader.check(session)).toEqual(['backchannel', 1]);
  });

  it.each([
    ['the clock of the host steps ahead', 'ahead', STALENESS + 1, 1],
    ['the clock of the host steps back and the monotonic clock does not', 'ahead', -60 * MINUTE, 0],
    ['the machine was suspended and only the clock of the host went on', 'ahead', 10 * MINUTE, 1],
    ['only the monotonic clock goes on', 'monotonicAhead', STALENESS + 1, 1],
  ] as const)('computes how stale its memory is when %s', async (_why, which, milliseconds, statements) => {
    const session = await signIn();
    await reader.check(session);
    clock[which] += milliseconds;
    expect(await reader.check(session)).toEqual(['alive', statements]);
  });

  it('refuses at once a session that this process has ended', async () => {
    const session = await signIn();
    await reader.check(session);
    await reader.store.recorder.endLogin(session);
    expect(await reader.check(session)).toEqual(['app', 0]);
  });

  it.each(['sub', 'sid and scope user'])(
    'a logout by %s ends the earlier sessions, and a later sign-in is alive',
    async (by) => {
      const [first, second] = [await signIn({ sub: 'alice' }), await signIn({ sub: 'alice' })];
      await reader.check(first);
      await reader.check(second);
      const scope = by === 'sub' ? {} : { sid: first.sid, scope: 'user' as const };
      await writer.recorder.recordBackchannel(writer.logout({ sub: 'alice', ...scope }));
      clock.advance(1000);
      const later = await signIn({ sub: 'alice' });
      await reader.follower.look();
      expect(await reader.check(first)).toEqual(['backchannel', 0]);
      expect(await reader.check(second)).toEqual(['backchannel', 0]);
      expect((await reader.check(later))[0]).toBe('alive');
      expect(await reader.check(later)).toEqual(['alive', 0]);
    },
  );

  it('never remembers an unknown or ended session', async () => {
    const ended = await signIn();
    await logOut(ended);
    const unknown = { id: 'a'.repeat(64) };
    for (let n = 0; n < 2; n++) {
      expect(await reader.check(ended)).toEqual(['backchannel', 1]);
      expect(await reader.check(unknown)).toEqual(['unknown', 1]);
    }
  });

  it("expires a remembered session by the database's clock", async () => {
    const expiresAt = new Date(clock.now() + MINUTE);
    const session = await writer.registry.register({ idToken: writer.idToken({ sub: 'x' }), expiresAt });
    await reader.check(session);
    clock.advance(MINUTE - 5_000);
    await reader.follower.look();
    expect((await reader.check(session))[0]).toBe('alive');
    clock.advance(5_100);
    await reader.follower.look();
    expect(await reader.check(session)).toEqual(['expired', 0]);
  });

  it('asks the database again after ten minutes, even when every look succeeds', async () => {
    const session = await signIn();
    await reader.check(session);
    for (let n = 0; n < 11; n++) {
      clock.advance(MINUTE);
      await reader.follower.look();
    }
    expect(await reader.check(session)).toEqual(['alive', 1]);
    expect(reader.follower.logouts.size).toBe(0);
  });

  it('remembers at most as many sessions as the option allows', async () => {
    const small = await startReplica({ max: 2 });
    const sessions = [await signIn(), await signIn(), await signIn()];
    for (const session of sessions) await small.check(session);
    expect(await small.check(sessions[2] as Session)).toEqual(['alive', 0]);
    expect(await small.check(sessions[0] as Session)).toEqual(['alive', 1]);
  });

  it('forgets logouts that are older than ten minutes', async () => {
    for (let n = 0; n < 3; n++) await logOut(await signIn());
    await reader.follower.look();
    expect(reader.follower.logouts.size).toBe(3);
    clock.advance(11 * MINUTE);
    await logOut(await signIn());
    await reader.follower.look();
    expect(reader.follower.logouts.size).toBe(1);
  });

  it('requests for one session share one query, but not a query older than the bound', async () => {
    const session = await signIn();
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    let asked = 0;
    let answered: () => void = () => undefined;
    const answer = new Promise<void>((resolve) => (answered = resolve));
    intercept(reader.store.database, async (run, sql, parameters) => {
      asked += 1;
      const first = asked === 1;
      const result = await run(sql, parameters);
      // the database has answered, but the answer is held back
      answered();
      if (first) await held;
      return result;
    });
    const early = [reader.check(session), reader.check(session), reader.check(session)];
    await answer;
    expect(asked).toBe(1);
    await logOut(session);
    clock.advance(STALENESS + 1);
    const late = reader.check(session);
    release();
    expect((await late)[0]).toBe('backchannel');
    expect(asked).toBe(2);
    expect((await Promise.all(early)).map(([answer]) => answer)).toEqual(['alive', 'alive', 'alive']);
    // the replica does not remember the answer to these early requests
    await reader.follower.look();
    expect((await reader.check(session))[0]).toBe('backchannel');
  });

  describe('a logout that a look may miss', () => {
    it('the next look finds a logout that was committed 3.5 seconds after its time', async () => {
      const session = await signIn();
      await reader.check(session);
      await reader.follower.look();
      clock.databaseAhead -= 3_500;
      await logOut(session);
      clock.databaseAhead += 3_500;
      await reader.follower.look();
      expect(await reader.check(session)).toEqual(['backchannel', 0]);
    });

    it('a logout with a slower commit gets a new time before OneID gets its 200', async () => {
      const session = await signIn();
      await reader.check(session);
      const late = intercept(writer.database, async (run, sql, parameters) => {
        const result = await run(sql, parameters);
        // the statement took this long after the time in its row
        if (sql.includes('INSERT')) clock.advance(4_900);
        return result;
      });
      await logOut(session);
      late();
      await reader.follower.look();
      await reader.follower.look();
      expect((await reader.check(session))[0]).toBe('backchannel');
      const [row] = await writer.rows('logout');
      expect(numberOf(row, 'changed_at')).toBeGreaterThanOrEqual((numberOf(row, 'recorded_at') ?? NaN) + 4_900);
    });

    it('OneID gets no 200 while every commit is late, and gets it after a commit in time', async () => {
      const token = writer.logout({ sid: (await signIn()).sid });
      let slow = 0;
      const late = intercept(writer.database, async (run, sql, parameters) => {
        const result = await run(sql, parameters);
        clock.monotonicAhead += 1_001;
        slow += 1;
        return result;
      });
      const told: string[] = [];
      writer.events.logouts.subscribe(({ channel }) => told.push(channel));
      await expect(writer.recorder.recordBackchannel(token)).rejects.toThrow(StoreUnavailableError);
      expect(slow).toBe(4);
      // it is recorded, and counts on this replica at once
      expect(told).toEqual(['backchannel']);
      late();
      await writer.recorder.recordBackchannel(token);
      expect(told).toEqual(['backchannel']);
      expect(await writer.rows('logout')).toHaveLength(1);
    });

    it('a look that took too long forgets all remembered sessions, because the clock may have stepped', async () => {
      const session = await signIn();
      await reader.check(session);
      const slow = intercept(reader.store.database, async (run, sql, parameters) => {
        const result = await run(sql, parameters);
        clock.advance(1_001);
        return result;
      });
      await reader.follower.look();
      slow();
      await reader.follower.look();
      expect(await reader.check(session)).toEqual(['alive', 1]);
      expect(await reader.check(session)).toEqual(['alive', 0]);
    });

    it('a logout that was committed minutes late is found when OneID sends it again', async () => {
      const session = await signIn();
      await reader.check(session);
      await reader.follower.look();
      const token = writer.logout({ sid: session.sid });
      clock.databaseAhead -= 5 * MINUTE;
      await writer.recorder.recordBackchannel(token);
      clock.databaseAhead += 5 * MINUTE;
      await reader.follower.look();
      expect(await reader.check(session)).toEqual(['alive', 0]);
      await writer.recorder.recordBackchannel(token);
      await reader.follower.look();
      expect(await reader.check(session)).toEqual(['backchannel', 0]);
      expect(await writer.rows('logout')).toHaveLength(1);
    });

    it.each([-60 * MINUTE, 60 * MINUTE, 1_500, -1_500])(
      "forgets all remembered sessions when the database's clock steps by %d ms",
      async (step) => {
        const session = await signIn();
        await reader.check(session);
        clock.databaseAhead += step;
        await logOut(session);
        await reader.follower.look();
        expect((await reader.check(session))[0]).toBe('backchannel');
        // declares itself again, because its declaration looks too old on a clock that has stepped ahead
        await reader.follower.look();
        expect((await reader.check(session))[0]).toBe('backchannel');
        const other = await signIn();
        await reader.check(other);
        await logOut(other);
        await reader.follower.look();
        expect(await reader.check(other)).toEqual(['backchannel', 0]);
      },
    );

    it('forgets all remembered sessions after a look failed', async () => {
      const session = await signIn();
      await reader.check(session);
      const restore = intercept(reader.store.database, () => Promise.reject(new StoreUnavailableError('gone')));
      await reader.follower.look();
      await expect(reader.check(session)).rejects.toThrow(StoreUnavailableError);
      restore();
      // another database may have no declaration of this replica
      await writer.database.run('DELETE FROM oneid_replica');
      expect(await reader.check(session)).toEqual(['alive', 1]);
      await reader.follower.look();
      expect(await reader.replicas.findMaxStaleness()).toBe(STALENESS);
      expect(await reader.check(session)).toEqual(['alive', 1]);
      expect(await reader.check(session)).toEqual(['alive', 0]);
    });
  });

  /** The machine sleeps, and its connections survive: the monotonic clock stops. */
  const suspend = (milliseconds: number) => {
    clock.ahead += milliseconds;
    clock.databaseAhead += milliseconds;
  };

  /** A check whose answer is held back until the test releases it. */
  async function hold(session: Session): Promise<{ readonly early: Promise<unknown>; readonly release: () => void }> {
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    let answered: () => void = () => undefined;
    const answer = new Promise<void>((resolve) => (answered = resolve));
    let first = true;
    intercept(reader.store.database, async (run, sql, parameters) => {
      const result = await run(sql, parameters);
      if (!sql.includes('AS ended_by') || !first) return result;
      first = false;
      answered();
      await held;
      return result;
    });
    const early = reader.check(session);
    await answer;
    return { early, release };
  }

  describe('a machine that was suspended', () => {
    it('does not let in a session that it remembers from before the suspend', async () => {
      const session = await signIn();
      await reader.check(session);
      suspend(MINUTE);
      await logOut(session);
      suspend(14 * MINUTE);
      await reader.follower.look();
      expect((await reader.check(session))[0]).toBe('backchannel');
    });

    it('does not let in a session that it has refused before the suspend', async () => {
      const session = await signIn();
      await reader.check(session);
      await logOut(session);
      await reader.follower.look();
      suspend(11 * MINUTE);
      await reader.follower.look();
      await reader.follower.look();
      expect((await reader.check(session))[0]).toBe('backchannel');
    });

    it('does not share a query from before the suspend', async () => {
      const session = await signIn();
      const { early, release } = await hold(session);
      await logOut(session);
      suspend(10 * MINUTE);
      const late = reader.check(session);
      release();
      expect((await late)[0]).toBe('backchannel');
      await early;
    });
  });

  it('a replica that is no longer declared does not share queries', async () => {
    const session = await signIn();
    clock.advance(STALENESS + 1);
    const { early, release } = await hold(session);
    await reader.follower.close();
    await logOut(session);
    const late = reader.check(session);
    release();
    expect((await late)[0]).toBe('backchannel');
    await early;
  });

  it('a replica that has just declared itself does not share queries of before', async () => {
    const session = await signIn();
    await reader.follower.close();
    reader = new Replica(await open(), clock);
    const { early, release } = await hold(session);
    await logOut(session);
    // no replica is declared, so OneID gets its 200 at once
    expect(await reader.replicas.findMaxStaleness()).toBe(0);
    await reader.follower.look();
    const late = reader.check(session);
    release();
    expect((await late)[0]).toBe('backchannel');
    await early;
  });

  it('a touch that the database executes late does not set the time of a logout back', async () => {
    const session = await signIn();
    await logOut(session);
    const [row] = await writer.rows('logout');
    clock.databaseAhead -= 4_500;
    expect(await writer.repository.touchLogouts([String(row?.['id'])])).toBe(1);
    clock.databaseAhead += 4_500;
    const [touched] = await writer.rows('logout');
    expect(numberOf(touched, 'changed_at')).toBe(numberOf(row, 'changed_at'));
  });

  describe('a logout whose insert has failed, but may still be committed', () => {
    it.each(['the statement was cut', 'it could not be given a new time'])(
      'is found and gets a new time: %s',
      async (how) => {
        const session = await signIn();
        await reader.check(session);
        await reader.follower.look();
        const undo = intercept(writer.database, async (run, sql, parameters) => {
          if (sql.startsWith('UPDATE')) throw new StoreUnavailableError('gone');
          if (!sql.includes('INSERT')) return run(sql, parameters);
          // committed so late that the looks of the followers miss it
          clock.databaseAhead -= MINUTE;
          const result = await run(sql, parameters).finally(() => (clock.databaseAhead += MINUTE));
          if (how === 'the statement was cut') throw new StoreUnavailableError('took longer than 5000 ms');
          clock.monotonicAhead += 4_900;
          return result;
        });
        await expect(writer.recorder.recordFrontchannel(issuer, session.sid ?? '')).rejects.toThrow(
          StoreUnavailableError,
        );
        undo();
        // the browser sends the request again, and the login has already ended
        expect(await writer.recorder.recordFrontchannel(issuer, session.sid ?? '')).toBe(false);
        expect(writer.uncertain.size).toBe(1);
        await writer.uncertain.wake();
        expect(writer.uncertain.size).toBe(0);
        await reader.follower.look();
        await reader.follower.look();
        expect((await reader.check(session))[0]).toBe('frontchannel');
      },
    );

    it('BC-8: is found, when the library could not read the logout whose jti the token reuses', async () => {
      const jti = randomUUID();
      await writer.recorder.recordBackchannel(writer.logout({ jti, sid: 'the first' }));
      const session = await signIn({ sub: 'alice', sid: undefined });
      await reader.check(session);
      await reader.follower.look();
      const undo = intercept(writer.database, async (run, sql, parameters) => {
        if (!sql.includes('INSERT')) throw new StoreUnavailableError('gone');
        // committed so late that the looks of the followers miss it
        clock.databaseAhead -= MINUTE;
        return run(sql, parameters).finally(() => (clock.databaseAhead += MINUTE));
      });
      const second = writer.logout({ jti, sid: 'the second', sub: 'alice' });
      await expect(writer.recorder.recordBackchannel(second)).rejects.toThrow(StoreUnavailableError);
      undo();
      expect(writer.uncertain.size).toBe(2);
      await writer.uncertain.wake();
      expect(writer.uncertain.size).toBe(0);
      await reader.follower.look();
      expect(await reader.check(session)).toEqual(['backchannel', 0]);
    });

    it('is searched for one hour', async () => {
      const { sid } = await signIn();
      const undo = intercept(writer.database, () => Promise.reject(new StoreUnavailableError('gone')));
      await expect(writer.recorder.recordBackchannel(writer.logout({ sid }))).rejects.toThrow(StoreUnavailableError);
      await writer.uncertain.wake();
      undo();
      await writer.uncertain.wake();
      expect(writer.uncertain.size).toBe(1);
      clock.advance(60 * MINUTE + 1);
      await writer.uncertain.wake();
      expect(writer.uncertain.size).toBe(0);
    });

    it('the replica remembers the newest ten thousand of them', () => {
      for (let n = 0; n < 10_010; n++) writer.uncertain.add([`logout-${n}`]);
      expect(writer.uncertain.size).toBe(10_000);
    });

    it('gets a new time when its writer was suspended during the insert', async () => {
      const session = await signIn();
      let touched = 0;
      intercept(writer.database, async (run, sql, parameters) => {
        const result = await run(sql, parameters);
        if (sql.includes('INSERT')) clock.ahead += 10 * MINUTE;
        if (sql.startsWith('UPDATE')) touched += 1;
        return result;
      });
      await logOut(session);
      expect(touched).toBe(1);
    });
  });

  it('a replica whose declaration is gone forgets all remembered sessions and declares itself again', async () => {
    const session = await signIn();
    await reader.check(session);
    await writer.database.run('DELETE FROM oneid_replica');
    await reader.follower.look();
    expect(await reader.check(session)).toEqual(['alive', 1]);
    await reader.follower.look();
    expect(await reader.replicas.findMaxStaleness()).toBe(STALENESS);
  });

  it('publishes each logout once, even when there are more than it can remember', async () => {
    for (let n = 0; n < 21; n++) {
      await writer.repository.insertLogouts(
        Array.from({ length: 500 }, (_, m) => ({
          ...{ id: `${n}-${m}`, kind: 'sid' as const, target: `target-${n}-${m}` },
          ...{ channel: 'backchannel' as const },
        })),
      );
    }
    let told = 0;
    reader.store.events.logouts.subscribe(() => (told += 1));
    await reader.follower.look();
    expect(told).toBe(10_500);
    await reader.follower.look();
    expect(told).toBe(10_500);
  });

  describe('while the store does not answer', () => {
    it('rejects requests, or lets in remembered sessions for `allowDuringOutageMs`', async () => {
      const lenient = await startReplica({ allowDuringOutageMs: 10_000 });
      const [session, cold] = [await signIn(), await signIn()];
      await lenient.check(session);
      await reader.check(session);
      for (const replica of [lenient, reader]) {
        intercept(replica.store.database, () => Promise.reject(new StoreUnavailableError('gone')));
        await replica.follower.look();
      }
      clock.advance(STALENESS + 9_000);
      await lenient.follower.look();
      expect((await lenient.check(session))[0]).toBe('alive');
      await expect(lenient.check(cold)).rejects.toThrow(StoreUnavailableError);
      await expect(reader.check(session)).rejects.toThrow(StoreUnavailableError);
      clock.advance(1_100);
      await expect(lenient.check(session)).rejects.toThrow(StoreUnavailableError);
    });

    it('lets in a session for all of `allowDuringOutageMs`, even when it was remembered nine minutes before', async () => {
      const lenient = await startReplica({ allowDuringOutageMs: 30 * MINUTE });
      const session = await signIn();
      await lenient.check(session);
      for (let n = 0; n < 9; n++) {
        clock.advance(MINUTE);
        await lenient.follower.look();
      }
      intercept(lenient.store.database, () => Promise.reject(new StoreUnavailableError('gone')));
      clock.advance(29 * MINUTE);
      await lenient.follower.look();
      expect((await lenient.check(session))[0]).toBe('alive');
      clock.advance(2 * MINUTE);
      await expect(lenient.check(session)).rejects.toThrow(StoreUnavailableError);
    });

    it('makes OneID wait longer by `allowDuringOutageMs`', async () => {
      await startReplica({ allowDuringOutageMs: 10_000 });
      expect(await reader.replicas.findMaxStaleness()).toBe(STALENESS + 10_000);
    });
  });

  describe('claims of an API', () => {
    const claimsOf = (sid: string) => ({ issuer, sub: 'x', sid, iat: clock.seconds, registeredAt: clock.now() });

    it('need one query, and are refused after the next look that finds a logout', async () => {
      const facts = claimsOf('sid-of-claims');
      const check = async () => {
        const before = reader.statements;
        return [await reader.checks.endedBy(facts), reader.statements - before];
      };
      expect(await check()).toEqual([undefined, 1]);
      expect(await check()).toEqual([undefined, 0]);
      await writer.recorder.recordBackchannel(writer.logout({ sid: 'sid-of-claims' }));
      await reader.follower.look();
      expect(await check()).toEqual(['backchannel', 0]);
    });

    it('of two clients are told apart, although all else is equal', async () => {
      const facts = claimsOf('sid-of-claims');
      const endings = async () => [
        await reader.checks.endedBy({ ...facts, clientId: 'other' }),
        await reader.checks.endedBy({ ...facts, clientId }),
      ];
      expect(await endings()).toEqual([undefined, undefined]);
      await writer.recorder.endEveryone(issuer, clientId);
      await reader.follower.look();
      expect(await endings()).toEqual([undefined, 'admin']);
    });
  });

  describe('P14: a bearer token without sub', () => {
    const stateAt = async ({ checks }: Replica, iat: number) => {
      const before = reader.statements;
      const settings = new GuardSettings(
        maxSessionLifetimeMs / 1000,
        [],
        () => 'session',
        () => true,
      );
      const judge = new SessionJudge(checks, settings, clock, Measures.off(clock));
      const verdict = await judge.judge({ claims: { iss: issuer, sid: 'reused', iat } });
      return ['reason' in verdict ? verdict.reason : 'alive', reader.statements - before];
    };
    const logOutUser = (sub: string) => writer.recorder.recordBackchannel(writer.logout({ sub }));
    /** OneID has its 200: the replica has had `maxStalenessMs` to learn of the logout. */
    const barrier = async ({ follower }: Replica) => {
      clock.advance(STALENESS + 1);
      await follower.look();
    };

    it('P14: needs no query until the bound is over', async () => {
      await signIn({ sub: 'first', sid: 'reused' });
      const { seconds } = clock;
      expect(await stateAt(reader, seconds)).toEqual(['alive', 2]);
      expect(await stateAt(reader, seconds)).toEqual(['alive', 0]);
      clock.advance(STALENESS - 1);
      expect(await stateAt(reader, seconds)).toEqual(['alive', 0]);
      await barrier(reader);
      expect(await stateAt(reader, seconds)).toEqual(['alive', 1]);
    });

    it('P14: is refused after the logout of a user who has signed in with its sid since, the first one or a later one', async () => {
      const { seconds } = clock;
      expect((await stateAt(reader, seconds))[0]).toBe('alive');
      for (const sub of ['first', 'second']) {
        await signIn({ sub, sid: 'reused' });
        expect((await stateAt(reader, seconds))[0]).toBe('alive');
      }
      await signIn({ sub: 'third', sid: 'reused' });
      await logOutUser('third');
      await barrier(reader);
      expect((await stateAt(reader, seconds))[0]).toBe('logged_out');
    });

    it.each(['suspended', 'no longer declared'])('P14: is refused when the replica was %s meanwhile', async (what) => {
      await signIn({ sub: 'first', sid: 'reused' });
      const { seconds } = clock;
      expect((await stateAt(reader, seconds))[0]).toBe('alive');
      await signIn({ sub: 'second', sid: 'reused' });
      await logOutUser('second');
      if (what === 'suspended') suspend(2 * STALENESS);
      else await writer.database.run('DELETE FROM oneid_replica');
      await reader.follower.look();
      expect((await stateAt(reader, seconds))[0]).toBe('logged_out');
    });

    it('P14: is let in during an outage for `allowDuringOutageMs`', async () => {
      const lenient = await startReplica({ allowDuringOutageMs: 10_000 });
      await signIn({ sub: 'first', sid: 'reused' });
      const { seconds } = clock;
      expect((await stateAt(lenient, seconds))[0]).toBe('alive');
      intercept(lenient.store.database, () => Promise.reject(new StoreUnavailableError('gone')));
      await lenient.follower.look();
      clock.advance(STALENESS + 9_000);
      expect((await stateAt(lenient, seconds))[0]).toBe('alive');
      clock.advance(1_100);
      await expect(stateAt(lenient, seconds)).rejects.toThrow(StoreUnavailableError);
    });

    it('P14: is not let in during an outage when its users were last read long before', async () => {
      const lenient = await startReplica({ allowDuringOutageMs: 10_000 });
      await signIn({ sub: 'first', sid: 'reused' });
      const { seconds } = clock;
      expect((await stateAt(lenient, seconds))[0]).toBe('alive');
      await signIn({ sub: 'second', sid: 'reused' });
      await logOutUser('second');
      clock.advance(STALENESS + 10_001);
      await lenient.follower.look();
      intercept(lenient.store.database, () => Promise.reject(new StoreUnavailableError('gone')));
      await expect(stateAt(lenient, seconds)).rejects.toThrow(StoreUnavailableError);
    });

    it('P14: has the logouts of all users of its sid', async () => {
      const subs = ['first', 'second', 'third'];
      for (const sub of subs) await signIn({ sub, sid: 'reused' });
      const { seconds } = clock;
      for (const sub of subs) {
        await writer.database.run('DELETE FROM oneid_logout');
        const other = await startReplica();
        expect((await stateAt(other, seconds))[0]).toBe('alive');
        await logOutUser(sub);
        await other.follower.look();
        expect((await stateAt(other, seconds))[0]).toBe('logged_out');
      }
    });
  });

  describe('BC-8: a jti that the provider uses again', () => {
    /** The targets that this replica's sockets have heard of. */
    const heardBy = ({ store }: Replica) => {
      const targets: string[] = [];
      store.bus.allLogouts.subscribe(({ target }) => targets.push(target));
      return targets;
    };
    const jti = 'used twice';

    it('BC-8: a replica that keeps the second logout still hears of the first one, and of each once', async () => {
      const heard = heardBy(reader);
      const restore = intercept(reader.store.database, () => Promise.reject(new StoreUnavailableError('gone')));
      const second = reader.store.logout({ sid: 'of-second', jti });
      await expect(reader.store.inbox.record(second)).rejects.toThrow(StoreUnavailableError);
      restore();
      expect(heard).toEqual([targetOf('sid', issuer, 'of-second')]);
      await writer.recorder.recordBackchannel(writer.logout({ sid: 'of-first', jti }));
      await reader.follower.look();
      expect(heard).toEqual([targetOf('sid', issuer, 'of-second'), targetOf('sid', issuer, 'of-first')]);
      await reader.store.inbox.recordKept();
      await reader.follower.look();
      expect(heard).toHaveLength(2);
      expect(await writer.rows('logout')).toHaveLength(2);
    });

    it('BC-8: a replica that records the second logout still hears of the first one, and of each once', async () => {
      const [first, second] = [await signIn({ sid: 'of-first' }), await signIn({ sid: 'of-second' })];
      const heard = heardBy(reader);
      await writer.recorder.recordBackchannel(writer.logout({ sid: 'of-first', jti }));
      // the database has its logout of a sid already, and not that of the sessions without sid
      await reader.store.recorder.recordBackchannel(reader.store.logout({ sid: 'of-second', sub: 'second', jti }));
      await reader.follower.look();
      expect(heard.sort()).toEqual(
        [
          targetOf('sid', issuer, 'of-first'),
          targetOf('sid', issuer, 'of-second'),
          targetOf('sidless', issuer, 'second'),
        ].sort(),
      );
      expect([(await reader.check(first))[0], (await reader.check(second))[0]]).toEqual(['backchannel', 'backchannel']);
      expect(await writer.rows('logout')).toHaveLength(3);
    });
  });

  it('remembers for ten minutes that a user has signed in here, but not that a user has not', async () => {
    const session = await signIn();
    const knows = async (sub: string) => {
      const before = reader.statements;
      return [await reader.checks.knowsUser(issuer, sub), reader.statements - before];
    };
    expect(await knows('nobody')).toEqual([false, 1]);
    expect(await knows('nobody')).toEqual([false, 1]);
    expect(await knows(session.sub)).toEqual([true, 1]);
    expect(await knows(session.sub)).toEqual([true, 0]);
    clock.advance(10 * MINUTE + 1);
    expect(await knows(session.sub)).toEqual([true, 1]);
  });

  describe('the replica barrier before OneID gets its 200', () => {
    it('is as long as the largest staleness that a replica declares', async () => {
      expect(await reader.replicas.findMaxStaleness()).toBe(STALENESS);
      const lax = await startReplica({ maxStalenessMs: 4_000 });
      expect(await reader.replicas.findMaxStaleness()).toBe(4_000);
      await lax.follower.close();
      expect(await reader.replicas.findMaxStaleness()).toBe(STALENESS);
      await reader.follower.close();
      expect(await reader.replicas.findMaxStaleness()).toBe(0);
    });

    it("counts each replica that answers from memory, also after the database's clock has stepped two hours ahead", async () => {
      const session = await signIn();
      await reader.check(session);
      clock.databaseAhead += 120 * MINUTE;
      await reader.follower.look();
      // its declaration is too old now
      expect(await reader.replicas.findMaxStaleness()).toBe(0);
      for (let n = 0; n < 2; n++) expect(await reader.check(session)).toEqual(['alive', 1]);
      await reader.follower.look();
      expect([await reader.check(session), await reader.check(session)]).toEqual([
        ['alive', 1],
        ['alive', 0],
      ]);
      expect(await reader.replicas.findMaxStaleness()).toBe(STALENESS);
    });

    it('counts a silent replica for an hour, and a replica that declares itself again for longer', async () => {
      const gone = await startReplica({ maxStalenessMs: 4_000 });
      for (let n = 0; n < 7; n++) {
        clock.advance(9 * MINUTE);
        await reader.follower.look();
      }
      expect(await reader.replicas.findMaxStaleness()).toBe(STALENESS);
      // this is safe: by then the replica does not answer from memory
      expect(gone.follower.usableGeneration).toBeUndefined();
      await reader.follower.close();
      expect(await writer.database.run('SELECT * FROM oneid_replica')).toMatchObject({ rows: [] });
    });

    it('ends when this time has passed on the monotonic clock', async () => {
      const wait = new ReplicaBarrier(reader.replicas, clock, 0, false);
      let over = false;
      const waiting = wait.wait().then(() => (over = true));
      await until('it waits', () => clock.timers > 0);
      clock.advance(STALENESS - 1);
      await clock.endOfTurn();
      expect(over).toBe(false);
      clock.advance(1);
      await waiting;
      await new ReplicaBarrier(reader.replicas, new TestClock(NaN), STALENESS, true).wait();
    });

    it('is never shorter than the staleness of this replica, even without declarations', async () => {
      clock.databaseAhead += 61 * MINUTE;
      expect(await reader.replicas.findMaxStaleness()).toBe(0);
      let over = false;
      const waiting = new ReplicaBarrier(reader.replicas, clock, 300, false).wait().then(() => (over = true));
      await until('it waits', () => over || clock.timers > 0);
      clock.advance(299);
      await clock.endOfTurn();
      expect(over).toBe(false);
      clock.advance(1);
      await waiting;
    });

    it('counts `allowDuringOutageMs` of this replica, even without declarations', async () => {
      const endpoints = { jwks_uri: `${issuer}jwks`, end_session_endpoint: `${issuer}logout` };
      const postLogoutRedirectUri = 'https://app.example/logout/callback';
      const app = await startApp(
        {
          clients: [{ issuer, clientId, postLogoutRedirectUri, endpoints }],
          database: testDatabase.options,
          liveness: { maxStalenessMs: STALENESS, allowDuringOutageMs: 10_000 },
        },
        clock,
      );
      clock.databaseAhead += 61 * MINUTE;
      expect(await reader.replicas.findMaxStaleness()).toBe(0);
      const waits: number[] = [];
      const delay = clock.delay.bind(clock);
      clock.delay = (milliseconds, signal) => {
        waits.push(milliseconds);
        return delay(milliseconds, signal);
      };
      const waiting = app.get(ReplicaBarrier, { strict: false }).wait();
      await until('it waits', () => waits.length > 0);
      expect(waits).toEqual([STALENESS + 10_000]);
      clock.advance(STALENESS + 10_000);
      await waiting;
      await app.close();
    });

    it("fails when the replicas' staleness cannot be read", async () => {
      intercept(reader.store.database, () => Promise.reject(new StoreUnavailableError('gone')));
      await expect(reader.barrier.wait()).rejects.toThrow(StoreUnavailableError);
    });
  });

  it('SessionEvents publishes the logouts of other replicas, each once', async () => {
    const [session, other] = [await signIn(), await signIn()];
    const seen: LogoutEvent[] = [];
    const closed: string[] = [];
    reader.store.events.logouts.subscribe((event) => seen.push(event));
    reader.store.events.ended(session).subscribe(() => closed.push('session'));
    reader.store.events.ended(other).subscribe(() => closed.push('other'));
    await logOut(session);
    await reader.follower.look();
    await reader.follower.look();
    expect(seen.map(({ channel }) => channel)).toEqual(['backchannel']);
    expect(closed).toEqual(['session']);
    await reader.store.recorder.endLogin(other);
    await reader.follower.look();
    expect(seen.map(({ channel }) => channel)).toEqual(['backchannel', 'app']);
    expect(closed).toEqual(['session', 'other']);
  });
});
