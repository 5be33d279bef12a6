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

/** TypeORM options of a database the library runs on, without what the library sets itself. */
export type SessionDatabaseOptions = Extract<DataSourceOptions, { type: SupportedDatabase }>;

/** How long one statement may take, milliseconds: a store that hangs is a store that is down. */
const STATEMENT_TIMEOUT = 5_000;
const BUSY_RETRY_DELAY = 10;

/** How long PostgreSQL may go on with the plan that it once made for a prepared statement, seconds. */
const CONNECTION_LIFETIME = 300;

/** How far apart failures are logged, milliseconds. */
const LOG_PAUSE = 60_000;

interface Patience {
  readonly attempts: number;
  /** Between two of them, milliseconds. */
  readonly pause: number;
}

/** Of a boot while another process has the database locked. */
const WHILE_LOCKED: Patience = { attempts: 100, pause: 100 };

/** Of a boot while others use a table that it has to change; all that has queued behind an attempt goes on in the pause. */
const WHILE_IN_USE: Patience = { attempts: 4, pause: 1_000 };

/** How long a boot waits for another replica's migration, seconds. */
const MIGRATION_PATIENCE = 60;
const MIGRATION_LOCK = 7_153_269_401;

/**
 * The library's own connection to its tables, apart from the host's: never inside an ambient transaction, every
 * statement committed before it returns.
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
   * Connects, checks that the connection can keep the library's promises, and brings the tables up to date.
   *
   * @param dialect replaces the driver's, for tests that move the database's clock
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

  /** For hosts that run the migrations themselves: better no boot than a 503 for every request. */
  async requireTables(): Promise<void> {
    for (const entity of oneIdLogoutEntities) {
      const table = tableOf(this.dataSource, entity);
      const columns = this.dataSource.getMetadata(entity).columns.map(({ databaseName }) => databaseName);
      const [key] = columns;
      try {
        // change nothing, and need the rights to, and every column
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
   * @param options.prepared for the few statements that are run at every request, and have one good plan whatever their
   * parameters and the size of the tables: a server that can keeps them parsed and planned
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
      // by whoever can do without: the store is not what failed
      if (!this.dialect.isDuplicate(driverErrorOf(error))) this.logFailure(reason);
      throw new StoreUnavailableError(reason);
    }
  }

  /** Callers answer 503 and say no more: once a minute, here is why. */
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
    // 3 is MariaDB's, and as durable as 1
    if (Number(flush) === 0 || Number(flush) === 2) warnOfLoss(`innodb_flush_log_at_trx_commit is ${Number(flush)}`);
  }

  /** Replicas that boot at once would run the same migration at once, so they take turns. */
  private async migrate(): Promise<void> {
    const runner = this.dataSource.createQueryRunner();
    try {
      await runner.connect();
      // on the connection that holds the lock: a pool of one is enough
      const executor = new MigrationExecutor(this.dataSource, runner);
      // a boot that has nothing to do needs no lock, and so waits for nobody
      if (!(await this.hasPending(executor))) return;
      const unlock = await this.lockMigrations(runner);
      await this.makeTables(runner, executor);
      await unlock();
    } finally {
      // the lock goes with the connection where it could not be given back
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

  /** Those that nobody has run until the lock was ours. */
  private async makeTables(runner: QueryRunner, executor: MigrationExecutor): Promise<void> {
    // SQLite's lock is a transaction
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
    // where it exists, the right to create one is not needed
    if (!(await runner.hasSchema(options.schema))) await runner.createSchema(options.schema, true);
  }

  private async lockMigrations(runner: QueryRunner): Promise<() => Promise<unknown>> {
    switch (this.dataSource.options.type) {
      case 'postgres':
        await runner.query('SELECT pg_advisory_lock($1)', [MIGRATION_LOCK]);
        return () => runner.query('SELECT pg_advisory_unlock($1)', [MIGRATION_LOCK]);
      case 'mysql':
      case 'mariadb': {
        // the server has one name space for all databases
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

/** Only this better-sqlite3 can be looked at before it is loaded. */
function loadsUsualDriver(options: SessionDatabaseOptions): boolean {
  return options.type === 'better-sqlite3' && options.driver === undefined && options.nativeBinding === undefined;
}

function messageOf(error: unknown): string {
  if (error instanceof StoreUnavailableError) return messageOf(error.cause);
  // of a host with several addresses, each of which was tried
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

/** For the work at boot: another process that boots at the same time has the database locked for a moment. */
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

/** What the driver says, without the statement and its parameters: those hold session ids and tokens. */
function withoutParameters(error: unknown): unknown {
  const { message, code } = driverErrorOf(error) as { readonly message?: unknown; readonly code?: unknown };
  if (typeof message !== 'string' || message === '' || code === undefined) return error;
  return Object.assign(new Error(message), { code });
}

/** The library's entities, for a host that has TypeORM compare them with the tables. */
export const oneIdLogoutEntities: readonly (new () => object)[] = [
  SessionEntity,
  LogoutEntity,
  SessionTokensEntity,
  ReplicaEntity,
];

/**
 * The migrations that make the library's tables, for a host that runs them with its own (`runMigrations: false`). They
 * follow the `schema` and `entityPrefix` of the data source that they are run on.
 */
export const oneIdLogoutMigrations: readonly (new () => MigrationInterface)[] = [
  CreateOneIdLogoutTables1790000000000,
  AddSessionLabel1796000000000,
];

/**
 * The full TypeORM options of the library's data source: the host's, with the library's entities and migrations.
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
    // another would give the columns other names
    namingStrategy: new DefaultNamingStrategy(),
    migrationsRun: false,
    synchronize: false,
    dropSchema: false,
    subscribers: [],
    // it would write parameters down: session ids, users, tokens
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
        // the driver waits for a lock synchronously, which would stop the whole process: don't wait, retry (see run)
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
