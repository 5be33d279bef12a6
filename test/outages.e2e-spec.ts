import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type INestApplication, type INestApplicationContext } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import {
  OneIdLogoutModule,
  type OneIdLogoutOptions,
  type RegisteredSession,
  SessionRejectedError,
  StoreUnavailableError,
} from 'nestjs-oneid-logout';
import { LogoutFollower } from '../libs/oneid-logout/src/replicas/logout-follower.js';
import { Clock } from '../libs/oneid-logout/src/clock.js';
import { DatabaseConnector } from '../libs/oneid-logout/src/database/database-connector.js';
import { SessionRepository } from '../libs/oneid-logout/src/store/session.repository.js';
import { SessionDatabase } from '../libs/oneid-logout/src/database/session-database.js';
import { SessionJudge } from '../libs/oneid-logout/src/guard/session-judge.js';
import { OutageWatch } from '../libs/oneid-logout/src/sessions/outage-watch.js';
import { startReplica } from './support/replica.js';
import { targetOf } from '../libs/oneid-logout/src/rule/targets.js';
import { databases, type TestDatabase } from './support/databases.js';
import {
  clientId,
  intercept,
  issuer,
  numberOf,
  SessionStore,
  type SessionStoreSettings,
} from './support/session-store.js';
import { TestClock } from './support/test-clock.js';

const SECOND = 1_000;
const target = targetOf('client', issuer, clientId);

describe.each(databases)('an outage in which no replica can record logouts, on $name', (database) => {
  let testDatabase: TestDatabase;
  let clock: TestClock;
  const replicas: SessionStore[] = [];
  beforeEach(async () => {
    testDatabase = await database.take();
    // it stands still, so that a test says how long an outage lasts
    clock = new TestClock(Date.now());
  });
  afterEach(async () => {
    await Promise.all(replicas.splice(0).map((replica) => replica.close()));
    await testDatabase.drop();
  });

  /** Starts a replica on the database. It writes when a test calls `wake()`. */
  const start = async (settings: SessionStoreSettings = {}): Promise<SessionStore> => {
    const replica = await SessionStore.open(testDatabase, { clock, reconfirmAfterOutageSeconds: 30, ...settings });
    replicas.push(replica);
    await replica.outages.wake();
    return replica;
  };
  let made = 0;
  const signIn = (replica: SessionStore, facts: { clientId?: string; sub?: string; sid?: string } = {}) => {
    made += 1;
    const login = { sub: `user-${made}`, sid: `sid-${made}` };
    return replica.registry.register({ idToken: replica.idToken({ ...login, ...facts }) });
  };
  const stateOf = async (replica: SessionStore, { sessionToken }: RegisteredSession): Promise<string> => {
    const verdict = await replica.judge.judge({ sessionToken });
    return 'alive' in verdict ? 'alive' : verdict.reason;
  };
  /** A write one millisecond later, because MySQL does not count a row that keeps its value. */
  const expectRecordable = async (replica: SessionStore, now = clock.now()) => {
    expect([now, now + 1]).toContain(await recordableUntil(replica));
  };
  const recordableUntil = async (replica: SessionStore) =>
    numberOf((await replica.rows('recording_time'))[0], 'recordable_until');

  it('the first start is no outage', async () => {
    const off = await start({ reconfirmAfterOutageSeconds: undefined });
    const session = await signIn(off);
    expect(await off.rows('recording_time')).toEqual([]);
    clock.advance(3_600 * SECOND);
    const replica = await start();
    expect(await stateOf(replica, session)).toBe('alive');
    expect(await replica.rows('logout')).toEqual([]);
    expect(await replica.rows('recording_time')).toMatchObject([{ target }]);
    await expectRecordable(replica);
  });

  it('one longer than the option ends all sessions of the client with one row, before the next request is answered', async () => {
    const replica = await start();
    const sessions = [await signIn(replica), await signIn(replica)];
    const other = await signIn(replica, { clientId: 'another app' });
    clock.advance(30 * SECOND + 2);
    expect(await stateOf(replica, sessions[0] ?? other)).toBe('unconfirmed');
    expect(await stateOf(replica, sessions[1] ?? other)).toBe('unconfirmed');
    // another app writes its own times, because OneID sends it its own logouts
    expect(await stateOf(replica, other)).toBe('alive');
    const rows = await replica.rows('logout');
    expect(rows).toMatchObject([{ target, channel: 'unconfirmed', issued_until: null }]);
    expect(numberOf(rows[0], 'registered_until')).toBe(clock.now());
    await expectRecordable(replica);
    expect(await stateOf(replica, await signIn(replica))).toBe('alive');
  });

  it('of one of two clients ends the sessions of this client, while the times of the other one go on', async () => {
    const both = await start({ clients: [clientId, 'other'].map((id) => ({ issuer, clientId: id })) });
    const [session, other] = [await signIn(both), await signIn(both, { clientId: 'other' })];
    const one = await start();
    for (let n = 0; n < 4; n++) {
      clock.advance(10 * SECOND);
      await one.outages.wake();
    }
    expect([await stateOf(both, session), await stateOf(both, other)]).toEqual(['alive', 'unconfirmed']);
    const ended = targetOf('client', issuer, 'other');
    expect(await both.rows('logout')).toMatchObject([{ target: ended, channel: 'unconfirmed' }]);
  });

  it('one as long as the option ends no session', async () => {
    const replica = await start();
    const session = await signIn(replica);
    clock.advance(30 * SECOND);
    expect(await stateOf(replica, session)).toBe('alive');
    expect(await replica.rows('logout')).toEqual([]);
  });

  it('a replica that starts finds it', async () => {
    const before = await start();
    const session = await signIn(before);
    clock.advance(31 * SECOND);
    const after = await start();
    expect(await after.rows('logout')).toMatchObject([{ target, channel: 'unconfirmed' }]);
    expect(await stateOf(after, session)).toBe('unconfirmed');
  });

  it('two replicas that find it at the same time store one row', async () => {
    const [one, two] = [await start(), await start()];
    const session = await signIn(one);
    clock.advance(31 * SECOND);
    // the second replica stops after it has found the outage, and goes on when the first one has ended it
    let goOn = (): void => undefined;
    const firstIsReady = new Promise<void>((resolve) => (goOn = resolve));
    const found = new Promise<void>((resolve) => {
      const restore = intercept(two.database, async (run, sql, parameters) => {
        if (!sql.includes('client_target')) return run(sql, parameters);
        restore();
        resolve();
        await firstIsReady;
        return run(sql, parameters);
      });
    });
    const late = two.outages.confirm();
    await found;
    await one.outages.confirm();
    const back = await signIn(one);
    clock.advance(SECOND);
    goOn();
    await late;
    expect(await two.rows('logout')).toHaveLength(1);
    expect([await stateOf(two, session), await stateOf(two, back)]).toEqual(['unconfirmed', 'alive']);
  });

  it('lets no request pass whose answer was read before the row, and comes after it', async () => {
    const replica = await start();
    const { sessionToken } = await signIn(replica);
    const claims = { iss: issuer, sub: 'alice', sid: 'login', iat: clock.seconds, azp: clientId };
    clock.advance(31 * SECOND);
    let deliver = (): void => undefined;
    const mayDeliver = new Promise<void>((resolve) => (deliver = resolve));
    const read: Promise<unknown>[] = [];
    /** The next answer comes late. */
    const late =
      <Q, A>(ask: (question: Q) => Promise<A>) =>
      async (question: Q): Promise<A> => {
        const answer = ask(question);
        read.push(answer);
        await mayDeliver;
        return answer;
      };
    const { repository } = replica;
    const check = repository.check.bind(repository);
    const endedBy = repository.endedBy.bind(repository);
    Object.assign(repository, { check: late(check), endedBy: late(endedBy) });
    const verdicts = [replica.judge.judge({ sessionToken }), replica.judge.judge({ claims })];
    await Promise.all(read);
    Object.assign(repository, { check, endedBy });
    await replica.outages.wake();
    deliver();
    expect([read.length, ...(await Promise.all(verdicts))]).toEqual([
      2,
      { reason: 'unconfirmed' },
      { reason: 'unconfirmed' },
    ]);
  });

  it('a sign-in in the middle of it first ends it, and lives', async () => {
    const replica = await start();
    const before = await signIn(replica, { sub: 'alice', sid: 'login' });
    clock.advance(31 * SECOND);
    const back = await signIn(replica, { sub: 'alice', sid: 'login' });
    expect([await stateOf(replica, before), await stateOf(replica, back)]).toEqual(['unconfirmed', 'alive']);
    expect(back.registeredAt).toBe((numberOf((await replica.rows('logout'))[0], 'registered_until') ?? 0) + 1);
  });

  it('the same ID token again, of a session before it, gets 401 session_unconfirmed, also a refresh', async () => {
    const replica = await start();
    const idToken = replica.idToken({ sub: 'alice', sid: 'login' });
    const { id } = await replica.registry.register({ idToken });
    clock.advance(31 * SECOND);
    const { registry } = replica;
    for (const refuse of [() => registry.register({ idToken }), () => registry.refresh(id, {})]) {
      const refused = refuse();
      await expect(refused).rejects.toBeInstanceOf(SessionRejectedError);
      await expect(refused).rejects.toMatchObject({
        code: 'session_unconfirmed',
        message: 'OneID must confirm the session again after an outage',
      });
    }
  });

  it('a crash after the row leaves it open, and the next replica stores no second row', async () => {
    const replica = await start();
    const session = await signIn(replica);
    clock.advance(31 * SECOND);
    const restore = intercept(replica.database, (run, sql, parameters) =>
      sql.includes('AND recordable_until = ?')
        ? Promise.reject(new StoreUnavailableError(new Error('the process has crashed')))
        : run(sql, parameters),
    );
    await expect(replica.outages.confirm()).rejects.toBeInstanceOf(StoreUnavailableError);
    restore();
    const [row] = await replica.rows('logout');
    clock.advance(9 * SECOND);
    const next = await start();
    expect(await next.rows('logout')).toMatchObject([{ id: row?.['id'], registered_until: row?.['registered_until'] }]);
    expect(await stateOf(next, session)).toBe('unconfirmed');
    await expectRecordable(next);
  });

  it('the reason is logged_out where a logout has ended the session, before it or after it', async () => {
    const replica = await start();
    const [early, late, other] = [await signIn(replica), await signIn(replica), await signIn(replica)];
    const reasons = () => Promise.all([early, late, other].map((session) => stateOf(replica, session)));
    await replica.recorder.recordBackchannel(replica.logout({ sid: early.sid }));
    clock.advance(31 * SECOND);
    expect(await reasons()).toEqual(['logged_out', 'unconfirmed', 'unconfirmed']);
    await replica.recorder.recordBackchannel(replica.logout({ sid: late.sid }));
    expect(await reasons()).toEqual(['logged_out', 'logged_out', 'unconfirmed']);
    await replica.recorder.endEveryone(issuer, clientId);
    expect(await reasons()).toEqual(['logged_out', 'logged_out', 'logged_out']);
  });

  it('ends the bearer tokens of the client that were issued before its end', async () => {
    const replica = await start();
    const verdictOf = (iat: number, azp: string) =>
      replica.judge.judge({ claims: { iss: issuer, sub: 'alice', sid: 'login', iat, azp } });
    const iat = clock.seconds;
    clock.advance(31 * SECOND);
    expect(await verdictOf(iat, clientId)).toEqual({ reason: 'unconfirmed' });
    expect(await verdictOf(iat, 'another app')).toMatchObject({ alive: { iat } });
    expect(await verdictOf(clock.seconds + 1, clientId)).toMatchObject({ alive: { sub: 'alice' } });
  });

  it('a deploy leaves none: a replica writes a last time when it stops, and the next one begins', async () => {
    const one = await start();
    const session = await signIn(one);
    for (let deploy = 0; deploy < 3; deploy++) {
      clock.advance(20 * SECOND);
      const next = await start();
      clock.advance(20 * SECOND);
      await next.outages.close();
      await expectRecordable(next);
    }
    clock.advance(30 * SECOND);
    const last = await start();
    expect([await stateOf(last, session), await last.rows('logout')]).toEqual(['alive', []]);
  });

  it('a replica that stops in the middle of it leaves it open', async () => {
    const replica = await start();
    const session = await signIn(replica);
    const until = await recordableUntil(replica);
    clock.advance(31 * SECOND);
    await replica.outages.close();
    expect(await recordableUntil(replica)).toBe(until);
    await expect(stateOf(replica, session)).rejects.toBeInstanceOf(StoreUnavailableError);
    expect(await stateOf(await start(), session)).toBe('unconfirmed');
  });

  it('is none while one replica is cut off from the database and another one is not', async () => {
    const [cutOff, other] = [await start(), await start()];
    const session = await signIn(other);
    const restore = intercept(cutOff.database, () =>
      Promise.reject(new StoreUnavailableError(new Error('the database is gone'))),
    );
    for (let write = 0; write < 9; write++) {
      clock.advance(5 * SECOND);
      await Promise.all([cutOff.outages.wake(), other.outages.wake()]);
    }
    await expect(stateOf(cutOff, session)).rejects.toBeInstanceOf(StoreUnavailableError);
    restore();
    expect([await stateOf(cutOff, session), await stateOf(other, session)]).toEqual(['alive', 'alive']);
    expect(await other.rows('logout')).toEqual([]);
  });

  it('lets no request pass while the database can be read but not written, and ends when it can be written', async () => {
    const replica = await start();
    const session = await signIn(replica);
    const restore = intercept(replica.database, (run, sql, parameters) =>
      sql.startsWith('SELECT')
        ? run(sql, parameters)
        : Promise.reject(new StoreUnavailableError(new Error('the database is read-only'))),
    );
    clock.advance(26 * SECOND);
    expect(await stateOf(replica, session)).toBe('alive');
    clock.advance(5 * SECOND);
    const refused = stateOf(replica, session);
    await expect(refused).rejects.toBeInstanceOf(StoreUnavailableError);
    await expect(refused).rejects.toMatchObject({ cause: { cause: new Error('the database is read-only') } });
    restore();
    expect(await stateOf(replica, session)).toBe('unconfirmed');
  });

  it('a trial of the option: the replicas without it, which go on running, write on after the trial', async () => {
    const off = await start({ reconfirmAfterOutageSeconds: undefined });
    off.outages.start();
    const session = await signIn(off);
    const trial = await start();
    await trial.outages.close();
    for (let minute = 0; minute < 3; minute++) {
      clock.advance(60 * SECOND);
      await off.outages.run;
    }
    const again = await start();
    expect([await stateOf(again, session), await again.rows('logout')]).toEqual(['alive', []]);
    await off.outages.close();
  });

  it('the option off and on again: a replica without it goes on writing', async () => {
    const on = await start();
    const session = await signIn(on);
    const off = await start({ reconfirmAfterOutageSeconds: undefined });
    await on.outages.close();
    for (let hour = 0; hour < 3; hour++) {
      clock.advance(3_600 * SECOND);
      expect(await stateOf(off, session)).toBe('alive');
      await off.outages.wake();
    }
    const again = await start();
    expect([await stateOf(again, session), await again.rows('logout')]).toEqual(['alive', []]);
  });

  it('two replicas with different values: the first one that writes decides', async () => {
    const patient = { reconfirmAfterOutageSeconds: 300 };
    const [one, two] = [await start(), await start(patient)];
    const session = await signIn(one);
    clock.advance(60 * SECOND);
    await two.outages.wake();
    expect([await stateOf(one, session), await stateOf(two, session)]).toEqual(['alive', 'alive']);
    clock.advance(60 * SECOND);
    await one.outages.wake();
    expect([await stateOf(one, session), await stateOf(two, session)]).toEqual(['unconfirmed', 'unconfirmed']);
  });

  it.each([31, -31, 61, -61, 86_400])("a jump of the database's clock by %d s is none", async (jump) => {
    const replica = await start();
    const session = await signIn(replica);
    clock.advance(5 * SECOND);
    clock.databaseAhead += jump * SECOND;
    await replica.outages.wake();
    expect([await stateOf(replica, session), await replica.rows('logout')]).toEqual(['alive', []]);
    await expectRecordable(replica, clock.now() + jump * SECOND);
    clock.databaseAhead -= jump * SECOND;
    await replica.outages.wake();
    expect([await stateOf(replica, session), await replica.rows('logout')]).toEqual(['alive', []]);
    await expectRecordable(replica);
  });

  it("a replica that boots before the next write after a jump of the database's clock takes the jump for one", async () => {
    const running = await start();
    const sessions = [await signIn(running), await signIn(running)];
    const states = () => Promise.all(sessions.map((session) => stateOf(running, session)));
    // the running replica writes first: the jump ends nothing
    clock.databaseAhead += 40 * SECOND;
    await running.outages.wake();
    await start();
    expect(await states()).toEqual(['alive', 'alive']);
    // by more than a minute, the clocks then differ
    clock.databaseAhead += 40 * SECOND;
    await start();
    expect(await states()).toEqual(['alive', 'alive']);
    clock.databaseAhead = 0;
    await running.outages.wake();
    clock.databaseAhead += 40 * SECOND;
    await start();
    expect(await states()).toEqual(['unconfirmed', 'unconfirmed']);
  });

  it('writes and reads with the priority of logouts', async () => {
    const replica = await start();
    const lanes = new Map<string, unknown>();
    const { database: traced } = replica;
    const run: SessionStore['database']['run'] = traced.run.bind(traced);
    traced.run = (sql, parameters, options) => {
      if (sql.includes('oneid_recording_time')) lanes.set(sql, options?.lane);
      return run(sql, parameters, options);
    };
    clock.advance(31 * SECOND);
    await replica.outages.confirm();
    expect([...lanes.values()]).toEqual(['logout', 'logout', 'logout']);
  });
});

describe.each(databases)('an outage, and replicas that answer from memory, on $name', (database) => {
  let testDatabase: TestDatabase;
  let clock: TestClock;
  let writer: SessionStore;
  const apps: INestApplication[] = [];
  beforeEach(async () => {
    testDatabase = await database.take();
    clock = new TestClock(Date.now());
    writer = await SessionStore.open(testDatabase, { clock, reconfirmAfterOutageSeconds: 30 });
    await writer.outages.wake();
  });
  afterEach(async () => {
    for (const app of apps.splice(0)) await app.close();
    await writer.close();
    await testDatabase.drop();
  });

  const optionsWith = (options: Partial<OneIdLogoutOptions> = {}): OneIdLogoutOptions => ({
    clients: [{ issuer, clientId, postLogoutRedirectUri: 'https://app.example/logout/callback' }],
    database: testDatabase.options,
    liveness: { maxStalenessMs: 500 },
    reconfirmAfterOutageSeconds: 30,
    fetch: () => Promise.reject(new TypeError('there is no OneID here')),
    ...options,
  });
  /** A whole app that does not listen. It looks at the database when a test says so. */
  const boot = async (options?: Partial<OneIdLogoutOptions>): Promise<INestApplication> => {
    const app = await startReplica(optionsWith(options), clock);
    apps.push(app);
    return app;
  };
  /** As {@link boot}, and it has written that it can record logouts. */
  const start = async (options?: Partial<OneIdLogoutOptions>): Promise<INestApplication> => {
    const app = await boot(options);
    await outages(app).wake();
    return app;
  };
  const signIn = (sid: string) => writer.registry.register({ idToken: writer.idToken({ sub: 'alice', sid }) });
  const stateOf = async (app: INestApplication, { sessionToken }: RegisteredSession): Promise<string> => {
    const verdict = await app.get(SessionJudge).judge({ sessionToken });
    return 'alive' in verdict ? 'alive' : verdict.reason;
  };
  const statementsOf = async (app: INestApplication, work: () => Promise<unknown>): Promise<string[]> => {
    const seen: string[] = [];
    const restore = intercept(app.get(SessionDatabase, { strict: false }), (run, sql, parameters) => {
      seen.push(sql);
      return run(sql, parameters);
    });
    await work();
    restore();
    return seen;
  };
  const failing = (app: INestApplication, matches: (sql: string) => boolean) =>
    intercept(app.get(SessionDatabase, { strict: false }), (run, sql, parameters) =>
      matches(sql)
        ? Promise.reject(new StoreUnavailableError(new Error('the database is gone')))
        : run(sql, parameters),
    );
  const follower = (app: INestApplication) => app.get(LogoutFollower, { strict: false });
  const outages = (app: INestApplicationContext) => app.get(OutageWatch, { strict: false });

  it('a busy session costs no statement more', async () => {
    const app = await start();
    const session = await signIn('login');
    expect(await stateOf(app, session)).toBe('alive');
    expect(await statementsOf(app, () => stateOf(app, session))).toEqual([]);
    const strict = await start({ liveness: 'strict' });
    const statements = await statementsOf(strict, () => stateOf(strict, session));
    expect(statements.filter((sql) => sql.includes('oneid_recording_time'))).toEqual([]);
  });

  it('an app that begins to listen ends it', async () => {
    const session = await signIn('login');
    clock.advance(31 * SECOND);
    const app = await boot();
    await app.listen(0);
    await outages(app).run;
    expect(await writer.rows('logout')).toMatchObject([{ target, channel: 'unconfirmed' }]);
    expect(await stateOf(app, session)).toBe('unconfirmed');
  });

  it('the first request ends it in an app that another server serves', async () => {
    const session = await signIn('login');
    clock.advance(31 * SECOND);
    expect(await stateOf(await boot(), session)).toBe('unconfirmed');
  });

  it.each([
    ['a boot that fails before the app listens', boot],
    [
      'a process without HTTP, such as a command',
      async () =>
        (
          await Test.createTestingModule({ imports: [OneIdLogoutModule.forRoot(optionsWith())] })
            .overrideProvider(Clock)
            .useValue(clock)
            .overrideProvider(DatabaseConnector)
            .useValue(clock.connector)
            .compile()
        ).init(),
    ],
  ])('%s does not hide it', async (_, begin) => {
    const session = await signIn('login');
    for (let n = 0; n < 4; n++) {
      const process = await begin();
      clock.advance(10 * SECOND);
      await outages(process).run;
      await process.close();
    }
    apps.length = 0;
    expect(await stateOf(await start(), session)).toBe('unconfirmed');
  });

  it('a shutdown writes a last time', async () => {
    const app = await start();
    clock.advance(20 * SECOND);
    await app.close();
    const [row] = await writer.rows('recording_time');
    expect([clock.now(), clock.now() + 1]).toContain(numberOf(row, 'recordable_until'));
  });

  it.each(['before', 'after'])(
    'another replica ends it: memory refuses the session %s its next look, although the look before was fresh',
    async (when) => {
      const app = await start();
      const session = await signIn('login');
      expect(await stateOf(app, session)).toBe('alive');
      // only the writes fail, so memory stays fresh
      const restore = failing(app, (sql) => sql.includes('oneid_recording_time'));
      for (let n = 0; n < 78; n++) {
        clock.advance(400);
        await follower(app).look();
      }
      expect(follower(app).answersNow).toBe(true);
      await expect(stateOf(app, session)).rejects.toBeInstanceOf(StoreUnavailableError);
      await writer.outages.wake();
      restore();
      if (when === 'after') await follower(app).look();
      expect(await stateOf(app, session)).toBe('unconfirmed');
      expect(await stateOf(app, await signIn('login'))).toBe('alive');
      expect(await writer.rows('logout')).toHaveLength(1);
    },
  );

  it('another replica ends it during a slow write of this one: memory has the logout at once', async () => {
    const app = await start();
    const session = await signIn('login');
    expect(await stateOf(app, session)).toBe('alive');
    const pass = async (seconds: number) => {
      // memory stays fresh
      for (let n = 0; n < seconds * 2; n++) {
        clock.advance(SECOND / 2);
        await follower(app).look();
      }
    };
    await pass(26);
    let goOn = (): void => undefined;
    const mayGoOn = new Promise<void>((resolve) => (goOn = resolve));
    const restore = intercept(app.get(SessionDatabase, { strict: false }), async (run, sql, parameters) => {
      if (sql.includes('oneid_recording_time')) await mayGoOn;
      return run(sql, parameters);
    });
    const slow = outages(app).wake();
    await pass(5);
    await writer.outages.wake();
    goOn();
    await slow;
    restore();
    expect(await stateOf(app, session)).toBe('unconfirmed');
  });

  it('a request after its end joins no read of before', async () => {
    const app = await start();
    const session = await signIn('login');
    clock.advance(31 * SECOND);
    // a fresh declaration, so that callers may share a read
    await follower(app).look();
    let deliver = (): void => undefined;
    const mayDeliver = new Promise<void>((resolve) => (deliver = resolve));
    const repository = app.get(SessionRepository, { strict: false });
    const check = repository.check.bind(repository);
    let read: Promise<unknown> | undefined;
    repository.check = async (hash) => {
      repository.check = check;
      const answer = check(hash);
      read = answer;
      await mayDeliver;
      return answer;
    };
    const early = stateOf(app, session);
    await clock.endOfTurn();
    await read;
    await outages(app).wake();
    const late = stateOf(app, session);
    await clock.endOfTurn();
    deliver();
    expect([read !== undefined, await early, await late]).toEqual([true, 'unconfirmed', 'unconfirmed']);
  });

  it('this replica ends it: memory has the logout at once', async () => {
    const app = await start();
    const session = await signIn('login');
    await stateOf(app, session);
    clock.advance(31 * SECOND);
    await outages(app).wake();
    expect(await stateOf(app, session)).toBe('unconfirmed');
  });

  it('`allowDuringOutageMs` lets in who was alive, until the database is back', async () => {
    const app = await start({ liveness: { maxStalenessMs: 500, allowDuringOutageMs: 60 * SECOND } });
    const session = await signIn('login');
    expect(await stateOf(app, session)).toBe('alive');
    const restore = failing(app, () => true);
    clock.advance(45 * SECOND);
    await follower(app).look();
    expect(await stateOf(app, session)).toBe('alive');
    restore();
    expect(await stateOf(app, session)).toBe('unconfirmed');
  });

  it('without `allowDuringOutageMs`, requests get 503 until the database is back', async () => {
    const app = await start();
    const session = await signIn('login');
    await stateOf(app, session);
    const restore = failing(app, () => true);
    clock.advance(45 * SECOND);
    await expect(stateOf(app, session)).rejects.toBeInstanceOf(StoreUnavailableError);
    restore();
    expect(await stateOf(app, session)).toBe('unconfirmed');
  });

  it('a logout of OneID that waits for the database is the reason', async () => {
    const session = await signIn('login');
    const restore = intercept(writer.database, (run, sql, parameters) =>
      sql.startsWith('INSERT')
        ? Promise.reject(new StoreUnavailableError(new Error('the database is gone')))
        : run(sql, parameters),
    );
    const recording = writer.inbox.record(writer.logout({ sid: 'login' }));
    await expect(recording).rejects.toBeInstanceOf(StoreUnavailableError);
    clock.advance(31 * SECOND);
    restore();
    const verdict = await writer.judge.judge({ sessionToken: session.sessionToken });
    expect(await writer.rows('logout')).toMatchObject([{ target, channel: 'unconfirmed' }]);
    expect(verdict).toEqual({ reason: 'logged_out' });
  });
});
