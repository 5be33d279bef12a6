import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type LogoutEvent, type RegisteredSession, type Session, StoreUnavailableError } from 'nestjs-oneid-logout';
import { CachedSessionLookup } from '../libs/oneid-logout/src/replicas/cached-session-lookup.js';
import { LogoutFollower } from '../libs/oneid-logout/src/replicas/logout-follower.js';
import { Random } from '../libs/oneid-logout/src/random.js';
import { IDLE_GRACE } from '../libs/oneid-logout/src/sessions/idle-ends.js';
import { type IdlePosition, IdleSessions } from '../libs/oneid-logout/src/store/idle-sessions.js';
import { ReplicaRepository } from '../libs/oneid-logout/src/store/replica.repository.js';
import { databases, type TestDatabase } from './support/databases.js';
import {
  clientId,
  DAY,
  failNext,
  intercept,
  issuer,
  SessionStore,
  type SessionStoreSettings,
} from './support/session-store.js';
import { TestClock } from './support/test-clock.js';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

/** The option `maxIdleSeconds` of these tests, milliseconds. */
const IDLE = 20 * MINUTE;
/** A use this long after the recorded one is recorded. */
const DUE = 75 * SECOND;
/** An unused session has ended for good after this time. */
const FOR_GOOD = IDLE + IDLE_GRACE;

describe.each(databases)('idle sessions end for good, on $name', (database) => {
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

  async function open(
    maxIdleSeconds: number | 'off' = IDLE / SECOND,
    others: Pick<SessionStoreSettings, 'clients'> = {},
  ): Promise<SessionStore> {
    const option = maxIdleSeconds === 'off' ? {} : { maxIdleSeconds };
    const opened = await SessionStore.open(testDatabase, { clock, ...option, ...others });
    stores.push(opened);
    return opened;
  }

  let made = 0;
  const signIn = (sub = `user-${(made += 1)}`, replaces?: string) =>
    store.registry.register({ idToken: store.idToken({ sub, sid: `sid-${(made += 1)}` }), replaces });

  const insertSession = (n: number) =>
    store.repository.insertSession({
      ...{ id: `${n}`.padStart(64, '0'), issuer, clientId: 'app', sid: `s-${n}`, sub: 'alice', iat: 1 },
      ...{ lifetime: DAY, idTokenHash: `${n}` },
    });

  async function use(at: SessionStore, { sessionToken }: RegisteredSession, countsAsUse = true): Promise<string> {
    const verdict = await at.judge.judge({ sessionToken }, countsAsUse);
    return 'alive' in verdict ? 'alive' : verdict.reason;
  }
  const look = (at: SessionStore, session: RegisteredSession) => use(at, session, false);

  /** A use that is recorded. */
  async function record(session: RegisteredSession): Promise<void> {
    expect(await use(store, session)).toBe('alive');
    await store.activity?.wake();
  }

  /** Runs the background job once. */
  async function endIdle(at = store): Promise<void> {
    await at.idleEnds?.wake();
  }

  const ended = async () => (await store.rows('logout', 'channel = ?', 'idle')).map((row) => String(row['target']));
  const targetsOf = async (...sessions: readonly Session[]) => {
    const rows = await store.rows('session');
    return sessions.map(({ id }) => String(rows.find((row) => row['id'] === id)?.['target_session']));
  };

  it('with a logout of the one session, once it has been unused for the grace longer; a higher option brings none back', async () => {
    const [neverUsed, used, busy] = [await signIn(), await signIn(), await signIn()];
    clock.advance(DUE);
    await record(used);
    clock.advance(FOR_GOOD - DUE - 1);
    // an hour ago by its sign-in, and now by its use
    await store.database.run('INSERT INTO oneid_session_activity (session_id, active_at) VALUES (?, ?)', [
      ...[busy.id, clock.now()],
    ]);
    await endIdle();
    expect(await ended()).toEqual([]);
    const lenient = await open((10 * IDLE) / SECOND);
    expect([await look(store, neverUsed), await look(lenient, neverUsed)]).toEqual(['idle', 'alive']);
    clock.advance(1);
    await endIdle();
    expect(await ended()).toEqual(await targetsOf(neverUsed));
    clock.advance(DUE);
    await endIdle();
    expect((await ended()).sort()).toEqual((await targetsOf(neverUsed, used)).sort());
    for (const at of [store, lenient, await open('off')]) {
      expect([await look(at, neverUsed), await look(at, used), await look(at, busy)]).toEqual([
        ...['idle', 'idle', 'alive'],
      ]);
    }
    const { id } = used;
    await expect(lenient.registry.refresh(id, {})).rejects.toMatchObject({ code: 'session_idle', status: 401 });
    expect(await lenient.registry.listAlive({ issuer, sub: used.sub })).toEqual([]);
    // the uses that are left are of sessions that are alive
    expect((await store.rows('session_activity')).map((row) => row['session_id'])).toEqual([busy.id]);
  });

  it('only once: two replicas at the same time record one logout of each, and each tells the app once', async () => {
    const other = await open();
    const events: LogoutEvent[][] = [[], []];
    [store, other].forEach((one, n) => one.events.logouts.subscribe((event) => events[n]?.push(event)));
    const sessions: RegisteredSession[] = [];
    for (let n = 0; n < 60; n++) sessions.push(await signIn());
    clock.advance(DUE);
    for (const session of sessions.slice(30)) await use(store, session);
    await store.activity?.wake();
    clock.advance(FOR_GOOD + DUE);
    await Promise.all([endIdle(store), endIdle(other)]);
    await endIdle(store);
    await endIdle(other);
    expect((await ended()).sort()).toEqual((await targetsOf(...sessions)).sort());
    expect(await store.rows('session_activity')).toEqual([]);
    // what one replica has recorded alone, the other hears of by its follower
    for (const [n, at] of [store, other].entries()) {
      at.bus.publishFound((await at.repository.findChanges('none', { changedAt: 0, id: '' })).logouts);
      expect(events[n]).toHaveLength(60);
      for (const session of sessions) {
        const own = events[n]?.filter((event) => event.ends(session)) ?? [];
        expect(own.map(({ channel }) => channel)).toEqual(['idle']);
      }
    }
  });

  it('leaves sessions out that have ended or expired, and forgets when they were used', async () => {
    const [loggedOut, expired, gone] = [await signIn(), await signIn(), await signIn()];
    clock.advance(DUE);
    for (const session of [loggedOut, expired, gone]) await record(session);
    await store.recorder.endLogin(loggedOut);
    await store.database.run('UPDATE oneid_session SET expires_at = ? WHERE id = ?', [clock.now(), expired.id]);
    await store.database.run('DELETE FROM oneid_session WHERE id = ?', [gone.id]);
    clock.advance(FOR_GOOD);
    await endIdle();
    expect(await ended()).toEqual([]);
    expect(await store.rows('session_activity')).toEqual([]);
    expect([await look(store, loggedOut), await look(store, expired), await look(store, gone)]).toEqual([
      ...['logged_out', 'expired', 'unknown'],
    ]);
  });

  it('a later logout outranks idle as the reason; a session that has ended before gets no second logout', async () => {
    const session = await signIn('alice');
    clock.advance(FOR_GOOD);
    await endIdle();
    expect(await look(store, session)).toBe('idle');
    // the browser still has the cookie of the idle session
    const next = await signIn('alice', session.sessionToken);
    expect([await look(store, session), await look(store, next)]).toEqual(['idle', 'alive']);
    expect(await store.rows('logout', 'channel = ?', 'replaced')).toEqual([]);
    await store.recorder.endUser(issuer, 'alice');
    expect([await look(store, session), await look(store, next)]).toEqual(['logged_out', 'logged_out']);
    clock.advance(FOR_GOOD);
    await endIdle();
    expect(await ended()).toHaveLength(1);
  });

  it('the same ID token again is refused as idle, and its session ends at once', async () => {
    const idToken = store.idToken({ sub: 'alice', sid: 'sid' });
    const session = await store.registry.register({ idToken });
    clock.advance(IDLE);
    await expect(store.registry.register({ idToken })).rejects.toMatchObject({ code: 'session_idle' });
    expect(await ended()).toEqual(await targetsOf(session));
    await expect(store.registry.register({ idToken })).rejects.toMatchObject({ code: 'session_idle' });
    expect(await ended()).toHaveLength(1);
  });

  it('a use whose commit is late, by more than the grace, revives no session that has ended', async () => {
    const session = await signIn();
    clock.advance(IDLE - MINUTE);
    const usedAt = clock.now();
    let commit: () => void = () => undefined;
    const hanging = new Promise<void>((resolve) => (commit = resolve));
    // the clock stands in the text of the statement already
    const restore = intercept(store.database, async (run, sql, parameters) => {
      if (/INSERT.*session_activity/.test(sql)) await hanging;
      return run(sql, parameters);
    });
    expect(await use(store, session)).toBe('alive');
    const recording = store.activity?.wake();
    clock.advance(FOR_GOOD - IDLE + MINUTE);
    await endIdle(await open());
    expect(await ended()).toHaveLength(1);
    commit();
    await recording;
    restore();
    expect(await store.rows('session_activity')).toMatchObject([{ session_id: session.id }]);
    expect(clock.now() - usedAt).toBeLessThan(IDLE);
    expect(await look(store, session)).toBe('idle');
    // the row is of no use, and goes in its time
    clock.advance(FOR_GOOD);
    await endIdle();
    expect([await store.rows('session_activity'), (await ended()).length]).toEqual([[], 1]);
  });

  it('ends nothing while the clocks differ by more than a minute, and nothing by a clock that jumps during its run', async () => {
    const session = await signIn();
    clock.advance(FOR_GOOD - 2 * MINUTE);
    clock.databaseAhead += 61 * SECOND + IDLE;
    await endIdle();
    expect(await ended()).toEqual([]);
    clock.databaseAhead -= 61 * SECOND + IDLE;
    const restore = intercept(store.database, async (run, sql, parameters) => {
      const result = await run(sql, parameters);
      if (sql.includes('now_at')) clock.databaseAhead += IDLE;
      return result;
    });
    await endIdle();
    restore();
    clock.databaseAhead -= IDLE;
    expect(await ended()).toEqual([]);
    expect(await look(store, session)).toBe('idle');
    clock.advance(2 * MINUTE);
    await endIdle();
    expect(await ended()).toHaveLength(1);
  });

  it('finds the sessions that are registered after the clock has stepped back', async () => {
    await signIn();
    clock.advance(FOR_GOOD);
    await endIdle();
    clock.advance(-DAY);
    const session = await signIn();
    clock.advance(FOR_GOOD);
    await endIdle();
    expect(await ended()).toEqual(expect.arrayContaining(await targetsOf(session)));
  });

  it('finds the sessions of a time when the clock was behind, after more than a page of others', async () => {
    for (let n = 0; n < 100; n++) {
      await store.repository.insertSession({
        ...{ id: `${n}`.padStart(64, '0'), issuer, clientId, sid: `s-${n}`, sub: 'alice', iat: 1 },
        ...{ lifetime: DAY, idTokenHash: `${n}` },
      });
    }
    clock.advance(FOR_GOOD);
    await endIdle();
    expect(await ended()).toHaveLength(100);
    // only the database's clock, so the job ends nothing meanwhile
    clock.databaseAhead -= DAY;
    const [neverUsed, used] = [await signIn(), await signIn()];
    clock.advance(DUE);
    await record(used);
    await endIdle();
    expect(await ended()).toHaveLength(100);
    clock.databaseAhead += DAY;
    await endIdle();
    expect(await ended()).toEqual(expect.arrayContaining(await targetsOf(neverUsed, used)));
    expect(await store.rows('session_activity')).toEqual([]);
  });

  it('goes on in the next run after a failure of the store, wherever it comes', async () => {
    const sessions: RegisteredSession[] = [];
    for (let n = 0; n < 4; n++) sessions.push(await signIn());
    clock.advance(DUE);
    for (const session of sessions.slice(2)) await record(session);
    clock.advance(FOR_GOOD);
    for (let n = 1, statements = 2; n <= statements; n++) {
      let count = 0;
      const restore = intercept(store.database, (run, sql, parameters) => {
        count += 1;
        if (count === n) failNext(store.database);
        return run(sql, parameters);
      });
      await endIdle();
      restore();
      statements = count;
    }
    await endIdle();
    expect((await ended()).sort()).toEqual((await targetsOf(...sessions)).sort());
    expect(await store.rows('session_activity')).toEqual([]);
  });

  it('a failure of the store at the end of a session leaves its use, so the next run ends it', async () => {
    const session = await signIn();
    clock.advance(1);
    for (let n = 0; n < 100; n++) await insertSession(n);
    clock.advance(DUE);
    await record(session);
    // this run looks at all sessions without a use, and never looks at them again
    clock.advance(FOR_GOOD - DUE);
    await endIdle();
    expect(await ended()).toHaveLength(100);
    clock.advance(DUE);
    const restore = intercept(store.database, (run, sql, parameters) => {
      const isEnd = sql.includes(`INTO ${store.database.tables.logout} `);
      return isEnd ? Promise.reject(new StoreUnavailableError(new Error('down'))) : run(sql, parameters);
    });
    await endIdle();
    restore();
    expect(await ended()).toHaveLength(100);
    await endIdle();
    expect(await ended()).toEqual(expect.arrayContaining(await targetsOf(session)));
    expect(await store.rows('session_activity')).toEqual([]);
  });

  it('looks at each session without a use once, not at every run', async () => {
    for (let n = 0; n < 230; n++) await insertSession(n);
    clock.advance(FOR_GOOD);
    const seen: string[] = [];
    const restore = intercept(store.database, (run, sql, parameters) => {
      if (sql.includes('registered_at <=') && sql.includes('CASE WHEN (SELECT')) seen.push(sql);
      return run(sql, parameters);
    });
    await endIdle();
    expect([seen.length, (await ended()).length]).toEqual([3, 230]);
    await endIdle();
    expect([seen.length, (await ended()).length]).toEqual([4, 230]);
    restore();
  });

  it('one run ends a thousand sessions at most, and the next ones go on', async () => {
    for (let n = 0; n < 2_100; n += 100) {
      const values = Array.from({ length: 100 }, (_, i) => {
        const id = `${n + i}`.padStart(64, '0');
        return `('${id}', '${issuer}', 'app', 's${id}', 'alice', 1, ${clock.now()}, ${clock.now() + DAY}, 't${id.slice(1)}', 'l${id.slice(1)}', 'u', 'h${id.slice(1)}')`;
      });
      await store.database.run(
        `INSERT INTO oneid_session (id, issuer, client_id, sid, sub, issued_at, registered_at, expires_at, target_session,
           target_sid, target_sub, id_token_hash) VALUES ${values.join(', ')}`,
      );
    }
    clock.advance(FOR_GOOD);
    const counts: number[] = [];
    for (let run = 0; run < 3; run++) {
      await endIdle();
      counts.push((await ended()).length);
    }
    expect(counts).toEqual([1_000, 2_000, 2_100]);
  });

  it('memory of a replica refuses an ended session as idle, and a real logout outranks it there, too', async () => {
    const { repository, database: own, bus, idleLimit } = store;
    const bounds = { maxStalenessMs: 500, allowDuringOutageMs: 0 };
    const follower = new LogoutFollower(repository, new ReplicaRepository(own), bus, clock, new Random(), {
      ...{ answers: true, ...bounds, retention: 10 * MINUTE },
    });
    const memory = new CachedSessionLookup(repository, follower, clock, { ...bounds, maxSessions: 10, idleLimit });
    const session = await signIn('alice');
    await follower.look();
    await memory.check(session.id);
    // as a replica with a shorter time may do
    await store.recorder.endSession(session, 'idle');
    await follower.look();
    const statements: string[] = [];
    const restore = intercept(own, (run, sql, parameters) => {
      statements.push(sql);
      return run(sql, parameters);
    });
    expect(await memory.check(session.id)).toMatchObject({ endedBy: 'idle' });
    restore();
    expect(statements).toEqual([]);
    await store.recorder.endUser(issuer, 'alice');
    await follower.look();
    expect(await memory.check(session.id)).toMatchObject({ endedBy: 'admin' });
    expect((await repository.check(session.id))?.endedBy).toBe('admin');
  });

  it.each(['off', (10 * IDLE) / SECOND] as const)(
    'leaves the sessions of another app that shares the database alone, where maxIdleSeconds is %s',
    async (maxIdleSeconds) => {
      const ours = await open(IDLE / SECOND, { clients: [{ issuer, clientId: 'app' }] });
      const theirs = await open(maxIdleSeconds, { clients: [{ issuer, clientId: 'other' }] });
      const signInAt = (client: string) =>
        store.registry.register({ idToken: store.idToken({ sub: 'alice', sid: 'sid', clientId: client }) });
      // more than one page of theirs before ours, with and without a use
      const others: RegisteredSession[] = [];
      for (let n = 0; n < 120; n++) others.push(await signInAt('other'));
      const own = [await signInAt('app'), await signInAt('app')];
      clock.advance(DUE);
      for (const session of others.slice(0, 110)) {
        await store.database.run('INSERT INTO oneid_session_activity (session_id, active_at) VALUES (?, ?)', [
          ...[session.id, clock.now()],
        ]);
      }
      clock.advance(1);
      await record(own[0] as RegisteredSession);
      const uses = () => store.rows('session_activity').then((rows) => rows.map((row) => String(row['session_id'])));
      clock.advance(FOR_GOOD);
      await endIdle(ours);
      expect((await ended()).sort()).toEqual((await targetsOf(...own)).sort());
      for (const session of others) expect(await look(theirs, session)).toBe('alive');
      expect((await uses()).sort()).toEqual(
        others
          .slice(0, 110)
          .map(({ id }) => id)
          .sort(),
      );
      await endIdle(theirs);
      expect(await ended()).toHaveLength(2);
    },
  );

  it('a request with the token of another app is no use of its session, and revives it not', async () => {
    const session = await signIn();
    const theirs = await open((10 * IDLE) / SECOND, { clients: [{ issuer, clientId: 'other' }] });
    clock.advance(IDLE);
    expect([await look(store, session), await use(theirs, session)]).toEqual(['idle', 'unknown']);
    await theirs.activity?.wake();
    expect([await look(store, session), await store.rows('session_activity')]).toEqual(['idle', []]);
  });

  it('without the option, no job ends anything', async () => {
    expect((await open('off')).idleEnds).toBeUndefined();
  });

  it('a page of the uses has the oldest ones first, and leaves out later ones', async () => {
    const sessions = [await signIn(), await signIn(), await signIn()];
    for (const [n, { id }] of sessions.entries()) {
      await store.database.run('INSERT INTO oneid_session_activity (session_id, active_at) VALUES (?, ?)', [
        id,
        30 - n,
      ]);
    }
    const idle = new IdleSessions(store.database);
    const [a, b, c] = sessions.map(({ id }) => id);
    const found = async (until: number, after: IdlePosition, limit: number) =>
      (await idle.findLongUnused(until, 0, after, limit)).sessions.map(({ id }) => id);
    const beginning = { at: 0, id: '' };
    expect(await found(30, beginning, 2)).toEqual([c, b]);
    expect(await found(29, beginning, 9)).toEqual([c, b]);
    expect(await found(30, { at: 28, id: String(c) }, 9)).toEqual([b, a]);
    await idle.forgetUses([a, b, c].map(String), 29);
    const isAlive = true;
    expect(await idle.findLongUnused(30, 0, beginning, 1)).toEqual({
      ...{ sessions: [{ id: a, issuer, clientId, isAlive }], gone: [], last: { at: 30, id: a } },
    });
    await store.database.run('DELETE FROM oneid_session WHERE id = ?', [String(a)]);
    expect(await idle.findLongUnused(30, 0, beginning, 9)).toEqual({ sessions: [], gone: [a], last: undefined });
  });
});
