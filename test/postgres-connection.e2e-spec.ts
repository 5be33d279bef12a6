import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type SessionDatabaseOptions } from 'nestjs-oneid-logout';
import { databases, type TestDatabase } from './support/databases.js';
import { SessionStore } from './support/session-store.js';
import { TestClock } from './support/test-clock.js';

describe.each(databases.filter(({ name }) => name.startsWith('PostgreSQL')))(
  'one connection and its settings, on $name',
  (database) => {
    let testDatabase: TestDatabase;
    let store: SessionStore;
    beforeEach(async () => {
      testDatabase = await database.take();
      // stopped, so the library's own limit never ends a statement
      store = await open(new TestClock(Date.now()));
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
      const quick = await open(store.clock, { statement_timeout: 50 });
      const connection = await valueOf(quick, 'pg_backend_pid()');
      await expect(quick.database.run('SELECT pg_sleep(60)')).rejects.toMatchObject({
        code: 'store_unavailable',
        cause: { code: '57014', message: 'canceling statement due to statement timeout' },
      });
      expect(await valueOf(quick, 'pg_backend_pid()')).toEqual(connection);
      await quick.close();
    });

    it('S7: a connection that a pooler has left with another encoding gives no answer', async () => {
      const { id } = await store.registry.register({ idToken: store.idToken({ sub: 'Zoé', sid: 'x' }) });
      await store.database.run("SET client_encoding = 'LATIN1'");
      await expect(store.isAlive(id)).rejects.toMatchObject({
        code: 'store_unavailable',
        cause: { message: 'The answer of the database does not count: client_encoding is LATIN1, it must be UTF8' },
      });
      // the connection is dropped, and a new one has the library's settings
      expect(await store.isAlive(id)).toBe(true);
    });

    it('a connection that a pooler has left with another isolation gives no answer', async () => {
      const { id } = await store.registry.register({ idToken: store.idToken({ sub: 'alice', sid: 'x' }) });
      await store.database.run("SET default_transaction_isolation = 'serializable'");
      await expect(store.isAlive(id)).rejects.toMatchObject({ code: 'store_unavailable' });
      expect(await store.isAlive(id)).toBe(true);
    });
  },
);
