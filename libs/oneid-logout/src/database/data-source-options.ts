import { type DataSourceOptions, DefaultNamingStrategy, type MigrationInterface } from 'typeorm';
import { ClientTargetEntity } from './client-target.entity.js';
import { LoginUserEntity } from './login-user.entity.js';
import { LogoutEntity } from './logout.entity.js';
import { CreateOneIdLogoutTables1790000000000 } from './migrations/1790000000000-create-oneid-logout-tables.js';
import { AddEveryone1791000000000 } from './migrations/1791000000000-add-everyone.js';
import { AddLogoutAuthor1793000000000 } from './migrations/1793000000000-add-logout-author.js';
import { AddSessionActivity1794000000000 } from './migrations/1794000000000-add-session-activity.js';
import { AddRecordingTime1795000000000 } from './migrations/1795000000000-add-recording-time.js';
import { AddActivityIndex1796000000000 } from './migrations/1796000000000-add-activity-index.js';
import { RecordingTimeEntity } from './recording-time.entity.js';
import { ReplicaEntity } from './replica.entity.js';
import { SessionActivityEntity } from './session-activity.entity.js';
import { SessionAliasEntity } from './session-alias.entity.js';
import { SessionEntity } from './session.entity.js';
import { SessionTokensEntity } from './session-tokens.entity.js';
import { type SupportedDatabase } from './sql-dialect.js';
import { refuseCrashingDriver } from './sqlite-driver.js';
import { refuseOtherTypeOrm } from './typeorm-version.js';

/**
 * TypeORM options of a supported database: PostgreSQL, MySQL, MariaDB, or SQLite with better-sqlite3. The library
 * overrides some of them, such as entities and migrations.
 *
 * @category Set-up
 */
export type SessionDatabaseOptions = Extract<
  DataSourceOptions,
  {
    /** `postgres`, `mysql`, `mariadb` or `better-sqlite3`. */
    type: SupportedDatabase;
  }
>;

/** How long one statement may take, milliseconds: after this time a slow store counts as down. */
export const STATEMENT_TIMEOUT = 5_000;

/** How long the server lets one statement take, milliseconds: a little less, so that the connection can stay open. */
export const SERVER_TIMEOUT = STATEMENT_TIMEOUT - 500;

/** Lifetime of a PostgreSQL connection, seconds: limits how long a prepared statement keeps an old plan. */
const CONNECTION_LIFETIME = 300;

/** The collation by which mysql2 names the character set of a connection, utf8mb4. */
const CHARACTER_SET = 'UTF8MB4_BIN';

/**
 * The library's entities, for a host that uses TypeORM to compare them with the tables.
 *
 * @category Set-up
 */
export const oneIdLogoutEntities: readonly (new () => object)[] = [
  SessionEntity,
  SessionAliasEntity,
  LogoutEntity,
  SessionTokensEntity,
  ReplicaEntity,
  LoginUserEntity,
  SessionActivityEntity,
  ClientTargetEntity,
  RecordingTimeEntity,
];

/**
 * The migrations of the library's tables, for a host that runs them with its own migrations (`runMigrations: false`).
 * They use the `schema` and `entityPrefix` of the data source that runs them.
 *
 * @category Set-up
 * @example
 * ```ts
 * import { oneIdLogoutMigrations } from 'nestjs-oneid-logout';
 * import { DataSource } from 'typeorm';
 *
 * const { DATABASE_URL: url = 'postgres://localhost/my-app' } = process.env;
 *
 * export default new DataSource({
 *   type: 'postgres',
 *   url,
 *   migrations: ['dist/migrations/1-create-tables.js', ...oneIdLogoutMigrations],
 * });
 * ```
 */
export const oneIdLogoutMigrations: readonly (new () => MigrationInterface)[] = [
  CreateOneIdLogoutTables1790000000000,
  AddEveryone1791000000000,
  AddLogoutAuthor1793000000000,
  AddSessionActivity1794000000000,
  AddRecordingTime1795000000000,
  AddActivityIndex1796000000000,
];

/**
 * The full TypeORM options of the library's data source: the host's options, the library's entities and migrations.
 *
 * Use it to run the library's migrations with TypeORM's command line, when the app does not run them at boot
 * (`runMigrations: false`).
 *
 * @param options the same as the module's option `database`
 * @returns options for a `DataSource`
 * @throws {UnusableDatabaseError} `sqlite_driver_unusable`: better-sqlite3 would crash this process. `typeorm_unusable`:
 *   the library does not support this version of TypeORM
 * @category Set-up
 * @example
 * ```ts
 * import { sessionDataSourceOptions } from 'nestjs-oneid-logout';
 * import { DataSource } from 'typeorm';
 *
 * const { DATABASE_URL: url = 'postgres://localhost/my-app' } = process.env;
 *
 * export default new DataSource(sessionDataSourceOptions({ type: 'postgres', url }));
 * ```
 */
export function sessionDataSourceOptions(options: SessionDatabaseOptions): SessionDatabaseOptions {
  refuseOtherTypeOrm();
  const own = {
    entities: [...oneIdLogoutEntities],
    migrations: [...oneIdLogoutMigrations],
    migrationsTableName: `${options.entityPrefix ?? ''}oneid_logout_migrations`,
    // the host's naming strategy would give the columns other names
    namingStrategy: new DefaultNamingStrategy(),
    migrationsRun: false,
    synchronize: false,
    dropSchema: false,
    subscribers: [],
    // TypeORM's log would contain parameters: users, tokens
    logging: false,
    maxQueryExecutionTime: 0,
  };
  switch (options.type) {
    case 'better-sqlite3':
      if (loadsUsualDriver(options)) refuseCrashingDriver();
      return {
        ...options,
        ...own,
        enableWAL: true,
        // the driver waits for a lock synchronously, which would block the whole process: run() retries instead
        timeout: 0,
        prepareDatabase: async (connection: SqliteConnection) => {
          connection.pragma('synchronous = FULL');
          await options.prepareDatabase?.(connection);
        },
      };
    case 'postgres':
      return {
        connectTimeoutMS: STATEMENT_TIMEOUT,
        ...options,
        ...own,
        extra: { maxLifetimeSeconds: CONNECTION_LIFETIME, ...(options.extra as object | undefined) },
      };
    case 'mysql':
    case 'mariadb':
      return {
        connectTimeout: STATEMENT_TIMEOUT,
        ...options,
        ...own,
        // with a character set that lacks characters, two users could become one
        charset: CHARACTER_SET,
        extra: { ...(options.extra as object | undefined), charset: CHARACTER_SET },
      };
  }
}

/** Only the default better-sqlite3 can be checked before it is loaded. */
export function loadsUsualDriver(options: SessionDatabaseOptions): boolean {
  return options.type === 'better-sqlite3' && options.driver === undefined && options.nativeBinding === undefined;
}

interface SqliteConnection {
  pragma(source: string): unknown;
}
