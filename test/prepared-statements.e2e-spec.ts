import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { type SqlRow } from '../libs/oneid-logout/src/database/sql.js';
import { databases, type TestDatabase } from './support/databases.js';
import { issuer, SessionStore } from './support/session-store.js';
import { findAlive } from './support/find-alive.js';

describe.each(databases.filter(({ name }) => name.startsWith('PostgreSQL')))(
  'prepared statements, on $name',
  (database) => {
    let testDatabase: TestDatabase;
    let store: SessionStore;
    const open = () =>
      SessionStore.open({
        ...testDatabase,
        // one connection, so that the test can act like a pooler
        options: { ...testDatabase.options, type: 'postgres', poolSize: 1 },
      });
    beforeEach(async () => {
      testDatabase = await database.create();
      store = await open();
    });
    afterEach(async () => {
      await store.close();
      await testDatabase.drop();
    });

    const signIn = async () =>
      (await store.registry.register({ idToken: store.idToken({ sub: 'alice', sid: 'x' }) })).id;
    const prepared = async () =>
      (await store.database.run('SELECT name, statement FROM pg_prepared_statements ORDER BY name')).rows;

    const isCheck = ({ statement }: SqlRow) => String(statement).includes('WHERE s.id = k.value');

    it('are prepared once, for the statements of every request', async () => {
      const id = await signIn();
      for (let n = 0; n < 10; n++) expect(await store.isAlive(id)).toBe(true);
      expect((await prepared()).filter(isCheck)).toHaveLength(1);
    });

    it('are not used for other statements, for example the purge', async () => {
      await store.purge(10);
      await store.registry.listAlive({ issuer, sub: 'alice' });
      expect(await prepared()).toEqual([]);
    });

    it.each([
      ['has lost them', () => store.database.run('DEALLOCATE ALL').then(() => store)],
      [
        'has them from another client',
        async () => {
          const check = (await prepared()).find(isCheck);
          const other = await open();
          await other.database.run(`PREPARE ${String(check?.['name'])} AS SELECT 1`);
          return other;
        },
      ],
    ])('are given up without an error when the connection %s', async (_what, swap) => {
      const id = await signIn();
      await store.isAlive(id);
      const log = jest.spyOn(Logger.prototype, 'log').mockReturnValue();
      const error = jest.spyOn(Logger.prototype, 'error').mockReturnValue();
      const swapped = await swap();
      expect(await swapped.isAlive(id)).toBe(true);
      await swapped.recorder.endUser(issuer, 'alice');
      expect(await swapped.isAlive(id)).toBe(false);
      const told = [log, error].map((spy) => spy.mock.calls.map(([message]) => String(message)));
      log.mockRestore();
      error.mockRestore();
      expect(told).toEqual([[expect.stringContaining('does not keep prepared statements')], []]);
      if (swapped !== store) await swapped.close();
    });

    it('use an index, also when they were planned while the tables were empty', async () => {
      const id = await signIn();
      await findAlive(store.judge, { claims: { iss: issuer, sub: 'alice', sid: 'x', iat: store.clock.seconds } });
      await store.isAlive(id);
      await store.database.run('DELETE FROM oneid_session');
      await store.database.run('SET plan_cache_mode = force_generic_plan');
      const statements = (await prepared()).filter(({ statement }) => String(statement).includes('oneid_logout'));
      expect(statements.length).toBeGreaterThanOrEqual(2);
      for (const { name, statement } of statements) {
        const parameters = new Set(String(statement).match(/\$\d+/g)).size;
        const plan = await store.database.run(
          `EXPLAIN EXECUTE ${String(name)}(${Array.from({ length: parameters }, () => 'NULL').join(', ')})`,
        );
        expect(JSON.stringify(plan.rows)).not.toContain('Seq Scan');
      }
    });
  },
);
