import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type SqlParameter, type SqlRow } from '../libs/oneid-logout/src/database/sql.js';
import { targetOf } from '../libs/oneid-logout/src/rule/targets.js';
import { databases, type TestDatabase } from './support/databases.js';
import { clientId, intercept, issuer, numberOf, SessionStore } from './support/session-store.js';

const MANY = 50_000;
const sid = 'many';
const target = targetOf('sid', issuer, sid);

/** The numbers from 0 to 49,999 as a subquery `n` with a column `n`, on every database. */
const digits = (alias: string, size = 10) =>
  `(SELECT 0 AS d ${Array.from({ length: size - 1 }, (_, d) => `UNION ALL SELECT ${d + 1}`).join(' ')}) ${alias}`;
const numbers = `(SELECT a.d + 10 * b.d + 100 * c.d + 1000 * e.d + 10000 * f.d AS n
  FROM ${['a', 'b', 'c', 'e'].map((alias) => digits(alias)).join(', ')}, ${digits('f', 5)}) n`;

interface Statement {
  readonly sql: string;
  readonly parameters: readonly SqlParameter[];
}

describe.each(databases)('the cost of a front-channel request, on $name', (database) => {
  let testDatabase: TestDatabase;
  let store: SessionStore;
  beforeAll(async () => {
    testDatabase = await database.create();
    store = await SessionStore.open(testDatabase);
    await store.database.run(
      `INSERT INTO oneid_session (id, issuer, client_id, sid, sub, issued_at, registered_at, expires_at,
         target_session, target_sid, target_sub, id_token_hash)
       SELECT CONCAT('id', n), '${issuer}', '${clientId}', '${sid}', 'alice', n, n + 1, 9000000000000,
         CONCAT('session', n), '${target}', '${targetOf('sub', issuer, 'alice')}', CONCAT('hash', n) FROM ${numbers}`,
    );
    // each session has ended by its own id
    await fillLogouts("CONCAT('session', n)", 'NULL', 'admin');
  });
  afterAll(async () => {
    await store.close();
    await testDatabase.drop();
  });

  async function fillLogouts(logoutTarget: string, registeredUntil: string, channel: string): Promise<void> {
    await store.database.run(
      `INSERT INTO oneid_logout (id, target, channel, registered_until, recorded_at, changed_at, keep_until)
       SELECT CONCAT('${channel}', n), ${logoutTarget}, '${channel}', ${registeredUntil}, n, n, 9000000000000
       FROM ${numbers}`,
    );
    for (const table of ['oneid_session', 'oneid_logout']) {
      const analyze = testDatabase.options.type === 'mariadb' ? 'ANALYZE TABLE' : 'ANALYZE';
      await store.database.run(`${analyze} ${table}`);
    }
  }

  const request = (of = sid) => store.recorder.recordFrontchannel(issuer, of);
  const recorded = () => store.rows('logout', "target = ? AND channel = 'frontchannel'", target);

  async function statementsOf(work: () => Promise<unknown>): Promise<Statement[]> {
    const seen: Statement[] = [];
    const restore = intercept(store.database, (run, sql, parameters) => {
      seen.push({ sql, parameters });
      return run(sql, parameters);
    });
    await work().finally(restore);
    return seen;
  }

  /** How many rows the database reads for the queries of a request. SQLite does not count them. */
  async function rowsRead(statements: readonly Statement[]): Promise<number> {
    let count = 0;
    for (const { sql, parameters } of statements) {
      if (testDatabase.options.type === 'better-sqlite3') {
        await requireIndexes({ sql, parameters });
      } else if (sql.startsWith('SELECT')) {
        const explain =
          testDatabase.options.type === 'postgres' ? 'EXPLAIN (ANALYZE, FORMAT JSON)' : 'ANALYZE FORMAT=JSON';
        const { rows } = await store.database.run(`${explain} ${sql}`, parameters);
        count += rowsOfPlan(Object.values(rows[0] ?? {})[0]);
      }
    }
    return count;
  }

  /** SQLite reads the newest sessions in the order of their index, without a sort, and never a whole table. */
  async function requireIndexes({ sql, parameters }: Statement): Promise<void> {
    const { rows } = await store.database.run(`EXPLAIN QUERY PLAN ${sql}`, parameters);
    const plan = rows.map((row) => String(row['detail']));
    expect(plan.filter((step) => /TEMP B-TREE|^SCAN (l|oneid_\w+)\b/.test(step))).toEqual([]);
    for (const step of plan.filter((one) => /^SEARCH [sl] /.test(one))) expect(step).toMatch(/USING (COVERING )?INDEX/);
  }

  it('S14: a sid whose newest sessions have all ended costs few rows, and at most one logout', async () => {
    const [query, ...rest] = await statementsOf(() => request('unknown'));
    expect(rest).toEqual([]);
    const read = await rowsRead([{ sql: query?.sql ?? '', parameters: (query?.parameters ?? []).map(() => target) }]);
    expect(read).toBeLessThan(500);
    if (testDatabase.options.type !== 'better-sqlite3') expect(read).toBeGreaterThan(32);
    expect((await statementsOf(request))[0]?.sql).toBe(query?.sql);
    const [logout, ...others] = await recorded();
    expect(others).toEqual([]);
    expect(numberOf(logout, 'registered_until')).toBeGreaterThan(MANY);
    expect(await request()).toBe(false);
    expect(await recorded()).toEqual([logout]);
  });

  it('S14: a sid that has ended costs as much as an unknown sid, also with many logouts of the sid', async () => {
    await fillLogouts(`'${target}'`, 'n', 'app');
    const [unknown, ended] = [await statementsOf(() => request('unknown')), await statementsOf(request)];
    expect(ended.map(({ sql }) => sql)).toEqual(unknown.map(({ sql }) => sql));
    expect(unknown).toHaveLength(1);
    expect(await rowsRead(unknown)).toBeLessThan(5);
    expect(await rowsRead(ended)).toBeLessThan(5);
  });

  it('S14: a later session of the sid is alive, and the next request ends it with one logout', async () => {
    const { id } = await store.registry.register({ idToken: store.idToken({ sub: 'alice', sid }) });
    expect(await store.isAlive(id)).toBe(true);
    const before = (await recorded()).length;
    const statements = await statementsOf(async () => expect(await request()).toBe(true));
    expect(await rowsRead(statements)).toBeLessThan(20);
    expect([await store.isAlive(id), (await recorded()).length]).toEqual([false, before + 1]);
    expect(await request()).toBe(false);
    expect(await recorded()).toHaveLength(before + 1);
  });
});

describe.each(databases)('the sessions that a front-channel request looks at, on $name', (database) => {
  let testDatabase: TestDatabase;
  let store: SessionStore;
  beforeAll(async () => {
    testDatabase = await database.take();
    store = await SessionStore.open(testDatabase);
  });
  afterAll(async () => {
    await store.close();
    await testDatabase.drop();
  });

  async function signIn(login: string, sub = login) {
    return store.registry.register({ idToken: store.idToken({ sub, sid: login }) });
  }

  it('S14: FC-2: up to 32 sessions that have all ended store nothing', async () => {
    const sessions = [];
    for (let n = 0; n < 32; n++) sessions.push(await signIn('dead'));
    await store.recorder.endSessions(sessions, 'admin');
    const before = await store.rows('logout');
    expect(await store.recorder.recordFrontchannel(issuer, 'dead')).toBe(false);
    expect(await store.rows('logout')).toHaveLength(before.length);
  });

  it('S14: an alive session behind 40 ended sessions ends', async () => {
    const alive = await signIn('mixed');
    const sessions = [];
    for (let n = 0; n < 40; n++) sessions.push(await signIn('mixed'));
    await store.recorder.endSessions(sessions, 'admin');
    expect(await store.isAlive(alive.id)).toBe(true);
    expect(await store.recorder.recordFrontchannel(issuer, 'mixed')).toBe(true);
    expect(await store.isAlive(alive.id)).toBe(false);
  });

  it.each<[string, (sub: string) => Promise<unknown>]>([
    ["OneID's logout of the user", (sub) => store.recorder.recordBackchannel(store.logout({ sub }))],
    ["OneID's logout of the sid", (sid) => store.recorder.recordBackchannel(store.logout({ sid }))],
    ["an administrator's logout of the user", (sub) => store.recorder.endUser(issuer, sub)],
    ['an earlier front-channel request', (sid) => store.recorder.recordFrontchannel(issuer, sid)],
  ])('S14: FC-2: a session that ended by %s stores nothing', async (what, end) => {
    const login = `login of ${what}`;
    await signIn(login);
    await end(login);
    const before = await store.rows('logout');
    expect(await store.recorder.recordFrontchannel(issuer, login)).toBe(false);
    expect(await store.rows('logout')).toEqual(before);
  });

  it('S14: FC-2: an expired session stores nothing', async () => {
    await signIn('late');
    store.clock.databaseAhead = 31 * 24 * 60 * 60 * 1000;
    const before = await store.rows('logout');
    expect(await store.recorder.recordFrontchannel(issuer, 'late')).toBe(false);
    expect(await store.rows('logout')).toEqual(before);
    store.clock.databaseAhead = 0;
  });
});

/** The rows that the scans of a plan have read, in the JSON of PostgreSQL or MariaDB. */
function rowsOfPlan(plan: unknown): number {
  if (typeof plan === 'string') return rowsOfPlan(JSON.parse(plan) as unknown);
  if (typeof plan !== 'object' || plan === null) return 0;
  const node = plan as SqlRow;
  const times = (count: string, loops: string) => Number(node[count] ?? 0) * Number(node[loops] ?? 1);
  const isPostgresScan = typeof node['Node Type'] === 'string' && node['Node Type'].includes('Scan');
  const own = isPostgresScan
    ? times('Actual Rows', 'Actual Loops') + times('Rows Removed by Filter', 'Actual Loops')
    : 'table_name' in node
      ? times('r_rows', 'r_loops')
      : 0;
  return Object.values(node).reduce<number>(
    (sum, child) => sum + rowsOfPlan(typeof child === 'object' ? child : 0),
    own,
  );
}
