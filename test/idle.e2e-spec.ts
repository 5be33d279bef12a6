import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';
import { type RegisteredSession, type Session, StoreUnavailableError } from 'nestjs-oneid-logout';
import { CachedSessionLookup } from '../libs/oneid-logout/src/replicas/cached-session-lookup.js';
import { ActivityLookup } from '../libs/oneid-logout/src/replicas/activity-lookup.js';
import { LogoutFollower } from '../libs/oneid-logout/src/replicas/logout-follower.js';
import { Random } from '../libs/oneid-logout/src/random.js';
import { targetOf } from '../libs/oneid-logout/src/rule/targets.js';
import { timedOutBy } from '../libs/oneid-logout/src/rule/session.js';
import { type SessionActivity } from '../libs/oneid-logout/src/sessions/session-activity.js';
import { ReplicaRepository } from '../libs/oneid-logout/src/store/replica.repository.js';
import { databases, sqlite, type TestDatabase } from './support/databases.js';
import { DAY, failNext, intercept, issuer, numberOf, SessionStore } from './support/session-store.js';
import { TestClock } from './support/test-clock.js';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

/** The option `maxIdleSeconds` of these tests, milliseconds. */
const IDLE = 20 * MINUTE;
/** A twentieth of it. */
const STEP = MINUTE;
/** A use this long after the recorded one is recorded. */
const DUE = 75 * SECOND;

function activityOf({ activity }: SessionStore): SessionActivity {
  if (activity === undefined) throw new Error('maxIdleSeconds is off');
  return activity;
}

/** What a use of the session by its user gets: `alive`, or the reason. */
async function use(store: SessionStore, { sessionToken }: RegisteredSession, countsAsUse = true): Promise<string> {
  const verdict = await store.judge.judge({ sessionToken }, countsAsUse);
  return 'alive' in verdict ? 'alive' : verdict.reason;
}

const look = (store: SessionStore, session: RegisteredSession) => use(store, session, false);

/** Runs the background job once. */
const record = (store: SessionStore) => activityOf(store).wake();

async function recordedUse(store: SessionStore, { id }: Session): Promise<number | null> {
  const [row] = await store.rows('session_activity', 'session_id = ?', id);
  return numberOf(row, 'active_at');
}

/** The option `maxStalenessMs` of these tests. */
const STALENESS = 500;

/** A replica that answers from memory; it looks at the database when the test says so. */
class Replica {
  readonly follower: LogoutFollower;
  readonly lookup: ActivityLookup;
  statements: string[] = [];

  constructor(
    readonly store: SessionStore,
    allowDuringOutageMs = 0,
  ) {
    const bounds = { maxStalenessMs: STALENESS, allowDuringOutageMs };
    this.follower = new LogoutFollower(
      ...([store.repository, new ReplicaRepository(store.database), store.bus, store.clock, new Random()] as const),
      { answers: true, ...bounds, retention: 10 * MINUTE + allowDuringOutageMs },
    );
    const settings = { ...bounds, maxSessions: 1000, idleLimit: store.idleLimit };
    this.lookup = new ActivityLookup(
      new CachedSessionLookup(store.repository, this.follower, store.clock, settings),
      activityOf(store),
      () => true,
    );
    intercept(store.database, (run, sql, parameters) => {
      this.statements.push(sql);
      return run(sql, parameters);
    });
  }

  /** The answer to a request, and the number of statements for it. */
  async use(session: Session, countsAsUse = true): Promise<[string, number]> {
    await this.follower.look();
    this.statements = [];
    const checked = await this.lookup.check(session.id, countsAsUse);
    const answer = checked === undefined ? 'unknown' : (checked.endedBy ?? timedOutBy(checked) ?? 'alive');
    return [answer, this.statements.length];
  }
}

describe.each(databases)('maxIdleSeconds, on $name', (database) => {
  let testDatabase: TestDatabase;
  let clock: TestClock;
  let stores: SessionStore[];
  let store: SessionStore;
  beforeEach(async () => {
    testDatabase = await database.take();
    clock = new TestClock(Date.now());
    stores = [];
    store = await open();
  });
  afterEach(async () => {
    for (const opened of stores) await opened.close();
    await testDatabase.drop();
  });

  async function open(maxIdleSeconds: number | 'off' = IDLE / SECOND): Promise<SessionStore> {
    const option = maxIdleSeconds === 'off' ? {} : { maxIdleSeconds };
    const opened = await SessionStore.open(testDatabase, { clock, ...option });
    stores.push(opened);
    return opened;
  }

  let made = 0;
  const signIn = (sub = `user-${(made += 1)}`) =>
    store.registry.register({ idToken: store.idToken({ sub, sid: `sid-${(made += 1)}` }) });

  /** The statements of a piece of work that name the table of uses. */
  async function activityStatements(work: () => Promise<unknown>): Promise<string[]> {
    const seen: string[] = [];
    const restores = stores.map(({ database }) =>
      intercept(database, (run, sql, parameters) => {
        if (/oneid_session_activity/.test(sql)) seen.push(sql);
        return run(sql, parameters);
      }),
    );
    await work().finally(() => restores.forEach((restore) => restore()));
    return seen;
  }

  it('a session that was never used is over to the millisecond, counted from its sign-in', async () => {
    const session = await signIn();
    clock.advance(IDLE - 1);
    expect(await look(store, session)).toBe('alive');
    clock.advance(1);
    expect(await look(store, session)).toBe('idle');
    expect(await store.rows('session_activity')).toEqual([]);
  });

  it('a use moves the end on, and is recorded with its own time, not with that of the batch', async () => {
    const session = await signIn();
    clock.advance(10 * STEP);
    const usedAt = clock.now();
    expect(await use(store, session)).toBe('alive');
    clock.advance(5 * SECOND);
    await record(store);
    expect(await recordedUse(store, session)).toBe(usedAt);
    clock.advance(IDLE - 5 * SECOND - 1);
    expect(await look(store, session)).toBe('alive');
    clock.advance(1);
    expect(await look(store, session)).toBe('idle');
  });

  it('a check that does not count as a use moves nothing', async () => {
    const session = await signIn();
    for (let n = 0; n < 19; n++) {
      clock.advance(STEP);
      expect(await look(store, session)).toBe('alive');
      await record(store);
    }
    clock.advance(STEP);
    expect(await use(store, session)).toBe('idle');
  });

  it('a request that is refused is no use of the sessions that it carries', async () => {
    const [alices, bobs, dead] = [await signIn('alice'), await signIn('bob'), await signIn('alice')];
    await store.registry.end(dead.id);
    clock.advance(DUE);
    expect(await store.judge.judge([[alices, bobs]], true)).toEqual({ reason: 'ambiguous' });
    expect(await store.judge.judge([[alices], [dead]], true)).toEqual({ reason: 'logged_out' });
    await record(store);
    expect(await store.rows('session_activity')).toEqual([]);
    expect(await store.judge.judge([[alices, dead]], true)).toMatchObject({ alive: { id: alices.id } });
    await record(store);
    expect((await store.rows('session_activity')).map((row) => row['session_id'])).toEqual([alices.id]);
  });

  it('a request writes nothing itself, and a session is written at most once per twentieth', async () => {
    const session = await signIn();
    const requests = await activityStatements(async () => {
      for (let n = 0; n < 3; n++) await use(store, session);
    });
    // the check itself reads when the session was used
    expect(requests.filter((sql) => !sql.startsWith('SELECT'))).toEqual([]);
    const moves = new Set<number | null>();
    for (let n = 0; n < 10 * (STEP / SECOND); n++) {
      clock.advance(SECOND);
      await use(store, session);
      if (n % 5 === 0) await record(store);
      moves.add(await recordedUse(store, session));
    }
    moves.delete(null);
    const times = [...moves].map(Number);
    expect(times.length).toBeGreaterThanOrEqual(7);
    const steps = times.slice(1).map((time, n) => time - Number(times[n]));
    expect(Math.min(...steps)).toBeGreaterThanOrEqual(STEP);
    expect(Math.max(...steps)).toBeLessThanOrEqual(DUE + 5 * SECOND);
  });

  it('the uses of many sessions are recorded in one statement', async () => {
    const sessions: RegisteredSession[] = [];
    for (let n = 0; n < 20; n++) sessions.push(await signIn());
    clock.advance(DUE);
    const usedAt = clock.now();
    for (const session of sessions) await use(store, session);
    expect(await activityStatements(() => record(store))).toHaveLength(1);
    for (const session of sessions) expect(await recordedUse(store, session)).toBe(usedAt);
    expect(await activityStatements(() => record(store))).toEqual([]);
  });

  it('a late batch never revives what was idle', async () => {
    const [fresh, used] = [await signIn(), await signIn()];
    clock.advance(DUE);
    await use(store, used);
    await record(store);
    const recorded = await recordedUse(store, used);
    clock.advance(IDLE - DUE - 1);
    // the replica hangs before its batch
    const hanging = jest.spyOn(activityOf(store), 'wake').mockResolvedValue();
    expect([await use(store, fresh), await use(store, used)]).toEqual(['alive', 'alive']);
    clock.advance(DUE + 1);
    expect([await look(store, fresh), await look(store, used)]).toEqual(['idle', 'idle']);
    hanging.mockRestore();
    expect(await activityStatements(() => record(store))).toHaveLength(3);
    expect([await look(store, fresh), await look(store, used)]).toEqual(['idle', 'idle']);
    expect([await recordedUse(store, fresh), await recordedUse(store, used)]).toEqual([null, recorded]);
  });

  it('no use is recorded so close to the end that a check may have said idle before the commit', async () => {
    const [early, late] = [await signIn(), await signIn()];
    clock.advance(IDLE - STEP / 4 - 1);
    await use(store, early);
    await record(store);
    clock.advance(1);
    await use(store, late);
    await record(store);
    expect(await recordedUse(store, early)).toBe(clock.now() - 1);
    expect(await recordedUse(store, late)).toBeNull();
    expect([await look(store, early), await look(store, late)]).toEqual(['alive', 'alive']);
    clock.advance(STEP / 4);
    expect([await look(store, early), await look(store, late)]).toEqual(['alive', 'idle']);
  });

  it('a use near the end is recorded at once', async () => {
    const session = await signIn();
    clock.advance(IDLE - 2 * STEP);
    await use(store, session);
    await activityOf(store).run;
    expect(await recordedUse(store, session)).toBe(clock.now());
  });

  it('two replicas that see the same use write it once, and each sees the uses of the other', async () => {
    const other = await open();
    const session = await signIn();
    clock.advance(DUE);
    const usedAt = clock.now();
    await use(store, session);
    clock.advance(SECOND);
    await use(other, session);
    await record(store);
    await record(other);
    expect(await recordedUse(store, session)).toBe(usedAt);
    clock.advance(IDLE - 2 * SECOND);
    expect(await look(other, session)).toBe('alive');
    clock.advance(SECOND);
    expect(await look(other, session)).toBe('idle');
  });

  it('two batches at the same time leave the later use', async () => {
    const other = await open();
    const sessions = [await signIn(), await signIn(), await signIn()];
    for (let round = 0; round < 5; round++) {
      clock.advance(DUE);
      for (const session of sessions) {
        await use(store, session);
        await use(other, session);
      }
      await Promise.all([record(store), record(other)]);
      for (const session of sessions) expect(await recordedUse(store, session)).toBe(clock.now());
    }
  });

  it('a session in steady use lives on, and ends at most two twentieths early when a replica dies with its batch', async () => {
    const session = await signIn();
    const crashing = await open();
    let last = 0;
    for (let n = 0; n < 40; n++) {
      clock.advance(40 * SECOND);
      expect(await use(crashing, session)).toBe('alive');
      last = clock.now();
      if (n < 38) await record(crashing);
    }
    const recorded = Number(await recordedUse(store, session));
    expect(last - recorded).toBeLessThanOrEqual(2 * STEP);
    clock.advance(IDLE - 2 * STEP - 1);
    expect(await look(store, session)).toBe('alive');
  });

  it('while the store fails, uses wait; then they are recorded with their own times', async () => {
    const [first, second] = [await signIn(), await signIn()];
    clock.advance(DUE);
    const usedFirst = clock.now();
    await use(store, first);
    failNext(store.database);
    await record(store);
    clock.advance(MINUTE);
    const usedSecond = clock.now();
    await use(store, second);
    const statements = await activityStatements(() => record(store));
    expect(statements).toHaveLength(2);
    expect([await recordedUse(store, first), await recordedUse(store, second)]).toEqual([usedFirst, usedSecond]);
  });

  it("if the database's clock steps back, a session of before ends later by the step, and no other one", async () => {
    const back = 10 * MINUTE;
    const [left, inUse] = [await signIn(), await signIn()];
    clock.advance(DUE);
    for (const session of [left, inUse]) await use(store, session);
    await record(store);
    const recorded = clock.now();
    clock.advance(-back);
    const later = await signIn();
    // no use is recorded until the clock has caught up; the session in use stays alive all the same
    for (let passed = 0; passed < back + DUE - MINUTE; passed += MINUTE) {
      expect(await use(store, inUse)).toBe('alive');
      await record(store);
      expect(await recordedUse(store, inUse)).toBe(recorded);
      clock.advance(MINUTE);
    }
    clock.advance(MINUTE);
    await use(store, inUse);
    await record(store);
    expect(await recordedUse(store, inUse)).toBe(clock.now());
    clock.advance(recorded - back + IDLE - clock.now() - 1);
    expect([await look(store, left), await look(store, later)]).toEqual(['alive', 'alive']);
    clock.advance(1);
    expect([await look(store, left), await look(store, later)]).toEqual(['alive', 'idle']);
    clock.advance(back - 1);
    expect(await look(store, left)).toBe('alive');
    clock.advance(1);
    expect([await look(store, left), await look(store, inUse)]).toEqual(['idle', 'alive']);
  });

  it('a session in use lives on when the option is lowered, however long it was', async () => {
    const before = await open((29 * DAY) / SECOND);
    const [inUse, left] = [await signIn(), await signIn()];
    for (let passed = 0; passed < 3 * 60 * MINUTE; passed += 2 * MINUTE) {
      clock.advance(2 * MINUTE);
      expect(await use(before, inUse)).toBe('alive');
      await record(before);
    }
    const lowered = await open((15 * MINUTE) / SECOND);
    expect([await look(lowered, inUse), await look(lowered, left)]).toEqual(['alive', 'idle']);
    // a rolling deploy: the user is still at a replica with the longer time
    for (let passed = 0; passed < 60 * MINUTE; passed += MINUTE) {
      clock.advance(MINUTE);
      expect(await use(before, inUse)).toBe('alive');
      await record(before);
      expect(await look(lowered, inUse)).toBe('alive');
      await lowered.idleEnds?.wake();
    }
    expect(await store.rows('logout')).toHaveLength(1);
    expect([await look(before, inUse), await look(before, left)]).toEqual(['alive', 'idle']);
  });

  it('a stop records the uses that wait', async () => {
    const session = await signIn();
    clock.advance(DUE);
    await use(store, session);
    await activityOf(store).stop();
    expect(await recordedUse(store, session)).toBe(clock.now());
  });

  it('a logout and the expiry outrank idle', async () => {
    const [ended, expired] = [await signIn(), await signIn()];
    await store.recorder.endLogin(ended);
    clock.advance(IDLE);
    expect([await look(store, ended), await look(store, expired)]).toEqual(['logged_out', 'idle']);
    clock.advance(30 * DAY);
    expect(await look(store, expired)).toBe('expired');
  });

  it('refreshed tokens are no use, and an idle session gets none', async () => {
    const session = await signIn();
    clock.advance(15 * STEP);
    await store.registry.refresh(session.id, { refreshToken: 'next' });
    await record(store);
    expect(await recordedUse(store, session)).toBeNull();
    clock.advance(5 * STEP);
    await expect(store.registry.refresh(session.id, { refreshToken: 'late' })).rejects.toMatchObject({
      code: 'session_idle',
      reason: 'idle',
      status: 401,
    });
  });

  it('the list of alive sessions leaves idle ones out, and endOthers() ends them for good', async () => {
    const idle = await signIn('alice');
    clock.advance(15 * STEP);
    const current = await signIn('alice');
    clock.advance(5 * STEP);
    expect((await store.registry.listAlive({ issuer, sub: 'alice' })).map(({ id }) => id)).toEqual([current.id]);
    expect(await store.registry.endOthers(current)).toBe(1);
    // with a longer limit, the idle session would be alive again
    const lenient = await open((2 * IDLE) / SECOND);
    expect([await look(lenient, idle), await look(lenient, current)]).toEqual(['logged_out', 'alive']);
  });

  it('the purge deletes the activity with its session', async () => {
    const [old, other] = [await signIn(), await signIn()];
    clock.advance(DUE);
    for (const session of [old, other]) await use(store, session);
    await record(store);
    await store.database.run('UPDATE oneid_session SET expires_at = 1 WHERE id = ?', [old.id]);
    clock.advance(2 * DAY);
    await store.purge(25);
    const left = await store.rows('session_activity');
    expect(left.map((row) => row['session_id'])).toEqual([other.id]);
  });

  it('the erasure of a user deletes the activity of the sessions, and a late batch adds none', async () => {
    const [recorded, waiting, other] = [await signIn('alice'), await signIn('alice'), await signIn('bob')];
    clock.advance(DUE);
    for (const session of [recorded, other]) await use(store, session);
    await record(store);
    await use(store, waiting);
    await store.recorder.endUser(issuer, 'alice');
    await store.userData.erase(targetOf('sub', issuer, 'alice'));
    await record(store);
    expect((await store.rows('session_activity')).map((row) => row['session_id'])).toEqual([other.id]);
  });

  it('a batch that is recorded in the middle of an erasure leaves no activity of the user', async () => {
    const session = await signIn('alice');
    clock.advance(DUE);
    await use(store, session);
    await store.recorder.endUser(issuer, 'alice');
    const restore = intercept(store.database, async (run, sql, parameters) => {
      if (sql.includes("SET sub = ''")) {
        restore();
        await record(store);
      }
      return run(sql, parameters);
    });
    await store.userData.erase(targetOf('sub', issuer, 'alice'));
    expect(await store.rows('session_activity')).toEqual([]);
    expect(await store.rows('session')).toMatchObject([{ sub: '' }]);
  });

  it('without the option, no statement reads or writes when a session was used', async () => {
    const off = await open('off');
    const session = await signIn();
    const statements = await activityStatements(async () => {
      clock.advance(25 * DAY);
      expect(await use(off, session)).toBe('alive');
      await off.registry.listAlive(session);
      await off.registry.refresh(session.id, { refreshToken: 'next' });
    });
    expect([off.activity, statements]).toEqual([undefined, []]);
  });

  describe('and bounded liveness', () => {
    const replica = async (allowDuringOutageMs?: number) => new Replica(await open(), allowDuringOutageMs);

    it('memory confirms the uses of a busy session without a question to the database', async () => {
      const reader = await replica();
      const session = await signIn();
      expect(await reader.use(session)).toEqual(['alive', 1]);
      const asked: number[] = [];
      for (let n = 0; n < 9 * 6; n++) {
        clock.advance(10 * SECOND);
        const [answer, statements] = await reader.use(session);
        expect(answer).toBe('alive');
        asked.push(statements);
        await record(reader.store);
      }
      // as without the option: memory keeps a session for ten minutes
      expect(asked.every((statements) => statements === 0)).toBe(true);
      const lastUse = clock.now();
      const recorded = Number(await recordedUse(store, session));
      expect(lastUse - recorded).toBeLessThanOrEqual(DUE);
    });

    it('a session that is used only here lives beyond the limit, and then ends to the millisecond', async () => {
      const reader = await replica();
      const session = await signIn();
      for (let n = 0; n < 60; n++) {
        clock.advance(MINUTE);
        expect((await reader.use(session))[0]).toBe('alive');
        await record(reader.store);
      }
      const recorded = Number(await recordedUse(store, session));
      clock.advance(recorded + IDLE - 1 - clock.now());
      expect((await reader.use(session, false))[0]).toBe('alive');
      clock.advance(1);
      expect(await reader.use(session, false)).toEqual(['idle', 1]);
    });

    it('only the database says that a session is idle: another replica may know of a later use', async () => {
      const reader = await replica();
      const session = await signIn();
      await reader.use(session, false);
      clock.advance(9 * STEP);
      await use(store, session);
      await record(store);
      clock.advance(9 * STEP);
      expect(await reader.use(session, false)).toEqual(['alive', 1]);
      clock.advance(4 * STEP);
      expect(await reader.use(session, false)).toEqual(['alive', 0]);
    });

    it('records a use of a session whose first use another replica has recorded meanwhile', async () => {
      const reader = await replica();
      const session = await signIn();
      await reader.use(session, false);
      clock.advance(2 * STEP);
      await use(store, session);
      await record(store);
      clock.advance(6 * STEP);
      expect(await reader.use(session)).toEqual(['alive', 0]);
      await record(reader.store);
      expect(await recordedUse(store, session)).toBe(clock.now());
    });

    it('memory does not confirm a use that the database has refused as too late', async () => {
      const reader = await replica();
      const session = await signIn();
      clock.advance(IDLE - STEP / 4);
      expect((await reader.use(session))[0]).toBe('alive');
      await record(reader.store);
      clock.advance(STEP / 4);
      expect(await reader.use(session)).toEqual(['idle', 1]);
    });

    it('memory takes no later time for a use than the database would', async () => {
      const reader = await replica();
      const session = await signIn();
      await reader.use(session, false);
      // the answer of a look takes 400 ms, and the database reads its clock at the beginning
      const restore = intercept(reader.store.database, async (run, sql, parameters) => {
        const answer = await run(sql, parameters);
        if (sql.includes('now_at')) clock.advance(400);
        return answer;
      });
      clock.advance(DUE);
      expect((await reader.use(session))[0]).toBe('alive');
      restore();
      const usedAt = clock.now();
      await record(reader.store);
      const recorded = Number(await recordedUse(store, session));
      expect(recorded).toBeLessThanOrEqual(usedAt);
      expect(recorded).toBeGreaterThanOrEqual(usedAt - 500);
    });

    it('during an outage, memory answers until the session may be idle; then the answer is 503', async () => {
      const reader = await replica(30 * MINUTE);
      const session = await signIn();
      await reader.use(session, false);
      const restore = intercept(reader.store.database, () =>
        Promise.reject(new StoreUnavailableError(new Error('down'))),
      );
      clock.advance(IDLE - SECOND);
      expect((await reader.use(session, false))[0]).toBe('alive');
      clock.advance(SECOND);
      await expect(reader.use(session, false)).rejects.toThrow(StoreUnavailableError);
      restore();
      expect((await reader.use(session, false))[0]).toBe('idle');
    });
  });
});

describe('maxIdleSeconds, with random uses', () => {
  const INTERVAL = 5 * SECOND;

  const rule = 'a session whose pauses are below 18 twentieths lives on; after 20 twentieths it is always over';
  it.each(['the database', 'memory'])(
    `${rule}; %s answers`,
    async (answerer) => {
      const testDatabase = await sqlite.take();
      const clock = new TestClock(Date.now());
      const settings = { clock, maxIdleSeconds: IDLE / SECOND };
      const replicas = [
        await SessionStore.open(testDatabase, settings),
        await SessionStore.open(testDatabase, settings),
      ];
      const [first] = replicas;
      if (first === undefined) throw new Error('no replica');
      const readers = replicas.map((store) => new Replica(store));
      let made = 0;

      const answer = async (n: number, session: RegisteredSession, countsAsUse: boolean) => {
        if (answerer === 'memory') return (await readers[n]?.use(session, countsAsUse))?.[0];
        return use(replicas[n] ?? first, session, countsAsUse);
      };

      /** Time passes, and the background jobs run. */
      async function pass(milliseconds: number): Promise<void> {
        for (let left = milliseconds; left > 0; left -= INTERVAL) {
          clock.advance(Math.min(left, INTERVAL));
          for (const replica of replicas) await record(replica);
        }
      }
      const pause = fc.oneof(
        fc.integer({ min: 1, max: 3 * STEP }),
        fc.integer({ min: 1, max: IDLE - 2 * STEP - 1 }),
        fc.constant(IDLE - 2 * STEP - 1),
      );
      await fc.assert(
        fc.asyncProperty(fc.array(fc.tuple(pause, fc.nat(1)), { maxLength: 8 }), fc.nat(1), async (uses, asked) => {
          const idToken = first.idToken({ sub: 'alice', sid: `sid-${(made += 1)}` });
          const session = await first.registry.register({ idToken });
          for (const [milliseconds, n] of uses) {
            await pass(milliseconds);
            expect(await answer(n, session, true)).toBe('alive');
          }
          await pass(IDLE - 2 * STEP - 1);
          expect(await answer(asked, session, false)).toBe('alive');
          await pass(2 * STEP + 1);
          expect(await answer(asked, session, false)).toBe('idle');
        }),
        { numRuns: 40 },
      );
      for (const replica of replicas) await replica.close();
      await testDatabase.drop();
    },
    120_000,
  );
});
