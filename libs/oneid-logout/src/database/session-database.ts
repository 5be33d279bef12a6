import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import {
  DataSource,
  type DataSourceOptions,
  DefaultNamingStrategy,
  MigrationExecutor,
  type MigrationInterface,
  QueryFailedError,
  type QueryRunner,
} from 'typeorm';
import { StoreUnavailableError, UnusableDatabaseError } from '../oneid-logout.errors.js';
import { CreateOneIdLogoutTables1790000000000 } from './migrations/1790000000000-create-oneid-logout-tables.js';
import { AddSessionLabel1796000000000 } from './migrations/1796000000000-add-session-label.js';
import { LogoutEntity } from './logout.entity.js';
import { ReplicaEntity } from './replica.entity.js';
import { SessionEntity } from './session.entity.js';
import { type SessionTables, sessionTablesOf, tableOf } from './session-tables.js';
import { SessionTokensEntity } from './session-tokens.entity.js';
import { type SqlDialect, sqlDialects, type SupportedDatabase } from './sql-dialect.js';
import { type RunOptions, type SqlParameter, type SqlResult, type SqlRow, type Statements } from './sql.js';
import { statementsOf } from './statements.js';
import { driverErrorFor, refuseCrashingDriver, warnOfAbortingDriver } from './sqlite-driver.js';
import { TimeLimit } from './time-limit.js';

/** TypeORM options of a supported database. The library overrides some of them, such as entities and migrations. */
export type SessionDatabaseOptions = Extract<DataSourceOptions, { type: SupportedDatabase }>;

/** How long one statement may take, milliseconds: after this time a slow store counts as down. */
const STATEMENT_TIMEOUT = 5_000;
/** Pause before a statement that met a conflict runs again, milliseconds. */
const BUSY_RETRY_DELAY = 10;

/** Lifetime of a PostgreSQL connection, seconds: limits how long a prepared statement keeps an old plan. */
const CONNECTION_LIFETIME = 300;

/** Shortest time between two logged failures, milliseconds. */
const LOG_PAUSE = 60_000;

interface Patience {
  readonly attempts: number;
  /** Between two attempts, milliseconds. */
  readonly pause: number;
}

/** For a boot while another process holds a lock on the database: ten seconds. */
const WHILE_LOCKED: Patience = { attempts: 100, pause: 100 };

/** For a boot that must change a table in use. Statements that queue behind an attempt run during the pause. */
const WHILE_IN_USE: Patience = { attempts: 4, pause: 1_000 };

/** How long a boot on MySQL or MariaDB waits for another replica's migration, seconds. */
const MIGRATION_PATIENCE = 60;
/** Fixed key of the advisory lock on PostgreSQL. */
const MIGRATION_LOCK = 7_153_269_401;

/**
 * The library's own connection to its tables. It never joins a transaction of the host, and the database has committed
 * every statement when it returns.
 */
export class SessionDatabase {
  readonly tables: SessionTables;
  private readonly logger = new Logger('OneIdLogout');
  private readonly statements: Statements;
  private silentUntil = 0;

  private constructor(
    readonly dataSource: DataSource,
    readonly dialect: SqlDialect,
  ) {
    this.tables = sessionTablesOf(dataSource);
    this.statements = statementsOf(dataSource, dialect);
  }

  /**
   * Connects and checks that the database can keep the library's promises.
   *
   * @param migrate true: also runs the pending migrations
   * @param dialect replaces the driver's dialect, for tests that move the database's clock
   * @throws {UnusableDatabaseError} when it can't connect, a check fails, or a migration fails
   */
  static async open(
    options: SessionDatabaseOptions,
    migrate: boolean,
    dialect: SqlDialect = sqlDialects[options.type],
  ): Promise<SessionDatabase> {
    const dataSourceOptions = sessionDataSourceOptions(options);
    if (loadsUsualDriver(options)) warnOfAbortingDriver();
    const dataSource = await retryWhileLocked(dialect, () => new DataSource(dataSourceOptions).initialize()).catch(
      (error: unknown) => {
        throw openingError(options, error);
      },
    );
    const database = new SessionDatabase(dataSource, dialect);
    try {
      await database.checkPromises();
      if (migrate) await database.migrate();
    } catch (error) {
      await database.close();
      if (error instanceof UnusableDatabaseError) throw error;
      throw new UnusableDatabaseError(`can't use this database: ${messageOf(error)}`, { cause: error });
    }
    return database;
  }

  /**
   * Checks the tables for a host that runs the migrations itself: better a failed boot than a 503 for every request.
   *
   * @throws {UnusableDatabaseError} when a table, a column or a right is missing
   */
  async requireTables(): Promise<void> {
    for (const entity of oneIdLogoutEntities) {
      const table = tableOf(this.dataSource, entity);
      const columns = this.dataSource.getMetadata(entity).columns.map(({ databaseName }) => databaseName);
      const [key] = columns;
      try {
        // they change no row, but fail when a column or a right is missing
        for (const statement of [
          `INSERT INTO ${table} (${columns.join(', ')}) SELECT ${columns.join(', ')} FROM ${table} WHERE 1 = 0`,
          `UPDATE ${table} SET ${key} = ${key} WHERE 1 = 0`,
          `DELETE FROM ${table} WHERE 1 = 0`,
        ]) {
          await retryWhileLocked(this.dialect, () => this.dataSource.query(statement));
        }
      } catch (error) {
        await this.close();
        throw new UnusableDatabaseError(
          `can't use its table ${table} (${messageOf(error)}). runMigrations is false: run its ` +
            'migrations first, with the same schema and entityPrefix as here. The role needs SELECT, INSERT, UPDATE and ' +
            'DELETE on it',
          { cause: error },
        );
      }
    }
  }

  async close(): Promise<void> {
    if (this.dataSource.isInitialized) await this.dataSource.destroy();
  }

  /**
   * Runs one statement, committed when it returns. `?` stands for a parameter on every database.
   *
   * @param options.prepared true: PostgreSQL keeps the statement parsed and planned. For the few statements that run at
   *   every request, and for which one plan fits all parameters and table sizes
   * @throws {StoreUnavailableError} when the database fails, or takes longer than five seconds
   */
  async run(
    sql: string,
    parameters: readonly SqlParameter[] = [],
    { prepared = false }: RunOptions = {},
  ): Promise<SqlResult> {
    try {
      return await TimeLimit.enforce(STATEMENT_TIMEOUT, (limit) =>
        this.retryWhileBusy(sql, parameters, prepared, limit),
      );
    } catch (error) {
      const reason = withoutParameters(error);
      // a caller that inserts a group expects duplicates and goes on row by row: the store has not failed
      if (!this.dialect.isDuplicate(driverErrorOf(error))) this.logFailure(reason);
      throw new StoreUnavailableError(reason);
    }
  }

  /** Callers answer 503 without the reason, so the log gives it, at most once a minute. */
  private logFailure(reason: unknown): void {
    const now = performance.now();
    if (now < this.silentUntil) return;
    this.silentUntil = now + LOG_PAUSE;
    this.logger.error(`The session store can't answer: ${messageOf(reason)}`);
  }

  private async retryWhileBusy(
    sql: string,
    parameters: readonly SqlParameter[],
    prepared: boolean,
    limit: TimeLimit,
  ): Promise<SqlResult> {
    for (;;) {
      try {
        return await this.statements.run(sql, parameters, prepared, limit);
      } catch (error) {
        if (!isBusy(this.dialect, error)) throw error;
        await delay(BUSY_RETRY_DELAY);
        limit.check();
      }
    }
  }

  private async checkPromises(): Promise<void> {
    const { type } = this.dataSource.options;
    if (type === 'postgres') await this.checkPostgres();
    if (type === 'mysql' || type === 'mariadb') await this.checkMysql();
  }

  private async checkPostgres(): Promise<void> {
    const { rows } = await this.run(
      `SELECT current_setting('default_transaction_isolation') AS isolation, pg_is_in_recovery() AS replica,
         current_setting('synchronous_commit') AS commit`,
    );
    const { isolation, replica, commit } = rows[0] ?? {};
    refuseUnless(
      isolation === 'read committed',
      `default_transaction_isolation is '${String(isolation)}', it must be 'read committed'`,
    );
    refuseUnless(replica === false, 'it is a read-only replica, use the primary');
    if (commit === 'off') warnOfLoss('synchronous_commit is off');
  }

  private async checkMysql(): Promise<void> {
    const { rows } = await this.run(
      'SELECT @@autocommit AS autocommit, @@sql_mode AS sql_mode, @@innodb_flush_log_at_trx_commit AS flush',
    );
    const { autocommit, sql_mode: mode, flush } = rows[0] ?? {};
    refuseUnless(Number(autocommit) === 1, 'autocommit is off, it must be on');
    const safe = !String(mode).includes('NO_BACKSLASH_ESCAPES');
    refuseUnless(safe, 'sql_mode has NO_BACKSLASH_ESCAPES, under which the driver does not quote safely');
    // the value 3 exists only on MariaDB, and is as durable as 1
    if (Number(flush) === 0 || Number(flush) === 2) warnOfLoss(`innodb_flush_log_at_trx_commit is ${Number(flush)}`);
  }

  /** Takes a lock when migrations are pending: replicas that boot together must not run the same migration together. */
  private async migrate(): Promise<void> {
    const runner = this.dataSource.createQueryRunner();
    try {
      await runner.connect();
      // uses the connection that holds the lock, so a pool of one connection is enough
      const executor = new MigrationExecutor(this.dataSource, runner);
      // without pending migrations a boot takes no lock, so it does not wait for other replicas
      if (!(await this.hasPending(executor))) return;
      const unlock = await this.lockMigrations(runner);
      await this.makeTables(runner, executor);
      await unlock();
    } finally {
      // after an error the lock is still held; open() then closes the connection, which frees it
      await runner.release();
    }
  }

  private async hasPending(executor: MigrationExecutor): Promise<boolean> {
    try {
      return (await retryWhileLocked(this.dialect, () => executor.getPendingMigrations())).length > 0;
    } catch (error) {
      throw migrationError(error);
    }
  }

  /** Runs the migrations that are still pending now that we hold the lock. */
  private async makeTables(runner: QueryRunner, executor: MigrationExecutor): Promise<void> {
    // on SQLite the lock is already a transaction
    executor.transaction = this.dataSource.options.type === 'better-sqlite3' ? 'none' : 'each';
    const inUse = (error: unknown) => this.dialect.isLockTimeout(driverErrorOf(error));
    try {
      await this.createSchema(runner);
      await retryWhile(inUse, WHILE_IN_USE, () =>
        retryWhileLocked(this.dialect, () => executor.executePendingMigrations()),
      );
    } catch (error) {
      throw inUse(error) ? inUseError(error) : migrationError(error);
    }
  }

  private async createSchema(runner: QueryRunner): Promise<void> {
    const { options } = this.dataSource;
    if (options.type !== 'postgres' || options.schema === undefined) return;
    // when the schema exists, the role needs no right to create one
    if (!(await runner.hasSchema(options.schema))) await runner.createSchema(options.schema, true);
  }

  private async lockMigrations(runner: QueryRunner): Promise<() => Promise<unknown>> {
    switch (this.dataSource.options.type) {
      case 'postgres':
        await runner.query('SELECT pg_advisory_lock($1)', [MIGRATION_LOCK]);
        return () => runner.query('SELECT pg_advisory_unlock($1)', [MIGRATION_LOCK]);
      case 'mysql':
      case 'mariadb': {
        // lock names are shared by all databases of a server, so the name contains the database
        const [database] = (await runner.query('SELECT DATABASE() AS name')) as SqlRow[];
        const lock = createHash('sha256')
          .update(`oneid_logout migrations of ${String(database?.['name'])}`)
          .digest('hex');
        const [row] = (await runner.query('SELECT GET_LOCK(?, ?) AS locked', [lock, MIGRATION_PATIENCE])) as SqlRow[];
        refuseUnless(Number(row?.['locked']) === 1, 'another process has been migrating it for a minute');
        return () => runner.query('SELECT RELEASE_LOCK(?)', [lock]);
      }
      default:
        await retryWhileLocked(this.dialect, () => runner.query('BEGIN IMMEDIATE'));
        return () => runner.query('COMMIT');
    }
  }
}

function refuseUnless(condition: boolean, fault: string): asserts condition {
  if (!condition) throw new UnusableDatabaseError(`can't use this database: ${fault}`);
}

function openingError(options: SessionDatabaseOptions, cause: unknown): UnusableDatabaseError {
  const isSqlite = options.type === 'better-sqlite3';
  const cure = isSqlite
    ? 'Check that the option database names a file that this process may write'
    : 'Check that the database runs, and what the option database says';
  const fault = `can't open its database (${options.type}): ${messageOf(cause)}`;
  return (isSqlite ? driverErrorFor(cause) : undefined) ?? new UnusableDatabaseError(fault, { cure, cause });
}

/** Only the default better-sqlite3 can be checked before it is loaded. */
function loadsUsualDriver(options: SessionDatabaseOptions): boolean {
  return options.type === 'better-sqlite3' && options.driver === undefined && options.nativeBinding === undefined;
}

function messageOf(error: unknown): string {
  if (error instanceof StoreUnavailableError) return messageOf(error.cause);
  // Node tried several addresses of the host, and each failed with its own error
  if (error instanceof AggregateError) return [...new Set(error.errors.map(messageOf))].join('; ');
  return error instanceof Error ? error.message : String(error);
}

function warnOfLoss(setting: string): void {
  new Logger('OneIdLogout').warn(
    `The database's ${setting}: a crash may lose logouts that OneID was told are recorded, and its sessions live on.`,
  );
}

function isBusy(dialect: SqlDialect, error: unknown): boolean {
  return dialect.isBusy(driverErrorOf(error));
}

function driverErrorOf(error: unknown): object {
  const driverError: unknown = error instanceof QueryFailedError ? error.driverError : error;
  return typeof driverError === 'object' && driverError !== null ? driverError : {};
}

/** For the work at boot: another process that boots at the same time may lock the database for a moment. */
function retryWhileLocked<T>(dialect: SqlDialect, work: () => Promise<T>): Promise<T> {
  return retryWhile((error) => isBusy(dialect, error), WHILE_LOCKED, work);
}

async function retryWhile<T>(
  mayPass: (error: unknown) => boolean,
  { attempts, pause }: Patience,
  work: () => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (!mayPass(error) || attempt === attempts) throw error;
      await delay(pause);
    }
  }
}

function migrationError(error: unknown): Error {
  return new UnusableDatabaseError(
    `can't make or upgrade its tables: ${messageOf(error)}. Give the role the right to, or, if they ` +
      'are made by other means (your own data source, a deploy job), set runMigrations: false',
    { cause: error },
  );
}

function inUseError(error: unknown): Error {
  return new UnusableDatabaseError(
    `can't upgrade its tables: ${messageOf(error)}. A transaction that has used them stays open (a ` +
      'backup, a report, one that was forgotten): boot again when it is over',
    { cause: error },
  );
}

/** Keeps the driver's message and code, without the statement and its parameters: they hold session ids and tokens. */
function withoutParameters(error: unknown): unknown {
  const { message, code } = driverErrorOf(error) as { readonly message?: unknown; readonly code?: unknown };
  if (typeof message !== 'string' || message === '' || code === undefined) return error;
  return Object.assign(new Error(message), { code });
}

/** The library's entities, for a host that uses TypeORM to compare them with the tables. */
export const oneIdLogoutEntities: readonly (new () => object)[] = [
  SessionEntity,
  LogoutEntity,
  SessionTokensEntity,
  ReplicaEntity,
];

/**
 * The migrations of the library's tables, for a host that runs them with its own migrations (`runMigrations: false`).
 * They use the `schema` and `entityPrefix` of the data source that runs them.
 */
export const oneIdLogoutMigrations: readonly (new () => MigrationInterface)[] = [
  CreateOneIdLogoutTables1790000000000,
  AddSessionLabel1796000000000,
];

/**
 * The full TypeORM options of the library's data source: the host's options, the library's entities and migrations.
 *
 * Use it in `ormconfig.ts` to run the migrations with TypeORM's command line.
 *
 * @throws {UnusableDatabaseError} when better-sqlite3 would crash this process
 */
export function sessionDataSourceOptions(options: SessionDatabaseOptions): DataSourceOptions {
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
    // TypeORM's log would contain parameters: session ids, users, tokens
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
      return { connectTimeout: STATEMENT_TIMEOUT, ...options, ...own };
  }
}

interface SqliteConnection {
  pragma(source: string): unknown;
}
