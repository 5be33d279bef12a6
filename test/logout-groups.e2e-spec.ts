import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { StoreUnavailableError } from 'nestjs-oneid-logout';
import { type NewLogout } from '../libs/oneid-logout/src/rule/logout.js';
import { digest, targetOf, type TargetKind } from '../libs/oneid-logout/src/rule/targets.js';
import { databases, type TestDatabase } from './support/databases.js';
import { DAY, intercept, issuer, logoutRetention, numberOf, SessionStore } from './support/session-store.js';
import { TestClock } from './support/test-clock.js';

const MINUTE = 60_000;

const sid = (n: number) => ({ kind: 'sid', target: targetOf('sid', issuer, `sid-${n}`) }) as const;

const logout = (n: number, changes: Partial<NewLogout> = {}): NewLogout => ({
  id: digest(['logout', n]),
  ...sid(n),
  channel: 'backchannel',
  iat: 1_790_000_000,
  ...changes,
});

describe.each(databases)('logouts that are recorded at the same time, on $name', (database) => {
  const clock = new TestClock();
  let testDatabase: TestDatabase;
  let store: SessionStore;
  let statements: string[];
  beforeAll(async () => {
    testDatabase = await database.take();
    store = await SessionStore.open(testDatabase, { clock });
    intercept(store.database, (run, sql, parameters) => {
      statements.push(sql);
      return run(sql, parameters);
    });
  });
  beforeEach(async () => {
    statements = [];
    clock.ahead = clock.databaseAhead = 0;
    await store.clear();
    jest.spyOn(Logger.prototype, 'error').mockReturnValue();
  });
  afterAll(async () => {
    jest.restoreAllMocks();
    await store.close();
    await testDatabase.drop();
  });

  const insertAll = (groups: readonly (readonly NewLogout[])[]) =>
    Promise.all(groups.map(async (rows) => (await store.repository.insertLogouts(rows)).length));
  const inserts = () => statements.filter((sql) => sql.includes('INSERT'));
  const numbers = (count: number, first = 0) => Array.from({ length: count }, (_, n) => first + n);

  it('share few statements, are all stored, and each is reported as new', async () => {
    const counts = await insertAll(numbers(500).map((n) => [logout(n)]));
    expect(counts).toEqual(numbers(500).map(() => 1));
    expect(inserts().length).toBeLessThanOrEqual(Math.ceil(500 / 128) + 1);
    expect(await store.rows('logout')).toHaveLength(500);
  });

  it('have the same columns together as alone', async () => {
    const session = { issuer, clientId: 'app', sub: 'alice', iat: 1, lifetime: 5 * DAY };
    clock.databaseAhead = 3 * DAY;
    await store.repository.insertSession({ ...session, id: digest(['s']), sid: 'sid-4', idTokenHash: digest(['h']) });
    clock.databaseAhead = 0;
    const kinds: readonly Partial<NewLogout>[] = [
      {},
      {
        channel: 'admin',
        kind: 'sub',
        target: targetOf('sub', issuer, 'alice'),
        bound: { issuedUntil: 1_790_000_000 },
      },
      { channel: 'frontchannel', bound: { registeredUntil: 0 }, iat: undefined },
      { channel: 'app', bound: { registeredUntil: Date.now() + 9 * DAY } },
      { channel: 'app', bound: { registeredUntil: 0 } },
      {
        channel: 'app',
        kind: 'session',
        target: targetOf('session', issuer, digest(['s'])),
        bound: { registeredUntil: 0 },
      },
      { channel: 'app', kind: 'sub', target: targetOf('sub', issuer, 'alice'), bound: { registeredUntil: 0 } },
    ];
    const timeless = async () => {
      const rows = await store.rows('logout', '1 = 1 ORDER BY id');
      return rows.map((row) => {
        const recordedAt = numberOf(row, 'recorded_at') ?? NaN;
        expect(Math.abs(recordedAt - Date.now())).toBeLessThan(MINUTE);
        // two minutes, because a busy machine may need many seconds between the facts above and their rows
        // plus 0, because a time that is a moment earlier gives -0, which does not equal 0
        const since = (column: string) => Math.round(((numberOf(row, column) ?? NaN) - recordedAt) / (2 * MINUTE)) + 0;
        return {
          ...row,
          recorded_at: 'now',
          changed_at: since('changed_at'),
          keep_until: since('keep_until'),
          revocation_due_at: since('revocation_due_at'),
          registered_until: since('registered_until'),
        };
      });
    };
    const facts = kinds.map((changes, n) => logout(n, changes));
    for (const fact of facts) await store.repository.insertLogouts([fact]);
    const alone = await timeless();
    await store.database.run('DELETE FROM oneid_logout');
    statements = [];
    expect(await insertAll(facts.map((fact) => [fact]))).toEqual(facts.map(() => 1));
    expect(inserts()).toHaveLength(1);
    expect(await timeless()).toEqual(alone);
    const byId = new Map(alone.map((row) => [String((row as { id?: unknown }).id), row]));
    const days = (n: number) =>
      Math.round(((byId.get(digest(['logout', n]))?.registered_until ?? NaN) * 2 * MINUTE) / DAY);
    expect([2, 3, 4, 5, 6].map(days)).toEqual([0, 9, 3, 3, 3]);
    expect(byId.get(digest(['logout', 0]))?.keep_until).toBe(Math.round(logoutRetention / (2 * MINUTE)));
  });

  it('have no tokens due when no tokens are stored', async () => {
    const tokenless = await SessionStore.open(testDatabase, { clock, secrets: [] });
    await Promise.all([0, 1, 2].map((n) => tokenless.repository.insertLogouts([logout(n)])));
    await tokenless.close();
    expect((await store.rows('logout')).map((row) => row['revocation_due_at'])).toEqual([null, null, null]);
  });

  it('BC-8: a known logout is reported as known, and a new logout is reported as new once', async () => {
    await insertAll([[logout(1)], [logout(2)]]);
    const counts = await insertAll([
      [logout(1)],
      [logout(3)],
      [logout(3)],
      [logout(2), logout(4)],
      [logout(4), logout(5)],
      [logout(6)],
    ]);
    // when one logout of a group is known, MySQL gets a statement for each logout, so it is random which of two equal
    // logouts is new
    const sum = counts.reduce((sum, count) => sum + count);
    expect([counts[0], counts[5], sum]).toEqual([0, 1, 4]);
    expect([(counts[1] ?? 0) + (counts[2] ?? 0), (counts[3] ?? 0) + (counts[4] ?? 0)]).toEqual([1, 2]);
    expect(await store.rows('logout')).toHaveLength(6);
  });

  it('BC-8: the same tokens on several replicas at the same time are each new on one replica', async () => {
    const others = await Promise.all([1, 2].map(() => SessionStore.open(testDatabase, { clock })));
    const stores = [store, ...others];
    const counts = await Promise.all(
      stores.map(async ({ repository }, replica) => {
        const order = numbers(100).sort((a, b) => ((a * 37 + replica * 11) % 101) - ((b * 37 + replica * 11) % 101));
        return (await Promise.all(order.map((n) => repository.insertLogouts([logout(n)])))).flat().length;
      }),
    );
    expect(counts.reduce((sum, count) => sum + count)).toBe(100);
    expect(await store.rows('logout')).toHaveLength(100);
    for (const other of others) await other.close();
  });

  it('are published once each, and end their sessions', async () => {
    const ids: string[] = [];
    for (const n of numbers(10)) {
      const idToken = store.idToken({ sub: `user-${n}`, sid: `sid-${n}` });
      ids.push((await store.registry.register({ idToken })).id);
    }
    const published: string[] = [];
    const subscription = store.bus.ownLogouts.subscribe((logouts) => {
      for (const { target } of logouts) published.push(target);
    });
    const tokens = numbers(10).map((n) => store.logout({ sid: `sid-${n}` }));
    await Promise.all([...tokens, ...tokens].map((token) => store.recorder.recordBackchannel(token)));
    subscription.unsubscribe();
    expect(published.sort()).toEqual(
      numbers(10)
        .map((n) => sid(n).target)
        .sort(),
    );
    for (const id of ids) expect(await store.isAlive(id)).toBe(false);
  });

  it('BC-13: a logout that the database refuses fails alone', async () => {
    // SQLite accepts a text of any length, and a missing value fails on every database
    const bad = { ...logout(1), target: null as unknown as string };
    const counts = await Promise.allSettled(
      [[logout(0)], [bad], [logout(2)]].map((rows) => store.repository.insertLogouts(rows)),
    );
    const ok = { status: 'fulfilled', value: [expect.anything()] };
    if (testDatabase.options.type === 'mariadb') {
      // INSERT IGNORE of one row stores an empty text in place of a missing value
      expect([counts[0], counts[2]]).toEqual([ok, ok]);
    } else {
      expect(counts).toEqual([ok, { status: 'rejected', reason: expect.any(StoreUnavailableError) }, ok]);
      expect(await store.rows('logout')).toHaveLength(2);
    }
  });

  it('BC-13: all logouts of a group fail when the store is down', async () => {
    const restore = intercept(store.database, () => Promise.reject(new StoreUnavailableError('down')));
    const outcomes = await Promise.allSettled(numbers(20).map((n) => store.repository.insertLogouts([logout(n)])));
    restore();
    expect(outcomes.every((outcome) => outcome.status === 'rejected')).toBe(true);
    expect(await insertAll(numbers(20).map((n) => [logout(n)]))).toEqual(numbers(20).map(() => 1));
  });
});

const withTransactions = databases.filter(({ name }) => name !== 'SQLite');

describe.each(withTransactions)('a logout that another connection delays, on $name', (database) => {
  const kind: TargetKind = 'sid';

  it('does not delay the other logouts of its group', async () => {
    const testDatabase = await database.take();
    const store = await SessionStore.open(testDatabase);
    jest.spyOn(Logger.prototype, 'error').mockReturnValue();
    const host = await new DataSource(testDatabase.options).initialize();
    const runner = host.createQueryRunner();
    await runner.startTransaction();
    const ids = ['a', 'b', 'c'].map((letter) => letter.repeat(64));
    const [, held = ''] = ids;
    await runner.query(
      `INSERT INTO oneid_logout (id, target, channel, recorded_at, changed_at, keep_until)
       VALUES ('${held}', '${held}', 'app', 1, 1, 1)`,
    );
    const record = (id: string) => store.repository.insertLogouts([{ id, kind, target: id, channel: 'backchannel' }]);
    const outcomes = Promise.allSettled(ids.map(record));
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    // a later logout does not wait for the one that hangs
    const later = store.repository.insertLogouts([logout(7)]);
    expect(await Promise.race([later, outcomes])).toBe(await later);
    expect(await later).toHaveLength(1);
    expect((await outcomes).map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);

    await runner.rollbackTransaction();
    // OneID sends it again; the hanging insert may have been committed by now
    await record(held);
    expect((await store.rows('logout')).map((row) => row['id']).sort()).toEqual([...ids, logout(7).id].sort());
    jest.restoreAllMocks();
    await host.destroy();
    await store.close();
    await testDatabase.drop();
  });
});
