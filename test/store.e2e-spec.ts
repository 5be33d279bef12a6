import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { type SessionDatabaseOptions, UnusableDatabaseError } from 'nestjs-oneid-logout';
import { DataSource } from 'typeorm';
import { SessionDatabase } from '../libs/oneid-logout/src/database/session-database.js';
import { type NewLogout } from '../libs/oneid-logout/src/rule/logout.js';
import { LogoutFollower } from '../libs/oneid-logout/src/replicas/logout-follower.js';
import { ReplicaRepository } from '../libs/oneid-logout/src/store/replica.repository.js';
import { CHANGES_PAGE } from '../libs/oneid-logout/src/store/session.repository.js';
import { SessionPurge } from '../libs/oneid-logout/src/store/session-purge.js';
import { Random } from '../libs/oneid-logout/src/random.js';
import { targetsByKind } from '../libs/oneid-logout/src/rule/session.js';
import { digest, targetOf } from '../libs/oneid-logout/src/rule/targets.js';
import { databases, postgres, type TestDatabase } from './support/databases.js';
import { DAY, intercept, issuer, SessionStore } from './support/session-store.js';
import { TestClock } from './support/test-clock.js';
import { until } from './support/until.js';

const failureOf = (work: Promise<unknown>): Promise<unknown> => work.catch((error: unknown) => error);

describe.each(databases)('the store in trouble, on $name', (kind) => {
  let clock: TestClock;
  let testDatabase: TestDatabase;
  let store: SessionStore;
  beforeEach(async () => {
    clock = new TestClock();
    testDatabase = await kind.take();
    store = await SessionStore.open(testDatabase, { clock, secrets: [] });
  });
  afterEach(async () => {
    jest.restoreAllMocks();
    await store.close();
    await testDatabase.drop();
  });

  it.each([40 * DAY, -40 * DAY, 61_000, -61_000])(
    "S12: while the database's clock is %d ms ahead, nothing is purged, and logouts are recorded",
    async (ahead) => {
      const warn = jest.spyOn(Logger.prototype, 'warn').mockReturnValue();
      const purge = new SessionPurge(store.repository, store.oldRows, clock, new Random());
      await store.recorder.recordBackchannel(store.logout({ sid: 'old' }));
      clock.advance(40 * DAY);
      clock.databaseAhead += ahead;
      await purge.wake();
      await purge.wake();
      expect(await store.rows('logout')).toHaveLength(1);
      const warnings = warn.mock.calls.map(([message]) => String(message));
      expect(warnings.filter((text) => !text.startsWith('Logout tokens of OneID that ended nothing'))).toEqual([
        "The library deletes no old rows: the database's clock and this host's clock differ by " +
          `${Math.abs(ahead) / 1000} s. Set the wrong clock right.`,
      ]);
      await store.recorder.recordBackchannel(store.logout({ sid: 'new' }));
      expect(await store.rows('logout', 'target = ?', targetOf('sid', issuer, 'new'))).toHaveLength(1);

      clock.databaseAhead -= ahead;
      await purge.wake();
      expect(await store.rows('logout', 'target = ?', targetOf('sid', issuer, 'old'))).toEqual([]);
    },
  );

  describe('S9: a replica that was away while many logouts were recorded', () => {
    const LOGOUTS = 2_500;
    let follower: LogoutFollower;
    /** The number of rows in the answers to its statements. */
    let answers: number[];
    let heard: number;
    beforeEach(async () => {
      const settings = { answers: true, maxStalenessMs: 30_000, allowDuringOutageMs: 0, retention: 600_000 };
      const replicas = new ReplicaRepository(store.database);
      follower = new LogoutFollower(store.repository, replicas, store.bus, clock, new Random(), settings);
      await follower.look();
      heard = 0;
      store.bus.allLogouts.subscribe(() => (heard += 1));
      const logouts = Array.from({ length: LOGOUTS }, (_, n): NewLogout => {
        const target = targetOf('sid', issuer, `sid-${n}`);
        return { id: digest([n]), kind: 'sid', target, channel: 'backchannel' };
      });
      for (let n = 0; n < LOGOUTS; n += 100) await store.repository.insertLogouts(logouts.slice(n, n + 100));
      answers = [];
      intercept(store.database, async (run, sql, parameters) => {
        const result = await run(sql, parameters);
        answers.push(result.rows.length);
        return result;
      });
    });

    it('reads them in pages, keeps what it needs, and tells the app of each', async () => {
      clock.advance(60_000);
      const generation = follower.generation;
      await follower.look();
      expect(Math.max(...answers)).toBe(CHANGES_PAGE);
      expect(answers.filter((rows) => rows > 0)).toHaveLength(3);
      expect([heard, follower.logouts.size, follower.generation]).toEqual([LOGOUTS, 0, generation + 1]);
      expect(follower.usableGeneration).toBe(generation + 1);
      await follower.look();
      expect([heard, follower.generation]).toEqual([LOGOUTS, generation + 1]);
    });

    it('keeps them all in memory while its memory may answer', async () => {
      const generation = follower.generation;
      await follower.look();
      expect([heard, follower.generation]).toEqual([LOGOUTS, generation]);
      expect(follower.logouts.size).toBe(LOGOUTS);
    });
  });

  it('S12: a clock that jumps ahead during a purge deletes nothing', async () => {
    await store.recorder.recordBackchannel(store.logout({ sid: 'old' }));
    const purge = new SessionPurge(store.repository, store.oldRows, clock, new Random());
    const restore = intercept(store.database, async (run, sql, parameters) => {
      const result = await run(sql, parameters);
      if (/AS now_at$/.test(sql)) clock.databaseAhead = 40 * DAY;
      return result;
    });
    await purge.wake();
    restore();
    expect(await store.rows('logout')).toHaveLength(1);
  });

  it('S17: a logout that is purged between its insert and its touch is recorded again', async () => {
    const token = store.logout({ sid: 'gone' });
    await store.recorder.recordBackchannel(token);
    const restore = intercept(store.database, async (run, sql, parameters) => {
      if (/^UPDATE .* SET changed_at/.test(sql)) {
        restore();
        await store.database.run(`DELETE FROM ${store.database.tables.logout}`);
      }
      return run(sql, parameters);
    });
    await store.recorder.recordBackchannel(token);
    expect(await store.rows('logout', 'target = ?', targetOf('sid', issuer, 'gone'))).toHaveLength(1);
  });

  it('S17: a logout that is purged again and again is answered 503', async () => {
    const token = store.logout({ sid: 'gone' });
    await store.recorder.recordBackchannel(token);
    const restore = intercept(store.database, async (run, sql, parameters) => {
      if (/^UPDATE .* SET changed_at/.test(sql)) await run(`DELETE FROM ${store.database.tables.logout}`, []);
      return run(sql, parameters);
    });
    const error = await failureOf(store.recorder.recordBackchannel(token));
    restore();
    expect(error).toMatchObject({ code: 'store_unavailable' });
  });
});

describe.each(databases)('S6: characters, on $name', (kind) => {
  it('memory uses the targets that the database stores, also when the stored text has changed', async () => {
    const testDatabase = await kind.take();
    const store = await SessionStore.open(testDatabase);
    const { id } = await store.registry.register({ idToken: store.idToken({ sub: 'Nguyễn-Thị-Lan', sid: 'sid' }) });
    const stored = await store.row('session', id);
    // as a connection with a lossy character set would return it
    await store.database.run(`UPDATE ${store.database.tables.session} SET sub = 'Nguy?n-Th?-Lan', sid = '?'`);
    const checked = await store.repository.check(id);
    const [listed] = await store.registry.listAlive({ issuer, sub: 'Nguyễn-Thị-Lan' });
    for (const session of [checked?.session, listed]) {
      if (session === undefined) throw new Error('The session is not found');
      expect(targetsByKind(session)).toEqual({
        session: stored?.['target_session'],
        sid: stored?.['target_sid'],
        sub: stored?.['target_sub'],
      });
      expect(Object.keys(session)).not.toContain('targets');
      expect(JSON.stringify(session)).not.toContain(stored?.['target_sub']);
    }
    if (checked !== undefined) await store.recorder.endLogin(checked.session);
    expect(await store.isAlive(id)).toBe(false);
    await store.close();
    await testDatabase.drop();
  });
});

// describe.each does not accept an empty list
for (const kind of databases.filter(({ name }) => name.startsWith('MariaDB'))) {
  describe(`S6: a character set that lacks characters, on ${kind.name}`, () => {
    it.each([{ charset: 'latin1' }, { extra: { charset: 'latin1' } }])(
      'is not used, whatever the options say: %j',
      async (option) => {
        const testDatabase = await kind.create();
        const options = { ...testDatabase.options, ...option } as SessionDatabaseOptions;
        const store = await SessionStore.open({ ...testDatabase, options });
        const ids: string[] = [];
        for (const sub of ['Nguyễn-Thị-Lan', 'lÅ', 'lễ']) {
          ids.push((await store.registry.register({ idToken: store.idToken({ sub, sid: `sid of ${sub}` }) })).id);
          expect((await store.registry.listAlive({ issuer, sub })).map((session) => session.sub)).toEqual([sub]);
        }
        await store.recorder.recordBackchannel(store.logout({ sub: 'lễ' }));
        expect(await Promise.all(ids.map((id) => store.isAlive(id)))).toEqual([true, true, false]);
        await store.close();
        await testDatabase.drop();
      },
    );
  });
}

describe('S7: a database whose encoding lacks characters', () => {
  it('is refused at boot', async () => {
    const testDatabase = await postgres.create();
    const administrator = await new DataSource(testDatabase.options).initialize();
    const name = 'oneid_logout_latin1';
    await administrator.query(`DROP DATABASE IF EXISTS ${name}`);
    await administrator.query(
      `CREATE DATABASE ${name} ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0`,
    );
    const { url } = testDatabase.options as { url: string };
    const options = {
      ...testDatabase.options,
      url: Object.assign(new URL(url), { pathname: `/${name}` }).href,
    } as SessionDatabaseOptions;
    const error = await failureOf(SessionDatabase.open(options, true));
    await administrator.query(`DROP DATABASE ${name} WITH (FORCE)`);
    await administrator.destroy();
    await testDatabase.drop();
    expect(error).toBeInstanceOf(UnusableDatabaseError);
    expect((error as Error).message).toBe(
      "OneIdLogoutModule: can't use this database: its encoding is LATIN1, which lacks characters of names. Create a " +
        'database with the encoding UTF8',
    );
  });
});

describe('S10: the migration lock of PostgreSQL', () => {
  it('is waited for a minute; then the boot fails and names the process that holds it', async () => {
    const testDatabase = await postgres.create();
    const holder = await new DataSource(testDatabase.options).initialize();
    const runner = holder.createQueryRunner();
    await runner.query('SELECT pg_advisory_lock(7153269401)');
    const [{ pid }] = (await runner.query('SELECT pg_backend_pid() AS pid')) as [{ pid: number }];
    const clock = new TestClock();
    let ended = false;
    const opening = failureOf(
      SessionDatabase.open(testDatabase.options, true, { clock, connector: clock.connector }),
    ).finally(() => (ended = true));
    await until('the boot gives up', () => {
      clock.advance(500);
      return ended;
    });
    const error = await opening;
    await runner.query('SELECT pg_advisory_unlock(7153269401)');
    await runner.release();
    await holder.destroy();
    expect((error as Error).message).toBe(
      `OneIdLogoutModule: can't use this database: the server process ${pid} has held its migration lock for a minute. ` +
        'Start the app again when that process has ended',
    );
    const database = await SessionDatabase.open(testDatabase.options, true);
    await database.close();
    await testDatabase.drop();
  });
});

describe("S16: the app's own parser for booleans", () => {
  it('does not change whether a database counts as a standby', async () => {
    const { default: pg } = await import('pg');
    const bool = 16;
    const before = pg.types.getTypeParser(bool);
    pg.types.setTypeParser(bool, (value) => (value === 't' ? 1 : 0));
    const testDatabase = await postgres.create();
    const store = await SessionStore.open(testDatabase);
    const idToken = store.idToken({ sub: 'alice', sid: 'sid' });
    const { id } = await store.registry.register({ idToken });
    expect(await store.isAlive(id)).toBe(true);
    await store.close();
    await testDatabase.drop();
    pg.types.setTypeParser(bool, before);
  });
});
