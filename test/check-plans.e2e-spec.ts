import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { digest, targetOf } from '../libs/oneid-logout/src/rule/targets.js';
import { type SqlParameter } from '../libs/oneid-logout/src/database/sql.js';
import { IdleSessions } from '../libs/oneid-logout/src/store/idle-sessions.js';
import { databases, sqlite, type TestDatabase } from './support/databases.js';
import { intercept, issuer, SessionStore } from './support/session-store.js';
import { findAlive } from './support/find-alive.js';

const servers = databases.filter(({ name }) => name !== 'SQLite');

describe.each(servers.filter(({ name }) => name.startsWith('PostgreSQL')))('a lone check, on $name', (kind) => {
  it('is planned once, not at each request', async () => {
    const testDatabase = await kind.create();
    const store = await SessionStore.open(testDatabase);
    // after five plans for given values, PostgreSQL keeps the plan for all values if it expects the same cost
    for (let n = 0; n < 8; n++) await store.isAlive(digest(['id', n]));
    const { rows } = await store.database.run(
      `SELECT generic_plans AS kept FROM pg_prepared_statements WHERE statement LIKE '%oneid_session_alias%'`,
    );
    expect(rows).toHaveLength(1);
    expect(Number(rows[0]?.['kept'])).toBeGreaterThanOrEqual(3);
    await store.close();
    await testDatabase.drop();
  });
});

describe('the sessions of a user, on SQLite', () => {
  it('maxSessionsPerUser: are read by the index of user and time, also before the table has statistics', async () => {
    const testDatabase = await sqlite.create();
    const store = await SessionStore.open(testDatabase);
    const target = targetOf('sub', issuer, 'alice');
    const before = { registeredAt: 2_000, id: digest(['id', 0]) };
    const steps: string[] = [];
    const restore = intercept(store.database, async (run, sql, parameters) => {
      const { rows } = await run(`EXPLAIN QUERY PLAN ${sql}`, parameters);
      steps.push(...rows.map((row) => String(row['detail'])).filter((step) => !/ [lc] |SUBQUERY/.test(step)));
      return run(sql, parameters);
    });
    await store.repository.findAlive('sub', target, 256, { clientId: 'app', skip: 5 });
    await store.repository.findAlive('sub', target, 256, { clientId: 'app', before });
    restore();
    expect(steps).toEqual([
      expect.stringMatching(/^SEARCH s USING INDEX \w+ \(target_sub=\?\)$/),
      'USE TEMP B-TREE FOR LAST TERM OF ORDER BY',
      expect.stringMatching(/^SEARCH s USING INDEX \w+ \(target_sub=\? AND registered_at<\?\)$/),
      'USE TEMP B-TREE FOR LAST TERM OF ORDER BY',
    ]);
    await store.close();
    await testDatabase.drop();
  });
});

describe.each(servers)('the plan of a grouped check, on $name', (kind) => {
  let testDatabase: TestDatabase;
  let store: SessionStore;
  let filled = 0;
  beforeAll(async () => {
    testDatabase = await kind.create();
    store = await SessionStore.open(testDatabase);
  });
  afterAll(async () => {
    await store.close();
    await testDatabase.drop();
  });

  /** The server makes the rows. */
  async function fill(rows: number): Promise<void> {
    const { dataSource } = store.database;
    const isPostgres = dataSource.options.type === 'postgres';
    const batch = 20_000;
    for (; filled < rows; filled += Math.min(batch, rows - filled)) {
      const to = Math.min(filled + batch, rows);
      const series = isPostgres
        ? `generate_series(${filled + 1}, ${to}) AS n`
        : `(SELECT seq AS n FROM seq_${filled + 1}_to_${to}) series`;
      const of = (what: string) => {
        const text = isPostgres ? `'${what}' || n` : `CONCAT('${what}', n)`;
        return isPostgres ? `encode(sha256((${text})::bytea), 'hex')` : `SHA2(${text}, 256)`;
      };
      await dataSource.query(
        `INSERT INTO oneid_session (id, issuer, client_id, sub, issued_at, registered_at, expires_at, target_session,
           target_sid, target_sub, id_token_hash)
         SELECT ${of('id')}, 'issuer', 'app', 'user', n, n, 9000000000000, ${of('session')}, ${of('sid')}, ${of('sub')},
           ${of('hash')} FROM ${series}`,
      );
      await dataSource.query(
        `INSERT INTO oneid_logout (id, target, channel, recorded_at, changed_at, keep_until)
         SELECT ${of('logout')}, ${of('sid')}, 'backchannel', n, n, 9000000000000 FROM ${series} WHERE n % 10 = 0`,
      );
    }
    if (rows === 0) return;
    for (const table of ['oneid_session', 'oneid_logout']) {
      await dataSource.query(`ANALYZE ${isPostgres ? '' : 'TABLE'} ${table}`);
    }
  }

  /** Lets the planner believe that the tables have this many rows: filling them would take minutes. */
  async function pretend(rows: number): Promise<void> {
    const { dataSource } = store.database;
    if (dataSource.options.type === 'postgres') {
      await dataSource.query(
        `UPDATE pg_class c SET reltuples = ${rows} WHERE c.relname IN ('oneid_session', 'oneid_logout')
           OR c.oid IN (SELECT i.indexrelid FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid
             WHERE t.relname IN ('oneid_session', 'oneid_logout'))`,
      );
      return;
    }
    const own = `database_name = DATABASE() AND table_name IN ('oneid_session', 'oneid_logout')`;
    await dataSource.query(`UPDATE mysql.innodb_table_stats SET n_rows = ${rows} WHERE ${own}`);
    await dataSource.query('FLUSH TABLES oneid_session, oneid_logout');
  }

  async function plansOf(work: () => Promise<unknown>): Promise<string[]> {
    const statements: { readonly sql: string; readonly parameters: readonly SqlParameter[] }[] = [];
    const restore = intercept(store.database, (run, sql, parameters) => {
      statements.push({ sql, parameters });
      return run(sql, parameters);
    });
    await work().finally(restore);
    const plans = statements.map(({ sql, parameters }) => store.database.run(`EXPLAIN ${sql}`, parameters));
    return (await Promise.all(plans)).map(({ rows }) => rows.map((row) => JSON.stringify(row)).join('\n'));
  }

  const numbers = Array.from({ length: 40 }, (_, n) => n);

  // each size adds rows to the size before. MariaDB plans each statement anew, so an empty table needs no index
  const sizes = [...(kind.name.startsWith('PostgreSQL') ? [0] : []), 10_000, 1_000_000];
  it.each(sizes)('S3: uses an index for each session and each logout, with %d sessions', async (size) => {
    await fill(Math.min(size, 10_000));
    if (size > filled) await pretend(size);
    const [checks, ...none] = await plansOf(() => Promise.all(numbers.map((n) => store.isAlive(digest(['id', n])))));
    const [claims, ...others] = await plansOf(() =>
      Promise.all(
        numbers.map((n) => {
          const sid = `sid-${n}`;
          return findAlive(store.judge, { claims: { iss: issuer, sub: sid, sid, iat: store.clock.seconds } });
        }),
      ),
    );
    expect([none, others]).toEqual([[], []]);
    for (const plan of [checks, claims]) {
      expect(plan).toMatch(/Index|"key":"\w+"|const table/);
      expect(plan).not.toMatch(/Seq Scan on (?!oneid_client_target)|"table":"[sl]\w*","type":"(ALL|index)"/);
    }
  });

  it.each([1, 500])(
    "maxSessionsPerUser: reads a user's oldest sessions by the index of user and time, with %d sessions of the user",
    async (count) => {
      const sub = `of ${count}`;
      const target = targetOf('sub', issuer, sub);
      await fill(10_000);
      await store.database.run('UPDATE oneid_session SET target_sub = ? WHERE registered_at <= ?', [target, count]);
      const isPostgres = store.database.dataSource.options.type === 'postgres';
      const { rows } = await store.database.run(
        isPostgres
          ? `SELECT indexname AS name FROM pg_indexes
             WHERE tablename = 'oneid_session' AND indexdef LIKE '%(target_sub, registered_at)'`
          : `SELECT index_name AS name FROM information_schema.statistics
             WHERE table_schema = DATABASE() AND table_name = 'oneid_session' AND column_name = 'target_sub'`,
      );
      const index = String(rows[0]?.['name']);
      for (const size of [10_000, 1_000_000]) {
        await store.database.run(`ANALYZE ${isPostgres ? '' : 'TABLE'} oneid_session`);
        if (size > 10_000) await pretend(size);
        const before = { registeredAt: 2_000, id: digest(['id', 0]) };
        const plans = await plansOf(async () => {
          await store.repository.findAlive('sub', target, 256, { clientId: 'app', skip: 5 });
          await store.repository.findAlive('sub', target, 256, { clientId: 'app', before });
          await store.repository.findNewest('sub', target, 1);
        });
        expect(plans).toHaveLength(3);
        for (const plan of plans) {
          expect(plan).toContain(index);
          expect(plan).not.toMatch(/Seq Scan on (?!oneid_client_target)|"table":"[sl]\w*","type":"(ALL|index)"/);
        }
      }
    },
  );

  it('maxIdleSeconds: finds idle sessions by the indexes of their uses and of their sign-ins', async () => {
    await fill(10_000);
    const { database } = store;
    const isPostgres = database.dataSource.options.type === 'postgres';
    await database.run(
      `INSERT INTO oneid_session_activity (session_id, active_at)
       SELECT s.id, s.registered_at FROM oneid_session s WHERE s.registered_at > 5000`,
    );
    await database.dataSource.query(`ANALYZE ${isPostgres ? '' : 'TABLE'} oneid_session_activity`);
    const idle = new IdleSessions(database);
    for (const size of [10_000, 1_000_000]) {
      if (size > 10_000) await pretend(size);
      const plans = await plansOf(async () => {
        const used = await idle.findLongUnused(7_000, 1, { at: 6_000, id: '' }, 100);
        expect(used.sessions.filter(({ isAlive }) => isAlive).length).toBeGreaterThan(80);
        const neverUsed = await idle.findNeverUsed(4_000, 1, { at: 3_000, id: '' }, 100);
        expect(neverUsed.sessions.filter(({ isAlive }) => isAlive).length).toBeGreaterThan(80);
        await idle.forgetUses([digest(['id', 1])], 1);
      });
      expect(plans).toHaveLength(3);
      for (const plan of plans) {
        expect(plan).not.toMatch(/Seq Scan on (?!oneid_client_target)|"table":"[asl]\w*","type":"(ALL|index)"/);
      }
    }
  });
});
