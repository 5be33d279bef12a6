import { createHash } from 'node:crypto';
import { MigrationExecutor, type QueryRunner } from 'typeorm';
import { type Clock } from '../clock.js';
import { UnusableDatabaseError } from '../oneid-logout.errors.js';
import { type DatabaseConnection } from './database-connector.js';
import { SERVER_TIMEOUT } from './data-source-options.js';
import { requireSetting } from './database-checks.js';
import { driverErrorOf, messageOf } from './driver-errors.js';
import { type RetryPlan, retryWhile, retryWhileLocked } from './retry-while-locked.js';
import { type SqlRow } from './sql.js';

/** For a boot that must change a table in use. Statements that queue behind an attempt run during the pause. */
const WHILE_IN_USE: RetryPlan = { attempts: 4, pauseMs: 1_000 };

/** How long a boot waits for the migration of another replica, seconds. */
const MIGRATION_PATIENCE = 60;

/** Between two tries to take the lock on PostgreSQL, milliseconds. */
const LOCK_PAUSE = 500;

/** Fixed key of the advisory lock on PostgreSQL. */
const MIGRATION_LOCK = 7_153_269_401;

/**
 * Runs the pending migrations. Takes a lock when there are any: replicas that boot together must not run the same
 * migration together.
 *
 * @throws {UnusableDatabaseError} a right is missing, or a long transaction uses a table that must change
 */
export async function migrate(connection: DatabaseConnection, clock: Clock): Promise<void> {
  const runner = connection.dataSource.createQueryRunner();
  try {
    await runner.connect();
    // uses the connection that holds the lock, so a pool of one connection is enough
    const executor = new MigrationExecutor(connection.dataSource, runner);
    const migration = new Migration(connection, clock, runner, executor);
    // without pending migrations a boot takes no lock, so it does not wait for other replicas
    if (!(await migration.isPending())) return;
    const restoreTimeout = await migration.liftTimeout();
    const unlock = await migration.lock();
    await migration.run();
    await unlock();
    await restoreTimeout();
  } finally {
    // after an error the lock is still held; the caller then closes the connection, which frees it
    await runner.release();
  }
}

/**
 * The names of the migrations that have not run yet, oldest first. It changes nothing.
 *
 * @throws {UnusableDatabaseError} the table of the migrations can't be read
 */
export async function pendingMigrations(connection: DatabaseConnection, clock: Clock): Promise<readonly string[]> {
  try {
    const executor = new MigrationExecutor(connection.dataSource);
    const pending = await retryWhileLocked(connection.dialect, clock, () => executor.getPendingMigrations());
    return pending.map(({ name }) => name);
  } catch (error) {
    throw new UnusableDatabaseError(`can't read which migrations have run: ${messageOf(error)}`, { cause: error });
  }
}

class Migration {
  constructor(
    private readonly connection: DatabaseConnection,
    private readonly clock: Clock,
    private readonly runner: QueryRunner,
    private readonly executor: MigrationExecutor,
  ) {}

  async isPending(): Promise<boolean> {
    try {
      return (await this.whileLocked(() => this.executor.getPendingMigrations())).length > 0;
    } catch (error) {
      throw migrationError(error);
    }
  }

  /** A migration may take longer than the time limit with which the library connects to PostgreSQL. */
  async liftTimeout(): Promise<() => Promise<unknown>> {
    const { runner } = this;
    if (this.connection.dataSource.options.type !== 'postgres') return () => Promise.resolve();
    const [row] = (await runner.query("SELECT current_setting('statement_timeout') AS timeout")) as SqlRow[];
    // another value comes from the host or from a pooler, which must keep it
    if (row?.['timeout'] !== `${SERVER_TIMEOUT}ms`) return () => Promise.resolve();
    await runner.query('SET statement_timeout = 0');
    return () => runner.query('RESET statement_timeout');
  }

  /** Runs the migrations that are still pending now that we hold the lock. */
  async run(): Promise<void> {
    const { dialect, dataSource } = this.connection;
    // on SQLite the lock is already a transaction
    this.executor.transaction = dataSource.options.type === 'better-sqlite3' ? 'none' : 'each';
    const inUse = (error: unknown) => dialect.isLockTimeout(driverErrorOf(error));
    try {
      await this.createSchema();
      await retryWhile(inUse, WHILE_IN_USE, this.clock, () =>
        this.whileLocked(() => this.executor.executePendingMigrations()),
      );
    } catch (error) {
      throw inUse(error) ? inUseError(error) : migrationError(error);
    }
  }

  private async createSchema(): Promise<void> {
    const { options } = this.connection.dataSource;
    if (options.type !== 'postgres' || options.schema === undefined) return;
    // when the schema exists, the role needs no right to create one
    if (!(await this.runner.hasSchema(options.schema))) await this.runner.createSchema(options.schema, true);
  }

  async lock(): Promise<() => Promise<unknown>> {
    const { runner } = this;
    switch (this.connection.dataSource.options.type) {
      case 'postgres':
        await this.takePostgresLock();
        return () => runner.query('SELECT pg_advisory_unlock($1)', [MIGRATION_LOCK]);
      case 'mysql':
      case 'mariadb': {
        // lock names are shared by all databases of a server, so the name contains the database
        const [database] = (await runner.query('SELECT DATABASE() AS name')) as SqlRow[];
        const lock = createHash('sha256')
          .update(`oneid_logout migrations of ${String(database?.['name'])}`)
          .digest('hex');
        const [row] = (await runner.query('SELECT GET_LOCK(?, ?) AS locked', [lock, MIGRATION_PATIENCE])) as SqlRow[];
        requireSetting(Number(row?.['locked']) === 1, lockedFault('another process'));
        return () => runner.query('SELECT RELEASE_LOCK(?)', [lock]);
      }
      case 'better-sqlite3':
        await this.whileLocked(() => runner.query('BEGIN IMMEDIATE'));
        return () => runner.query('COMMIT');
      default:
        throw new Error(`The migrations have no lock for ${this.connection.dataSource.options.type}`);
    }
  }

  /** Tries again and again: PostgreSQL's own statement that waits for this lock has no time limit. */
  private async takePostgresLock(): Promise<void> {
    for (let waitedMs = 0; ; waitedMs += LOCK_PAUSE) {
      const [row] = (await this.runner.query('SELECT pg_try_advisory_lock($1)::int AS locked', [
        MIGRATION_LOCK,
      ])) as SqlRow[];
      if (Number(row?.['locked']) === 1) return;
      if (waitedMs >= MIGRATION_PATIENCE * 1000) break;
      await this.clock.delay(LOCK_PAUSE);
    }
    const [holder] = (await this.runner.query(
      `SELECT l.pid FROM pg_locks l WHERE l.locktype = 'advisory' AND l.granted AND l.database =
         (SELECT oid FROM pg_database WHERE datname = current_database())
         AND (l.classid::bigint << 32) + l.objid::bigint = $1`,
      [MIGRATION_LOCK],
    )) as SqlRow[];
    requireSetting(
      false,
      lockedFault(holder === undefined ? 'another process' : `the server process ${String(holder['pid'])}`),
    );
  }

  private whileLocked<T>(work: () => Promise<T>): Promise<T> {
    return retryWhileLocked(this.connection.dialect, this.clock, work);
  }
}

function lockedFault(holder: string): string {
  return `${holder} has held its migration lock for a minute. Start the app again when that process has ended`;
}

function migrationError(error: unknown): Error {
  return new UnusableDatabaseError(
    `can't create or upgrade its tables: ${messageOf(error)}. Give the database role the rights for this. If a ` +
      'deploy job or your own data source creates the tables, set runMigrations: false',
    { cause: error },
  );
}

function inUseError(error: unknown): Error {
  return new UnusableDatabaseError(
    `can't upgrade its tables: ${messageOf(error)}. Another transaction that has used them is still open, for ` +
      'example a backup or a report. Start the app again when it has ended',
    { cause: error },
  );
}
