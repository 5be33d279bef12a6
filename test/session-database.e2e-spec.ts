import { type SqlParameter } from '../libs/oneid-logout/src/database/sql.js';
import { setImmediate as endOfTurn } from 'node:timers/promises';
import { inspect } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import Sqlite from 'better-sqlite3';
import { DataSource } from 'typeorm';
import { oneIdLogoutMigrations, type SessionDatabaseOptions, StoreUnavailableError } from 'nestjs-oneid-logout';
import { IdleLimit } from '../libs/oneid-logout/src/rule/idle-limit.js';
import { ActivityRepository } from '../libs/oneid-logout/src/store/activity.repository.js';
import { SessionDatabase } from '../libs/oneid-logout/src/database/session-database.js';
import { CreateOneIdLogoutTables1790000000000 } from '../libs/oneid-logout/src/database/migrations/1790000000000-create-oneid-logout-tables.js';
import { digest, targetOf } from '../libs/oneid-logout/src/rule/targets.js';
import { databases, sqlite, type TestDatabase } from './support/databases.js';
import { DAY, intercept, issuer, SessionStore } from './support/session-store.js';
import { TcpProxy } from './support/tcp-proxy.js';
import { TestClock } from './support/test-clock.js';

describe.each(databases)('SessionDatabase, on $name', (database) => {
  let testDatabase: TestDatabase;
  let store: SessionStore;
  beforeAll(async () => {
    testDatabase = await database.create();
    store = await SessionStore.open(testDatabase);
  });
  afterAll(async () => {
    await store.close();
    await testDatabase.drop();
  });

  const failure = async (work: Promise<unknown>): Promise<Error> => {
    const error: unknown = await work.catch((error: unknown) => error);
    expect(error).toBeInstanceOf(StoreUnavailableError);
    return error as Error;
  };

  it('attack 7: an error gives its cause, and neither the statement nor its parameters', async () => {
    const error = await failure(store.database.run('SELECT * FROM no_such_table WHERE id = ?', ['a-session-id']));
    expect(inspect(error, { depth: 9, showHidden: true })).not.toContain('a-session-id');
    expect(JSON.stringify(error)).not.toContain('a-session-id');
    expect((error.cause as Error).message).toContain('no_such_table');
    expect(error.cause).not.toHaveProperty('query');
    expect(error.cause).not.toHaveProperty('parameters');
    expect((error.cause as { code?: unknown }).code).toEqual(expect.any(String));
  });

  it('logs why the store fails, at most once a minute', async () => {
    const logged = jest.spyOn(Logger.prototype, 'error').mockReturnValue();
    const fresh = await SessionDatabase.open(testDatabase.options, false);
    for (let n = 0; n < 3; n++) await failure(fresh.run('SELECT * FROM no_such_table WHERE id = ?', ['a-session-id']));
    const messages = logged.mock.calls.map(([message]) => String(message));
    logged.mockRestore();
    await fresh.close();
    expect(messages).toEqual([expect.stringMatching(/^The session store can't answer: .*no_such_table/)]);
    expect(messages.join()).not.toContain('a-session-id');
  });

  it("attack 7: logs no statement, even if the host's options switch logging on", async () => {
    const written: unknown[] = [];
    const spies = (['log', 'info', 'warn', 'error'] as const).map((name) =>
      jest.spyOn(console, name).mockImplementation((...args) => void written.push(...args)),
    );
    const noisy = await SessionDatabase.open(
      { ...testDatabase.options, logging: 'all', maxQueryExecutionTime: 0.0001, logger: 'simple-console' },
      true,
    );
    await noisy.run('SELECT id FROM oneid_session WHERE id = ?', ['a-session-id']);
    await failure(noisy.run('SELECT * FROM no_such_table WHERE id = ?', ['a-session-id']));
    await noisy.close();
    for (const spy of spies) spy.mockRestore();
    expect(inspect(written)).not.toContain('a-session-id');
  });

  it('keeps its rows when a transaction of the host rolls back', async () => {
    const host = await new DataSource(testDatabase.options).initialize();
    const runner = host.createQueryRunner();
    await runner.startTransaction();
    await runner.query('SELECT COUNT(*) FROM oneid_logout');
    const logout = store.logout({ sid: 'of-the-host' });
    await store.recorder.recordBackchannel(logout);
    await runner.rollbackTransaction();
    await host.destroy();
    expect(await store.rows('logout', 'target = ?', targetOf('sid', issuer, 'of-the-host'))).toHaveLength(1);
  });

  it('commits each statement before it returns, so that every other connection sees it', async () => {
    const other = await SessionStore.open(testDatabase);
    for (let n = 0; n < 20; n++) {
      const id = await signIn(store, `user-${n}`);
      expect((await other.repository.check(id))?.endedBy).toBeUndefined();
      await other.recorder.endUser(issuer, `user-${n}`);
      expect((await store.repository.check(id))?.endedBy).toBe('admin');
    }
    await other.close();
  });
});

interface Statement {
  readonly sql: string;
  readonly parameters: readonly SqlParameter[];
}

async function signIn(store: SessionStore, sub: string): Promise<string> {
  return (await store.registry.register({ idToken: store.idToken({ sub, sid: `sid of ${sub}` }) })).id;
}

describe.each(databases.filter(({ name }) => name !== 'SQLite'))('a connection that is cut, on $name', (database) => {
  it('replaces a connection that does not answer in time, so that the pool stays usable', async () => {
    const testDatabase = await database.create();
    const store = await SessionStore.open(testDatabase);
    const hang = testDatabase.options.type === 'postgres' ? 'SELECT pg_sleep(60)' : 'SELECT SLEEP(60)';
    // one hanging statement for each of the pool's ten connections
    const hanging = await Promise.allSettled(Array.from({ length: 10 }, () => store.database.run(hang)));
    expect(hanging.map(({ status }) => status)).toEqual(Array.from({ length: 10 }, () => 'rejected'));

    expect(await store.isAlive(await signIn(store, 'alice'))).toBe(true);
    await store.close();
    await testDatabase.drop();
  });

  describe('S13: the server has ended all idle connections', () => {
    let testDatabase: TestDatabase;
    let proxy: TcpProxy;
    let store: SessionStore;
    beforeEach(async () => {
      testDatabase = await database.create();
      proxy = await TcpProxy.start(urlOf(testDatabase));
      const options = { ...testDatabase.options, url: proxy.url } as SessionDatabaseOptions;
      store = await SessionStore.open({ ...testDatabase, options });
    });
    afterEach(async () => {
      await store.close();
      await proxy.stop();
      await testDatabase.drop();
    });

    /** Ends the library's connections. The library has not noticed when this resolves, and notices after it sends. */
    async function endConnections(): Promise<void> {
      // several statements at once need several connections
      await Promise.all(Array.from({ length: 9 }, () => store.database.run('SELECT 1')));
      const administrator = await new DataSource(testDatabase.options).initialize();
      proxy.silence();
      const ids: { id: number }[] = await administrator.query(
        testDatabase.options.type === 'postgres'
          ? 'SELECT pid AS id FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()'
          : 'SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()',
      );
      expect(ids.length).toBeGreaterThanOrEqual(9);
      for (const { id } of ids) {
        await administrator.query(
          testDatabase.options.type === 'postgres' ? `SELECT pg_terminate_backend(${id})` : `KILL ${id}`,
        );
      }
      await administrator.destroy();
      proxy.mend();
    }

    it('all of twelve requests are answered by the database', async () => {
      const ids = await Promise.all(['alice', 'bob', 'carol'].map((sub) => signIn(store, sub)));
      await store.recorder.endUser(issuer, 'alice');
      await endConnections();
      const asked = Array.from({ length: 12 }, (_, n) => ids[n % 3] ?? '');
      const answers = await Promise.all(asked.map((id) => store.isAlive(id)));
      expect(answers).toEqual(asked.map((_, n) => n % 3 !== 0));
    });

    it('twelve statements, each on its own connection, are all answered', async () => {
      await signIn(store, 'alice');
      await endConnections();
      const asked = Array.from({ length: 12 }, () => store.registry.listAlive({ issuer, sub: 'alice' }));
      expect((await Promise.all(asked)).map(({ length }) => length)).toEqual(asked.map(() => 1));
    });

    it('a write is not sent again: the caller decides', async () => {
      const id = await signIn(store, 'alice');
      await endConnections();
      await expect(store.recorder.endUser(issuer, 'alice')).rejects.toBeInstanceOf(StoreUnavailableError);
      expect(await store.rows('logout')).toEqual([]);
      expect(await store.isAlive(id)).toBe(true);
      await store.recorder.endUser(issuer, 'alice');
      expect(await store.rows('logout')).toHaveLength(1);
      expect(await store.isAlive(id)).toBe(false);
    });
  });
});

function urlOf({ options }: TestDatabase): string {
  return String((options as { url?: string }).url);
}

describe('SQLite, locked by another connection', () => {
  /** The library's pause between two tries, and its limit for a statement: milliseconds. */
  const [PAUSE, LIMIT] = [10, 5_000];

  let clock: TestClock;
  let testDatabase: TestDatabase;
  let store: SessionStore;
  let other: Sqlite.Database;
  beforeEach(async () => {
    clock = new TestClock(Date.now());
    testDatabase = await sqlite.create();
    store = await SessionStore.open(testDatabase, { clock });
    other = new Sqlite((testDatabase.options as { database: string }).database);
  });
  afterEach(async () => {
    other.close();
    await store.close();
    await testDatabase.drop();
  });

  /** Lets time pass in steps, so that each pause between two tries ends in its own turn of the event loop. */
  async function pass(milliseconds: number): Promise<void> {
    for (let passed = 0; passed < milliseconds; passed += PAUSE) {
      await endOfTurn();
      clock.advance(PAUSE);
    }
    await endOfTurn();
  }

  it('keeps the process running, and records the logout when the lock is gone', async () => {
    const id = await signIn(store, 'alice');
    // the driver itself never waits for a lock: it would stop the whole process meanwhile
    expect((await store.database.run('PRAGMA busy_timeout')).rows).toEqual([{ timeout: 0 }]);
    other.exec('BEGIN IMMEDIATE');
    let recorded = false;
    const recording = store.recorder
      .recordBackchannel(store.logout({ sid: 'sid of alice' }))
      .then(() => (recorded = true));
    await pass(30 * PAUSE);
    expect([recorded, await store.isAlive(id)]).toEqual([false, true]);
    other.exec('COMMIT');
    clock.advance(PAUSE);
    await recording;
    expect(await store.isAlive(id)).toBe(false);
  });

  it('answers 503 when the lock stays, and writes nothing later', async () => {
    other.exec('BEGIN IMMEDIATE');
    let refused = false;
    const ending = store.recorder.endUser(issuer, 'bob').catch((error: unknown) => {
      refused = true;
      return error;
    });
    await pass(LIMIT - PAUSE);
    expect(refused).toBe(false);
    await pass(PAUSE);
    expect(await ending).toBeInstanceOf(StoreUnavailableError);
    other.exec('COMMIT');
    await pass(LIMIT);
    await store.recorder.endUser(issuer, 'carol');
    expect(await store.rows('logout', 'target = ?', targetOf('sub', issuer, 'bob'))).toEqual([]);
    expect(await store.rows('logout', 'target = ?', targetOf('sub', issuer, 'carol'))).toHaveLength(1);
  });

  it('boots during the lock when no migration is pending', async () => {
    other.exec('BEGIN IMMEDIATE');
    const opened = await SessionDatabase.open(testDatabase.options, true);
    expect(other.inTransaction).toBe(true);
    other.exec('COMMIT');
    await opened.requireTables();
    await opened.close();
  });

  it('waits for the end of the lock at boot, with runMigrations: false', async () => {
    const opened = await SessionDatabase.open(testDatabase.options, false);
    other.exec('BEGIN IMMEDIATE');
    const checking = opened.requireTables();
    for (let turn = 0; turn < 50; turn++) await endOfTurn();
    other.exec('COMMIT');
    await checking;
    await opened.close();
  });

  it('waits for the end of the lock at boot, and migrates', async () => {
    const fresh = await sqlite.create();
    const first = new Sqlite((fresh.options as { database: string }).database);
    first.exec('BEGIN EXCLUSIVE');
    const opening = SessionDatabase.open(fresh.options, true);
    for (let turn = 0; turn < 50; turn++) await endOfTurn();
    first.exec('COMMIT');
    const opened = await opening;
    expect((await opened.run('SELECT COUNT(*) AS n FROM oneid_session')).rows).toEqual([{ n: 0 }]);
    await opened.close();
    first.close();
    await fresh.drop();
  });
});

describe('two boots on one SQLite file', () => {
  it('run each migration once: the second boot waits and has nothing to do', async () => {
    const testDatabase = await sqlite.create();
    const told = jest.spyOn(console, 'log').mockReturnValue();
    const open = () => SessionDatabase.open(testDatabase.options, true);
    const opening: Promise<SessionDatabase>[] = [];
    let ups = 0;
    const migration = new CreateOneIdLogoutTables1790000000000();
    const up = migration.up.bind(migration);
    const migrating = jest
      .spyOn(CreateOneIdLogoutTables1790000000000.prototype, 'up')
      .mockImplementation(async (runner) => {
        ups += 1;
        opening.push(open());
        for (let turn = 0; turn < 50; turn++) await endOfTurn();
        await up(runner);
      });
    const first = await open();
    const [second] = await Promise.all(opening);
    migrating.mockRestore();
    expect(ups).toBe(1);
    for (const database of [first, second]) {
      const { rows = [] } = (await database?.run('SELECT name FROM oneid_logout_migrations ORDER BY id')) ?? {};
      expect(rows).toEqual(oneIdLogoutMigrations.map(({ name }) => ({ name })));
      await database?.requireTables();
      await database?.close();
    }
    // TypeORM logs no failed migration
    expect(told.mock.calls).toEqual([]);
    told.mockRestore();
    await testDatabase.drop();
  });
});

describe.each(databases)('no statement reads a whole table, on $name', (database) => {
  let testDatabase: TestDatabase;
  let store: SessionStore;
  /** The same with `maxIdleSeconds`. */
  let idling: SessionStore;
  beforeAll(async () => {
    testDatabase = await database.create();
    store = await SessionStore.open(testDatabase);
    idling = await SessionStore.open(testDatabase, { maxIdleSeconds: 3600 });
    await fill(store);
  });
  afterAll(async () => {
    await store.close();
    await idling.close();
    await testDatabase.drop();
  });

  const activity = () => new ActivityRepository(store.database, new IdleLimit(3_600_000));

  /** Enough rows to make an index useful. */
  async function fill({ database }: SessionStore): Promise<void> {
    for (let batch = 0; batch < 20; batch++) {
      const sessions: (string | number | null)[][] = [];
      const logouts: SqlParameter[][] = [];
      for (let n = batch * 250; n < (batch + 1) * 250; n++) {
        const of = (kind: string) => digest([kind, n]);
        sessions.push([
          of('id'),
          issuer,
          'app',
          `sid-${n}`,
          `user-${n}`,
          n,
          null,
          n,
          9e12,
          ...['session', 'sid', 'sub', 'hash'].map(of),
          null,
        ]);
        logouts.push([
          of('logout'),
          of('sid'),
          'backchannel',
          null,
          null,
          null,
          null,
          n,
          n,
          9e12,
          n % 100 === 0 ? n : null,
          null,
          null,
          null,
          null,
        ]);
      }
      const tokens = sessions.map(([id = null]) => [id, 'sealed', 'sealed', null]);
      const aliases = sessions.map(([id = null]) => [digest(['alias', id]), id]);
      const users = sessions.map((_, n) => ['sid', 'sub'].map((kind) => digest([kind, batch * 250 + n])));
      const login_user = users.map((targets) => [...targets, 9e12]);
      const session_activity = sessions.map(([id = null]) => [id, 7]);
      const all = {
        ...{ session: sessions, session_alias: aliases, session_activity },
        ...{ logout: logouts, session_tokens: tokens, login_user },
      };
      for (const [table, rows] of Object.entries(all)) {
        const values = rows.map((row) => `(${row.map(() => '?').join(', ')})`).join(', ');
        await database.run(`INSERT INTO oneid_${table} VALUES ${values}`, rows.flat());
      }
    }
    await analyze();
  }

  async function analyze(): Promise<void> {
    const type = testDatabase.options.type;
    for (const name of ['session', 'session_alias', 'session_activity', 'logout', 'session_tokens', 'login_user']) {
      const table = `oneid_${name}`;
      await store.database.run(type === 'mariadb' || type === 'mysql' ? `ANALYZE TABLE ${table}` : `ANALYZE ${table}`);
    }
  }

  /** The statements that a piece of work runs. */
  async function statementsOf(work: () => Promise<unknown>): Promise<Statement[]> {
    const seen: Statement[] = [];
    const restores = [store, idling].map(({ database }) =>
      intercept(database, (run, sql, parameters) => {
        seen.push({ sql, parameters });
        return run(sql, parameters);
      }),
    );
    await work().finally(() => restores.forEach((restore) => restore()));
    return seen;
  }

  async function planOf({ sql, parameters }: Statement): Promise<string> {
    const explain = testDatabase.options.type === 'better-sqlite3' ? 'EXPLAIN QUERY PLAN' : 'EXPLAIN';
    const { rows } = await store.database.run(`${explain} ${sql}`, parameters);
    return rows.map((row) => JSON.stringify(row)).join('\n');
  }

  /** `c` is the table of the clients, which has a few rows. */
  const whole = {
    'better-sqlite3': /SCAN (s|a|l|t|u|oneid_\w+)\b(?! USING)/,
    postgres: /Seq Scan on (?!oneid_client_target)/,
    mariadb: /"select_type":"(?!INSERT)\w[^"]*","table":"(?!c")\w+","type":"ALL"/,
    mysql: /"select_type":"(?!INSERT)\w[^"]*","table":"(?!c")\w+","type":"ALL"/,
  };

  const work: [string, () => Promise<unknown>][] = [
    ["the guard's check", () => store.isAlive('a'.repeat(64))],
    ['many checks at once', () => Promise.all(Array.from({ length: 9 }, (_, n) => store.isAlive(digest(['id', n]))))],
    [
      'many checks of claims at once',
      () =>
        Promise.all(
          Array.from({ length: 9 }, (_, n) =>
            store.repository.endedBy({ issuer, sid: `${n}`, sub: `${n}`, iat: 1, registeredAt: 1 }),
          ),
        ),
    ],
    ["the guard's check of a session", () => store.isAlive(digest(['id', 7]))],
    ["the guard's check of a further session token", () => store.isAlive(digest(['alias', digest(['id', 7])]))],
    [
      "the guard's check of claims",
      () => store.repository.endedBy({ issuer, sid: 'x', sub: 'y', iat: 1, registeredAt: 1 }),
    ],
    ['a back-channel logout', () => store.recorder.recordBackchannel(store.logout({ sid: 'sid-7', scope: 'user' }))],
    [
      'P4, P5: a back-channel logout of a sid that may be reused, and of the sessions without sid',
      () => store.recorder.recordBackchannel(store.logout({ sid: 'sid-8', sub: 'user-8', authenticatedUntil: 8 })),
    ],
    ['P19: the users of a sid', () => store.repository.findUsers(digest(['sid', 7]))],
    ['P19: whether a user has signed in', () => store.repository.knowsUser(issuer, 'user-7')],
    ['P19: whether a logout may end a sign-in', () => store.repository.hasSignIn([digest(['sid', 7])])],
    ['a front-channel logout', async () => store.recorder.recordFrontchannel(issuer, (await alive()).sid ?? '')],
    ["a user's logout", async () => store.recorder.endLogin(await alive())],
    ["an administrator's logout of a user", () => store.recorder.endUser(issuer, 'user-9')],
    ["an administrator's logout of everyone", () => store.recorder.endEveryone(issuer, 'another app')],
    [
      'the sessions of a clock that was ahead',
      () => store.repository.findRegisteredAfter({ registeredAt: 9, id: '' }, 9),
    ],
    ['the tokens of a logout of everyone', () => store.tokens.findEndedWithEveryone(digest(['logout', 7]), '', 20)],
    [
      'a sign-in',
      () => store.registry.register({ idToken: store.idToken({ sub: 'zoe', sid: 'zoe' }), refreshToken: 'x' }),
    ],
    [
      'a sign-in with the same ID token again',
      async () => {
        const idToken = store.idToken({ sub: 'zoe', sid: 'zoe again' });
        await store.registry.register({ idToken });
        await store.registry.register({ idToken });
      },
    ],
    ["a list of a user's sessions", () => store.registry.listAlive({ issuer, sub: 'user-9' })],
    [
      "the next page of a user's sessions",
      () =>
        store.repository.findAlive('sub', digest(['sub', 9]), 256, {
          before: { registeredAt: 9, id: digest(['id', 9]) },
        }),
    ],
    ['the erasure of a user', () => store.userData.erase(digest(['sub', 9]))],
    [
      "the end of a user's other sessions",
      async () => store.recorder.endSessions([await alive(), await alive()], 'admin'),
    ],
    ['a refresh', async () => store.registry.refresh((await alive()).id, { refreshToken: 'another' })],
    ['the look for tokens to revoke', () => store.revocations.findDue(20)],
    ['a count of the logouts with tokens to revoke', () => store.revocations.countDue()],
    [
      'the lease of a logout',
      async () => {
        for (const due of await store.revocations.findDue(1)) {
          expect(await store.revocations.claim(due)).toBe(true);
          expect(await store.revocations.release(due, due.now)).toBe(true);
        }
      },
    ],
    ['settling logouts without tokens', () => store.revocations.closeLogoutsWithoutTokens(20)],
    ["the guard's check with maxIdleSeconds", () => idling.isAlive(digest(['id', 7]))],
    [
      'many checks at once with maxIdleSeconds',
      () => Promise.all(Array.from({ length: 9 }, (_, n) => idling.isAlive(digest(['id', n])))),
    ],
    ["a list of a user's sessions with maxIdleSeconds", () => idling.registry.listAlive({ issuer, sub: 'user-9' })],
    [
      'the first uses of sessions',
      () =>
        activity().recordFirst(
          [3, 4, 5].map((n) => digest(['id', n])),
          Date.now(),
        ),
    ],
    [
      'later uses of sessions',
      () =>
        activity().recordNext(
          [7, 8, 9].map((n) => digest(['id', n])),
          Date.now(),
        ),
    ],
    ['the recorded uses of sessions', () => activity().findUses([7, 8, 9].map((n) => digest(['id', n])))],
    ['the tokens of a logout', () => store.tokens.findEndedBy(digest(['logout', 7]), '', 20)],
    ['a look for new logouts', () => store.repository.findChanges('nobody', { changedAt: Date.now(), id: '' })],
    ['making tokens due', async () => store.revocations.makeDue(await alive())],
    [
      'a purge',
      async () => {
        const session = await alive();
        await store.recorder.recordFrontchannel(issuer, session.sid ?? '');
        store.clock.databaseAhead = 60 * DAY;
        const purged = await store.purge(100);
        store.clock.databaseAhead = 0;
        expect(purged).toBeGreaterThanOrEqual(3);
      },
    ],
  ];

  async function alive() {
    const sub = `late user ${Math.random()}`;
    return store.registry.register({ idToken: store.idToken({ sub, sid: sub }), refreshToken: 'x' });
  }

  it.each(work)('%s', async (_what, run) => {
    const seen = await statementsOf(run);
    expect(seen).not.toEqual([]);
    for (const statement of seen) {
      const plan = (await planOf(statement)).replace(/^.*"SCAN (\w)".*$/gm, (line, alias: string, _at, all: string) =>
        // SQLite's name for reading the rows of a subquery
        all.includes(`"CO-ROUTINE ${alias}"`) ? '' : line,
      );
      if (whole[testDatabase.options.type].test(plan)) throw new Error(`${statement.sql}\n${plan}`);
    }
  });
});
