import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { DataSource, type QueryRunner, Table } from 'typeorm';
import {
  oneIdLogoutEntities,
  oneIdLogoutMigrations,
  sessionDataSourceOptions,
  type SessionDatabaseOptions,
} from 'nestjs-oneid-logout';
import { SessionEntity } from '../libs/oneid-logout/src/database/session.entity.js';
import { SessionDatabase } from '../libs/oneid-logout/src/database/session-database.js';
import { type Clock } from '../libs/oneid-logout/src/clock.js';
import { DatabaseConnector } from '../libs/oneid-logout/src/database/database-connector.js';
import { alterTable } from '../libs/oneid-logout/src/database/migrations/alter-table.js';
import { escapePath, tablePathOf } from '../libs/oneid-logout/src/database/migrations/table-path.js';
import { targetOf } from '../libs/oneid-logout/src/rule/targets.js';
import { databases, postgres, type TestDatabase } from './support/databases.js';
import { startReplica } from './support/replica.js';
import { clientId, DAY, issuer, SessionStore } from './support/session-store.js';
import { TestClock } from './support/test-clock.js';

const migrations = [
  'CreateOneIdLogoutTables1790000000000',
  'AddEveryone1791000000000',
  'AddLogoutAuthor1793000000000',
  'AddSessionActivity1794000000000',
  'AddRecordingTime1795000000000',
  'AddActivityIndex1796000000000',
];

const tables = [
  'oneid_client_target',
  'oneid_login_user',
  'oneid_logout',
  'oneid_logout_migrations',
  'oneid_recording_time',
  'oneid_replica',
  'oneid_session',
  'oneid_session_activity',
  'oneid_session_alias',
  'oneid_session_tokens',
];

/** A later version's migration. It changes a table as such a migration must: see `alterTable`. */
class AddNote1797000000000 {
  readonly name = 'AddNote1797000000000';

  async up(runner: QueryRunner): Promise<void> {
    if (await runner.hasColumn(tablePathOf(runner, 'oneid_session'), 'note')) return;
    await alterTable(runner, 'oneid_session', 'ADD COLUMN note varchar(255) NULL');
  }

  down(runner: QueryRunner): Promise<void> {
    return alterTable(runner, 'oneid_session', 'DROP COLUMN note');
  }
}

const upgradedMigrations = [...oneIdLogoutMigrations, AddNote1797000000000];

/** Connects as a later version of the library, which has one more migration. */
class LaterVersion extends DatabaseConnector {
  override connect(options: SessionDatabaseOptions, clock: Clock) {
    return super.connect({ ...options, migrations: upgradedMigrations }, clock);
  }
}

/** Boots a later version of the library. */
const upgrade = (options: SessionDatabaseOptions): Promise<SessionDatabase> =>
  SessionDatabase.open(options, true, { clock: new TestClock(), connector: new LaterVersion() });

async function insertSession(dataSource: DataSource): Promise<void> {
  await dataSource.query(
    `INSERT INTO oneid_session (id, issuer, client_id, sub, issued_at, registered_at, expires_at, target_session,
       target_sid, target_sub, id_token_hash)
     VALUES ('${'a'.repeat(64)}', '${issuer}', '${clientId}', 'alice', 1, 1, 9000000000000, 's', 'none',
       '${targetOf('sub', issuer, 'alice')}', 'h')`,
  );
}

/** A migration of the host that does not conflict with the library's. */
class CreateUsers1700000000000 {
  readonly name = 'CreateUsers1700000000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.createTable(new Table({ name: 'users', columns: [{ name: 'name', type: 'varchar', length: '50' }] }));
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.dropTable('users');
  }
}

describe.each(databases)('the tables, on $name', (database) => {
  let testDatabase: TestDatabase;
  const dataSources: DataSource[] = [];
  const opened: SessionDatabase[] = [];
  beforeEach(async () => {
    testDatabase = await database.create();
  });
  afterEach(async () => {
    for (const dataSource of dataSources.splice(0)) await dataSource.destroy();
    for (const sessionDatabase of opened.splice(0)) await sessionDatabase.close();
    await testDatabase.drop();
  });

  async function connect(options: object = sessionDataSourceOptions(testDatabase.options)): Promise<DataSource> {
    const dataSource = await new DataSource({
      ...testDatabase.options,
      ...options,
    }).initialize();
    dataSources.push(dataSource);
    return dataSource;
  }

  async function open(options = testDatabase.options, migrate = true): Promise<SessionDatabase> {
    const sessionDatabase = await SessionDatabase.open(options, migrate);
    opened.push(sessionDatabase);
    return sessionDatabase;
  }

  async function tableNames(): Promise<string[]> {
    const dataSource = await connect({});
    const { type } = testDatabase.options;
    const rows: { name: string }[] = await dataSource.query(
      type === 'better-sqlite3'
        ? "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
        : `SELECT table_name AS name FROM information_schema.tables
           WHERE table_schema = ${type === 'postgres' ? 'current_schema()' : 'DATABASE()'}`,
    );
    return rows.map(({ name }) => name).sort();
  }

  it('are equal to the entities', async () => {
    const { dataSource } = await open();
    const { upQueries } = await dataSource.driver.createSchemaBuilder().log();
    expect(upQueries.map(({ query }) => query)).toEqual([]);
  });

  it('can be reverted and created again', async () => {
    const dataSource = await connect();
    await dataSource.runMigrations();
    expect(await tableNames()).toEqual(tables);
    await dataSource.undoLastMigration();
    expect(await tableNames()).toEqual(tables);
    await dataSource.undoLastMigration();
    expect(await tableNames()).toEqual(tables.filter((table) => table !== 'oneid_recording_time'));
    for (let n = 2; n < migrations.length; n++) await dataSource.undoLastMigration();
    expect(await tableNames()).toEqual(['oneid_logout_migrations']);
    await dataSource.runMigrations();
    expect(await tableNames()).toEqual(tables);
    expect(await dataSource.showMigrations()).toBe(false);
  });

  it('stop the boot when the host should have upgraded them', async () => {
    const dataSource = await connect();
    await dataSource.runMigrations();
    await dataSource.query('ALTER TABLE oneid_session DROP COLUMN label');
    await expect((await open(testDatabase.options, false)).requireTables()).rejects.toThrow(
      /^OneIdLogoutModule: can't use its table .oneid_session. \(.*label.*\)\. runMigrations is false, so run the library's migrations first/,
    );
  });

  it('are upgraded at boot and reverted, and keep their rows', async () => {
    const store = await SessionStore.open(testDatabase);
    const { id } = await store.registry.register({ idToken: store.idToken({ sub: 'alice' }) });
    const [row] = await store.rows('session');
    const { dataSource } = await upgrade(testDatabase.options);
    dataSources.push(dataSource);
    expect(await store.rows('session')).toEqual([{ ...row, note: null }]);
    expect(await store.isAlive(id)).toBe(true);
    await dataSource.undoLastMigration();
    expect(await store.rows('session')).toEqual([row]);
    expect(await store.isAlive(id)).toBe(true);
    await store.close();
  });

  it('know the clients of the sessions that a version before stored', async () => {
    const [first] = oneIdLogoutMigrations;
    const before = await connect({
      ...sessionDataSourceOptions(testDatabase.options),
      migrations: first === undefined ? [] : [first],
    });
    await before.runMigrations();
    await insertSession(before);
    const store = await SessionStore.open(testDatabase);
    expect(await store.isAlive('a'.repeat(64))).toBe(true);
    await store.recorder.endEveryone(issuer);
    expect(await store.isAlive('a'.repeat(64))).toBe(false);
    const rows = await store.rows('client_target');
    await store.repository.rememberClient(issuer, clientId);
    expect(await store.rows('client_target')).toEqual(rows);
    expect(rows).toHaveLength(4);
    await store.close();
  });

  it('are created once when eight replicas boot at the same time', async () => {
    await Promise.all(Array.from({ length: 8 }, () => open()));
    expect(await tableNames()).toEqual(tables);
    const [first] = opened;
    const applied = await first?.run('SELECT name FROM oneid_logout_migrations ORDER BY id');
    expect(applied?.rows).toEqual(migrations.map((name) => ({ name })));
  });

  it('are not changed by a boot that finds them', async () => {
    const database = await open();
    await database.run(`INSERT INTO oneid_session_tokens VALUES ('x', 'y', NULL, NULL)`);
    await open();
    expect((await database.run('SELECT session_id FROM oneid_session_tokens')).rows).toEqual([{ session_id: 'x' }]);
  });

  it('are not created when the host runs the migrations itself', async () => {
    await open(testDatabase.options, false);
    expect(await tableNames()).toEqual([]);
  });

  it("do not change the host's tables and migrations in the same database", async () => {
    const host = await connect({ migrations: [CreateUsers1700000000000] });
    await host.runMigrations();
    await host.query(`INSERT INTO users VALUES ('alice')`);

    const options = { ...testDatabase.options, dropSchema: true, synchronize: true, migrationsRun: true };
    const database = await open({ ...options, migrations: [CreateUsers1700000000000] });
    expect(await tableNames()).toEqual([...tables, 'migrations', 'users'].sort());
    expect(await host.query('SELECT name FROM users')).toEqual([{ name: 'alice' }]);
    expect(await host.query('SELECT name FROM migrations')).toEqual([{ name: 'CreateUsers1700000000000' }]);

    const executed = await database.run('SELECT name FROM oneid_logout_migrations ORDER BY id');
    expect(executed.rows).toEqual(migrations.map((name) => ({ name })));
    await host.undoLastMigration();
    expect(await tableNames()).toEqual([...tables, 'migrations'].sort());
  });

  describe('with schema and entityPrefix', () => {
    const named = (entityPrefix: string) =>
      ({
        ...testDatabase.options,
        entityPrefix,
        ...(testDatabase.options.type === 'postgres' && { schema: 'Single sign-on' }),
      }) as SessionDatabaseOptions;

    it('are separate from tables with other names, and work', async () => {
      const stores: SessionStore[] = [];
      for (const entityPrefix of ['App_', 'other_']) {
        stores.push(await SessionStore.open({ ...testDatabase, options: named(entityPrefix) }));
      }
      const [first, second] = stores as [SessionStore, SessionStore];
      const { upQueries } = await first.database.dataSource.driver.createSchemaBuilder().log();
      expect(upQueries.map(({ query }) => query)).toEqual([]);

      const idToken = first.idToken({ sub: 'alice', sid: 'login' });
      const sessions = [
        await first.registry.register({ idToken, refreshToken: 'r' }),
        await second.registry.register({ idToken, refreshToken: 'r' }),
      ] as const;
      await first.recorder.recordBackchannel(first.logout({ sid: 'login' }));
      expect(await first.isAlive(sessions[0].id)).toBe(false);
      expect(await second.isAlive(sessions[1].id)).toBe(true);
      for (const due of await first.revocations.findDue(5)) {
        expect(await first.revocations.claim(due)).toBe(true);
        expect(await first.tokens.findEndedBy(due.id, '', 5)).toHaveLength(1);
        expect(await first.revocations.release(due, null)).toBe(true);
      }
      expect(await second.revocations.findDue(5)).toEqual([]);
      first.clock.advance(40 * DAY);
      // a session, a logout, and who has signed in
      expect(await first.purge(5)).toBe(3);
      for (const store of stores) await store.close();
    });

    it('are upgraded once, even after a crash before the migration was noted', async () => {
      const database = await upgrade(named('App_'));
      opened.push(database);
      const { driver, options } = database.dataSource;
      const path = driver.buildTableName(
        'App_oneid_logout_migrations',
        'schema' in options ? options.schema : undefined,
      );
      const notes = escapePath(database.dataSource, path);
      await database.run(`DELETE FROM ${notes} WHERE name = 'AddNote1797000000000'`);
      await (await upgrade(named('App_'))).close();
      const noted = await database.run(`SELECT name FROM ${notes} ORDER BY id`);
      expect(noted.rows).toEqual([...migrations, 'AddNote1797000000000'].map((name) => ({ name })));
    });

    it('can be reverted and created again', async () => {
      await (await SessionDatabase.open(named('App_'), true)).close();
      const dataSource = await connect(sessionDataSourceOptions(named('App_')));
      for (let n = 0; n < migrations.length; n++) await dataSource.undoLastMigration();
      await expect(
        dataSource.query(`SELECT * FROM ${escapePath(dataSource, dataSource.getMetadata(SessionEntity).tablePath)}`),
        // not toThrow: it knows only errors of this suite's realm. TypeORM 0.3 passes on the SQLite addon's error, whose class
        // belongs to the suite that used the addon first in this process.
      ).rejects.toMatchObject({ message: expect.stringMatching(/no such table|does not exist|doesn't exist/) });
      await dataSource.runMigrations();
      await (await open(named('App_'), false)).requireTables();
    });
  });

  it("are created by the host's own data source, beside its own tables", async () => {
    const host = await connect({
      migrations: [CreateUsers1700000000000, ...oneIdLogoutMigrations],
      migrationsRun: true,
      entities: [...oneIdLogoutEntities],
    });
    expect(await tableNames()).toEqual([
      'migrations',
      'oneid_client_target',
      'oneid_login_user',
      'oneid_logout',
      'oneid_recording_time',
      'oneid_replica',
      'oneid_session',
      'oneid_session_activity',
      'oneid_session_alias',
      'oneid_session_tokens',
      'users',
    ]);
    const { upQueries } = await host.driver.createSchemaBuilder().log();
    expect(upQueries.map(({ query }) => query)).toEqual([]);
    const database = await open(testDatabase.options, false);
    await database.requireTables();
    for (let n = 0; n < migrations.length; n++) await host.undoLastMigration();
    expect(await tableNames()).toEqual(['migrations', 'users']);
    await expect(database.requireTables()).rejects.toThrow(
      /^OneIdLogoutModule: can't use its table .oneid_session. \(.+\)\. runMigrations is false, so run the library's migrations first, with the same schema and entityPrefix\./,
    );
  });

  it('stop the boot when they are missing and runMigrations is false', async () => {
    const booting = startReplica(
      {
        clients: [{ issuer, clientId, postLogoutRedirectUri: 'https://app.example/logout/callback' }],
        database: testDatabase.options,
        runMigrations: false,
      },
      new TestClock(),
    );
    await expect(booting).rejects.toThrow(
      /^OneIdLogoutModule: can't use its table .oneid_session. \(.+\)\. runMigrations is false, so run the library's migrations first, with the same schema and entityPrefix\./,
    );
  });

  it('stop the boot when another data source has created them and runMigrations is true', async () => {
    await (await connect({ migrations: [...oneIdLogoutMigrations] })).runMigrations();
    const quiet = jest.spyOn(console, 'log').mockReturnValue();
    await expect(open().finally(() => quiet.mockRestore())).rejects.toThrow(
      /^OneIdLogoutModule: can't create or upgrade its tables: .*oneid_session.* exists.*\. Give the database role the rights for this\. If a deploy job or your own data source creates the tables, set runMigrations: false$/s,
    );
  });

  it('are created with a pool of one connection', async () => {
    await open({ ...testDatabase.options, poolSize: 1 } as SessionDatabaseOptions);
    expect(await tableNames()).toEqual(tables);
  });

  it('are created after a migration that was interrupted', async () => {
    const failing = await connect({
      ...sessionDataSourceOptions(testDatabase.options),
      migrations: [
        class Broken1790000000000 {
          readonly name = 'Broken1790000000000';
          async up(runner: QueryRunner): Promise<void> {
            await runner.query('SELECT 1');
            throw new Error('cut off');
          }
          down(): Promise<void> {
            return Promise.resolve();
          }
        },
      ],
    });
    const quiet = jest.spyOn(console, 'log').mockReturnValue();
    await expect(failing.runMigrations({ transaction: 'each' })).rejects.toThrow('cut off');
    quiet.mockRestore();
    await open();
    expect(await tableNames()).toEqual(tables);
  });
});

describe.each(databases.filter(({ name }) => name !== 'SQLite'))(
  'an upgrade during a long transaction, on $name',
  (database) => {
    let testDatabase: TestDatabase;
    let reader: DataSource;
    let reading: QueryRunner;
    let replica: DataSource;
    let quiet: jest.SpiedFunction<typeof console.log>;
    const dataSources: DataSource[] = [];
    beforeEach(async () => {
      // TypeORM logs each failed try
      quiet = jest.spyOn(console, 'log').mockReturnValue();
      testDatabase = await database.create();
      const before = await connect(sessionDataSourceOptions(testDatabase.options));
      await before.runMigrations();
      await insertSession(before);
      reader = await connect({});
      replica = await connect({});
      reading = reader.createQueryRunner();
      await reading.startTransaction();
      await reading.query('SELECT COUNT(*) FROM oneid_session');
    });
    afterEach(async () => {
      await reading.release();
      for (const dataSource of dataSources.splice(0)) await dataSource.destroy();
      await testDatabase.drop();
      quiet.mockRestore();
    });

    async function connect(options: object): Promise<DataSource> {
      const dataSource = await new DataSource({ ...testDatabase.options, ...options }).initialize();
      dataSources.push(dataSource);
      return dataSource;
    }

    const isPostgres = () => testDatabase.options.type === 'postgres';

    async function upgradeWaits(): Promise<boolean> {
      const waiting: unknown[] = await replica.query(
        isPostgres()
          ? `SELECT 1 FROM pg_stat_activity
           WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%ALTER TABLE%'`
          : `SELECT 1 FROM information_schema.processlist
           WHERE db = DATABASE() AND state LIKE 'Waiting for table metadata lock%' AND info LIKE 'ALTER TABLE%'`,
      );
      return waiting.length > 0;
    }

    const readSessions = () => replica.query<object[]>('SELECT * FROM oneid_session');
    const noted = () => replica.query<object[]>('SELECT name FROM oneid_logout_migrations ORDER BY id');

    it('lets running replicas read the tables, and succeeds when the transaction has ended', async () => {
      const opening = upgrade(testDatabase.options);
      while (!(await upgradeWaits()));
      const [row] = await readSessions();
      expect(row).not.toHaveProperty('note');
      expect(reading.isTransactionActive).toBe(true);
      await reading.commitTransaction();
      const opened = await opening;
      expect(await readSessions()).toEqual([{ ...row, note: null }]);
      expect(await noted()).toEqual([...migrations, 'AddNote1797000000000'].map((name) => ({ name })));
      await opened.close();
    });

    it('fails when the transaction does not end, and changes nothing', async () => {
      await expect(upgrade(testDatabase.options)).rejects.toThrow(
        "OneIdLogoutModule: can't upgrade its tables: " +
          (isPostgres()
            ? 'canceling statement due to lock timeout'
            : 'Lock wait timeout exceeded; try restarting transaction') +
          '. Another transaction that has used them is still open, for example a backup or a report. Start the app again when it has ended',
      );
      expect(quiet.mock.calls).toHaveLength(4);
      const [row] = await readSessions();
      expect(row).not.toHaveProperty('note');
      expect(await noted()).toEqual(migrations.map((name) => ({ name })));
    });

    it.each(['none', 'each', 'all'] as const)(
      "fails soon among the host's own migrations, too, and restores their lock timeout: transaction %s",
      async (transaction) => {
        const patienceOf = async (on: QueryRunner | DataSource): Promise<unknown> => {
          const setting = isPostgres() ? `current_setting('lock_timeout')` : '@@lock_wait_timeout';
          const [row] = (await on.query(`SELECT ${setting} AS patience`)) as { patience: unknown }[];
          return row?.patience;
        };
        const found: unknown[] = [];
        class Later1800000000000 {
          readonly name = 'Later1800000000000';
          async up(runner: QueryRunner): Promise<void> {
            found.push(await patienceOf(runner));
          }
          down(): Promise<void> {
            return Promise.resolve();
          }
        }
        const host = await connect({
          ...sessionDataSourceOptions(testDatabase.options),
          poolSize: 1,
          migrations: [...upgradedMigrations, Later1800000000000],
        });
        const own = await patienceOf(host);
        await expect(host.runMigrations({ transaction })).rejects.toMatchObject({
          driverError: { code: isPostgres() ? '55P03' : 'ER_LOCK_WAIT_TIMEOUT' },
        });
        found.push(await patienceOf(host));
        await reading.commitTransaction();
        await host.runMigrations({ transaction });
        found.push(await patienceOf(host));
        expect(found).toEqual([own, own, own]);
        expect((await readSessions())[0]).toHaveProperty('note', null);
      },
    );
  },
);

describe("a PostgreSQL that cannot keep the library's promises", () => {
  let testDatabase: TestDatabase;
  beforeEach(async () => {
    testDatabase = await postgres.create();
  });
  afterEach(() => testDatabase.drop());

  async function alter(setting: string): Promise<void> {
    const dataSource = await new DataSource(testDatabase.options).initialize();
    const [{ name }] = await dataSource.query<[{ name: string }]>('SELECT current_database() AS name');
    await dataSource.query(`ALTER DATABASE ${name} SET ${setting}`);
    await dataSource.destroy();
  }

  it.each([
    ['off', [expect.stringContaining('synchronous_commit is off: a crash may lose logouts')]],
    ['on', []],
    ['local', []],
  ])('causes the right warnings at boot: synchronous_commit %s', async (value, warnings) => {
    await alter(`synchronous_commit = ${value}`);
    const warned = jest.spyOn(Logger.prototype, 'warn').mockReturnValue();
    await (await SessionDatabase.open(testDatabase.options, true)).close();
    const messages = warned.mock.calls.map(([message]) => message as unknown);
    warned.mockRestore();
    expect(messages).toEqual(warnings);
  });

  it('stops the boot with the names of the needed rights', async () => {
    const role = `role_${randomBytes(6).toString('hex')}`;
    const owner = await SessionDatabase.open(testDatabase.options, true);
    const query = (sql: string) => owner.dataSource.query(sql);
    await query(`CREATE ROLE ${role} LOGIN PASSWORD 'secret'`);
    const url = new URL((testDatabase.options as { url: string }).url);
    Object.assign(url, { username: role, password: 'secret' });
    const limited = { ...testDatabase.options, url: url.href } as SessionDatabaseOptions;

    const rights = ['SELECT', 'INSERT', 'UPDATE', 'DELETE'];
    for (const missing of rights) {
      await query(`REVOKE ALL ON ALL TABLES IN SCHEMA public FROM ${role}`);
      const others = rights.filter((right) => right !== missing);
      await query(`GRANT ${others.join(', ')} ON ALL TABLES IN SCHEMA public TO ${role}`);
      const database = await SessionDatabase.open(limited, false);
      await expect(database.requireTables()).rejects.toThrow(
        'OneIdLogoutModule: can\'t use its table "oneid_session" (permission denied for table oneid_session). ' +
          "runMigrations is false, so run the library's migrations first, with the same schema and entityPrefix. The database role needs " +
          'SELECT, INSERT, UPDATE and DELETE on this table',
      );
    }
    await expect(SessionDatabase.open({ ...limited, schema: 'other' } as SessionDatabaseOptions, true)).rejects.toThrow(
      /^OneIdLogoutModule: can't create or upgrade its tables: permission denied for database \w+\. Give the database role the rights for this\./,
    );
    await query(`GRANT ${rights.join(', ')} ON ALL TABLES IN SCHEMA public TO ${role}`);
    const writer = await SessionDatabase.open(limited, false);
    await writer.requireTables();
    await writer.close();
    await query(`DROP OWNED BY ${role}`);
    await query(`DROP ROLE ${role}`);
    await owner.close();
  });

  it.each(['repeatable read', 'serializable'])(
    'is refused at boot: default_transaction_isolation %s',
    async (level) => {
      await alter(`default_transaction_isolation = '${level}'`);
      await expect(SessionDatabase.open(testDatabase.options, true)).rejects.toThrow(
        "OneIdLogoutModule: can't use this database: default_transaction_isolation is " +
          `'${level}', it must be 'read committed'`,
      );
    },
  );
});

// describe.each does not accept an empty list
for (const database of databases.filter(({ name }) => name.startsWith('MariaDB'))) {
  describe(`a ${database.name} set up for another language`, () => {
    it.each(['latin1', 'utf8mb3'])('stores every character with the default character set %s', async (characterSet) => {
      const testDatabase = await database.create();
      const dataSource = await new DataSource(testDatabase.options).initialize();
      await dataSource.query(`ALTER DATABASE CHARACTER SET ${characterSet}`);
      await dataSource.destroy();
      const store = await SessionStore.open(testDatabase);
      try {
        const sub = '日本 😀 ålice';
        const session = {
          id: 'a'.repeat(64),
          issuer,
          clientId,
          sub,
          sid: sub,
          iat: 1,
          lifetime: DAY,
          idTokenHash: 'b',
          label: sub,
        };
        await store.repository.insertSession(session);
        expect((await store.repository.check(session.id))?.session).toMatchObject({ sub, sid: sub });
        expect(await store.registry.listAlive({ issuer, sub })).toMatchObject([{ label: sub }]);
        const { upQueries } = await store.database.dataSource.driver.createSchemaBuilder().log();
        expect(upQueries).toEqual([]);
        // all columns have the same collation; otherwise comparisons would use no index
        const columns = await store.database.run(
          `SELECT DISTINCT character_set_name, collation_name FROM information_schema.columns
           WHERE table_schema = DATABASE() AND data_type = 'varchar' AND table_name <> 'oneid_logout_migrations'`,
        );
        expect(columns.rows.map((row) => Object.values(row))).toEqual([['utf8mb4', 'utf8mb4_bin']]);
      } finally {
        await store.close();
        await testDatabase.drop();
      }
    });
  });
}
