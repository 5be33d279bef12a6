import { setTimeout as delay } from 'node:timers/promises';
import { DataSource, type DataSourceOptions, QueryFailedError } from 'typeorm';
import { StoreUnavailableError } from '../oneid-logout.errors.js';
import { CreateOneIdLogoutTables1790000000000 } from '../migrations/1790000000000-create-oneid-logout-tables.js';
import { LogoutEntity } from './logout.entity.js';
import { SessionEntity } from './session.entity.js';
import { SessionTokensEntity } from './session-tokens.entity.js';
import { type SqlDialect, sqlDialects, type SupportedDatabase } from './sql-dialect.js';

/** TypeORM options of a database the library runs on, without what the library sets itself. */
export type SessionDatabaseOptions = Extract<DataSourceOptions, { type: SupportedDatabase }>;

export type SqlParameter = string | number | null;
export type SqlRow = Readonly<Record<string, unknown>>;
export interface SqlResult {
  readonly rows: readonly SqlRow[];
  readonly affected: number;
}

/** How long one statement may take, milliseconds: a store that hangs is a store that is down. */
const STATEMENT_TIMEOUT = 5_000;
const BUSY_RETRY_DELAY = 10;
const MIGRATION_LOCK = 7_153_269_401;

/**
 * The library's own connection to its tables, apart from the host's: never inside an ambient transaction, every
 * statement committed before it returns.
 */
export class SessionDatabase {
  private constructor(
    readonly dataSource: DataSource,
    readonly dialect: SqlDialect,
  ) {}

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
    const dataSource = await new DataSource(sessionDataSourceOptions(options)).initialize();
    const database = new SessionDatabase(dataSource, dialect);
    try {
      await database.checkPromises();
      if (migrate) await database.migrate();
    } catch (error) {
      await database.close();
      throw error;
    }
    return database;
  }

  async close(): Promise<void> {
    if (this.dataSource.isInitialized) await this.dataSource.destroy();
  }

  /**
   * Runs one statement, committed when it returns. `?` stands for a parameter on every database.
   *
   * @throws {StoreUnavailableError} when the database fails, or takes longer than five seconds
   */
  async run(sql: string, parameters: readonly SqlParameter[] = []): Promise<SqlResult> {
    let n = 0;
    const text = sql.replace(/\?/g, () => this.dialect.placeholder(++n));
    const deadline = new AbortController();
    try {
      return await Promise.race([
        this.retryWhileBusy(text, [...parameters], deadline.signal),
        delay(STATEMENT_TIMEOUT, undefined, { signal: deadline.signal, ref: false }).then(() => {
          throw new Error(`The statement took longer than ${STATEMENT_TIMEOUT} ms`);
        }),
      ]);
    } catch (error) {
      throw new StoreUnavailableError(error);
    } finally {
      deadline.abort();
    }
  }

  private async retryWhileBusy(text: string, parameters: SqlParameter[], signal: AbortSignal): Promise<SqlResult> {
    for (;;) {
      try {
        return await this.execute(text, parameters);
      } catch (error) {
        const busy = error instanceof QueryFailedError && this.dialect.isBusy(error.driverError as { code?: unknown });
        if (!busy || signal.aborted) throw error;
        await delay(BUSY_RETRY_DELAY);
      }
    }
  }

  private async execute(text: string, parameters: SqlParameter[]): Promise<SqlResult> {
    const runner = this.dataSource.createQueryRunner();
    try {
      const result = await runner.query(text, parameters, true);
      return { rows: result.records as SqlRow[], affected: result.affected ?? 0 };
    } finally {
      await runner.release();
    }
  }

  private async checkPromises(): Promise<void> {
    if (this.dataSource.options.type !== 'postgres') return;
    const { rows } = await this.run(
      `SELECT current_setting('default_transaction_isolation') AS isolation, pg_is_in_recovery() AS replica`,
    );
    const { isolation, replica } = rows[0] ?? {};
    if (isolation !== 'read committed') {
      throw new Error(
        `OneIdLogoutModule: the database's default_transaction_isolation is '${String(isolation)}', it must be 'read committed'`,
      );
    }
    if (replica !== false) throw new Error('OneIdLogoutModule: the database is a read-only replica, use the primary');
  }

  /** Replicas that boot at once would run the same migration at once, so they take turns. */
  private async migrate(): Promise<void> {
    const { type } = this.dataSource.options;
    if (type === 'better-sqlite3') {
      await this.migrateWithRetry();
      return;
    }
    const lock = this.dataSource.createQueryRunner();
    try {
      if (type === 'postgres') await lock.query('SELECT pg_advisory_lock($1)', [MIGRATION_LOCK]);
      else await lock.query('SELECT GET_LOCK(?, 60)', [`oneid_logout_${MIGRATION_LOCK}`]);
      await this.dataSource.runMigrations({ transaction: 'each' });
    } finally {
      if (type === 'postgres') await lock.query('SELECT pg_advisory_unlock($1)', [MIGRATION_LOCK]);
      else await lock.query('SELECT RELEASE_LOCK(?)', [`oneid_logout_${MIGRATION_LOCK}`]);
      await lock.release();
    }
  }

  /** SQLite has no advisory lock: the process that loses the race finds the work done at its next try. */
  private async migrateWithRetry(): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        await this.dataSource.runMigrations({ transaction: 'each' });
        return;
      } catch (error) {
        if (attempt === 50) throw error;
        await delay(100);
      }
    }
  }
}

/**
 * The full TypeORM options of the library's data source: the host's, with the library's entities and migrations.
 *
 * Use it in `ormconfig.ts` to run the migrations with TypeORM's command line.
 */
export function sessionDataSourceOptions(options: SessionDatabaseOptions): DataSourceOptions {
  const own = {
    entities: [SessionEntity, LogoutEntity, SessionTokensEntity],
    migrations: [CreateOneIdLogoutTables1790000000000],
    migrationsTableName: 'oneid_logout_migrations',
    migrationsRun: false,
    synchronize: false,
    dropSchema: false,
    subscribers: [],
  };
  switch (options.type) {
    case 'better-sqlite3':
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
      return { connectTimeoutMS: STATEMENT_TIMEOUT, ...options, ...own };
    case 'mysql':
    case 'mariadb':
      return { connectTimeout: STATEMENT_TIMEOUT, ...options, ...own };
  }
}

interface SqliteConnection {
  pragma(source: string): unknown;
}
