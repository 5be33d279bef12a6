import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type SessionDatabaseOptions } from 'nestjs-oneid-logout';
import { databases, type TestDatabase } from './support/databases.js';
import { SessionStore } from './support/session-store.js';
import { TestClock } from './support/test-clock.js';

describe.each(databases.filter(({ name }) => name.startsWith('PostgreSQL')))(
  'one connection and its settings, on $name',
  (database) => {
    let testDatabase: TestDatabase;
    let clock: TestClock;
    let store: SessionStore;
    beforeEach(async () => {
      testDatabase = await database.take();
      // stopped, so the library's own limit never ends a statement
      clock = new TestClock(Date.now());
      store = await open(clock);
    });
    afterEach(async () => {
      await store.close();
      await testDatabase.drop();
    });

    /** One connection, so that every statement of a test runs on it. */
    function open(clock: TestClock, extra: object = {}): Promise<SessionStore> {
      const options = { ...testDatabase.options, poolSize: 1, extra } as SessionDatabaseOptions;
      return SessionStore.open({ ...testDatabase, options }, { clock });
    }

    const valueOf = async (of: SessionStore, sql: string) => (await of.database.run(`SELECT ${sql} AS value`)).rows;

    it('the server ends a statement after 4.5 s, before the library closes its connection after 5 s', async () => {
      expect(await valueOf(store, `current_setting('statement_timeout')`)).toEqual([{ value: '4500ms' }]);
    });

    it('a statement that the server has ended leaves its connection usable', async () => {
      // less than the limit of 4.5 s, so that the test does not wait
      const quick = await open(clock, { statement_timeout: 50 });
      const connection = await valueOf(quick, 'pg_backend_pid()');
      await expect(quick.database.run('SELECT pg_sleep(60)')).rejects.toMatchObject({
        code: 'store_unavailable',
        cause: { code: '57014', message: 'canceling statement due to statement timeout' },
      });
      expect(await valueOf(quick, 'pg_backend_pid()')).toEqual(connection);
      await quick.close();
    });

    it.each([
      ['encoding', "SET client_encoding = 'LATIN1'"],
      ['isolation', "SET default_transaction_isolation = 'serializable'"],
    ])(
      'S7: a connection that a pooler has left with another %s gives no answer: the read is sent once more, on a new one',
      async (_setting, sql) => {
        const { id } = await store.registry.register({ idToken: store.idToken({ sub: 'Zoé', sid: 'x' }) });
        const left = await valueOf(store, 'pg_backend_pid()');
        await store.database.run(sql);
        expect(await store.isAlive(id)).toBe(true);
        expect(await valueOf(store, 'pg_backend_pid()')).not.toEqual(left);
      },
    );

    it('S7: a new connection with another encoding gives no answer either, for a second', async () => {
      const { id } = await store.registry.register({ idToken: store.idToken({ sub: 'Zoé', sid: 'x' }) });
      const leaveLatin1 = () => store.database.run("SET client_encoding = 'LATIN1'");
      await leaveLatin1();
      expect(await store.isAlive(id)).toBe(true);
      await leaveLatin1();
      await expect(store.isAlive(id)).rejects.toMatchObject({
        code: 'store_unavailable',
        cause: { message: 'The answer of the database does not count: client_encoding is LATIN1, it must be UTF8' },
      });
      clock.advance(1_000);
      expect(await store.isAlive(id)).toBe(true);
    });
  },
);
