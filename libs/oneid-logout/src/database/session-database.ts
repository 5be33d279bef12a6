import { type DataSource } from 'typeorm';
import { Logger } from '../logger.js';
import { Clock, type Moment } from '../clock.js';
import { StoreUnavailableError, UnusableDatabaseError } from '../oneid-logout.errors.js';
import { type AnswerProof, withProof } from './answer-proof.js';
import { type BootConnectionSeam, connectAtBoot } from './boot-connection.js';
import { checkPromises } from './database-checks.js';
import { type DatabaseConnection, DatabaseConnector } from './database-connector.js';
import {
  loadsUsualDriver,
  oneIdLogoutEntities,
  sessionDataSourceOptions,
  type SessionDatabaseOptions,
  STATEMENT_TIMEOUT,
} from './data-source-options.js';
import { driverErrorOf, messageOf, withoutParameters } from './driver-errors.js';
import { migrate, pendingMigrations } from './migrate.js';
import { retryWhileLocked } from './retry-while-locked.js';
import { type SessionTables, sessionTablesOf, tableOf } from './session-tables.js';
import { type SqlDialect } from './sql-dialect.js';
import { NoConnectionError, type SqlParameter, type SqlResult, type SqlStatement } from './sql.js';
import { usualDriverWarning } from './sqlite-driver.js';
import { type Lane, StatementQueue, Turn } from './statement-queue.js';
import { TimeLimit } from './time-limit.js';

/** Pause before a statement that met a conflict runs again, milliseconds. */
const BUSY_RETRY_DELAY = 10;

/** Shortest time between two logged failures, milliseconds. */
const LOG_PAUSE = 60_000;

export interface RunOptions {
  /**
   * True: PostgreSQL keeps the statement parsed and planned. For the few statements that run at every request, and for
   * which one plan fits all parameters and table sizes.
   */
  readonly prepared?: boolean;
  /** True: the caller has added the proof that {@link SessionDatabase.read} adds. */
  readonly proved?: boolean;
  /** How urgent the statement is; by default `work`. */
  readonly lane?: Lane;
  /** The turn that the caller already has. */
  readonly turn?: Turn;
}

export interface ReadOptions extends Omit<RunOptions, 'proved'> {
  readonly order?: string;
}

export interface RunResult extends SqlResult {
  /** The statement was sent at this moment or later, so the answer is at least as new. */
  readonly sent: Moment;
}

/** A table that the library can't use, and the driver's error. */
export interface TableFault {
  readonly table: string;
  readonly cause: unknown;
}

/**
 * The library's own connection to its tables. It never joins a transaction of the host, and the database has committed
 * every statement when it returns.
 */
export class SessionDatabase {
  readonly tables: SessionTables;
  private readonly logger = new Logger('OneIdLogout');
  private readonly queue: StatementQueue | undefined;
  private silentUntil = 0;
  /** The few prepared SELECTs with their proof: making such a text at every request would cost more than looking it up. */
  private readonly preparedTexts = new Map<string, string>();

  private constructor(
    private readonly connection: DatabaseConnection,
    readonly clock: Clock,
    /** What the log has warned of when the database was opened: settings that an operator should change. */
    readonly warnings: readonly string[],
  ) {
    this.tables = sessionTablesOf(connection.dataSource);
    const { connections } = connection.statements;
    this.queue = connections === undefined ? undefined : new StatementQueue(connections, clock);
  }

  /**
   * Connects and checks that the database can keep the library's promises.
   *
   * @param runMigrations true: also runs the pending migrations
   * @param seam the library's parts; tests hand in others
   * @throws {UnusableDatabaseError} when it can't connect, a check fails, or a migration fails
   */
  static async open(
    options: SessionDatabaseOptions,
    runMigrations: boolean,
    seam: BootConnectionSeam = { clock: new Clock(), connector: new DatabaseConnector() },
  ): Promise<SessionDatabase> {
    const dataSourceOptions = sessionDataSourceOptions(options);
    const warnings: string[] = [];
    const warn = (warning: string) => {
      warnings.push(warning);
      new Logger('OneIdLogout').warn(warning);
    };
    const driverWarning = loadsUsualDriver(options) ? usualDriverWarning() : undefined;
    if (driverWarning !== undefined) warn(driverWarning);
    const connection = await connectAtBoot(dataSourceOptions, seam);
    const { clock } = seam;
    const database = new SessionDatabase(connection, clock, warnings);
    try {
      (await checkPromises(options.type, async (sql) => (await database.run(sql)).rows)).forEach(warn);
      if (runMigrations) await migrate(connection, clock);
    } catch (error) {
      await database.close();
      if (error instanceof UnusableDatabaseError) throw error;
      throw new UnusableDatabaseError(`can't use this database: ${messageOf(error)}`, { cause: error });
    }
    return database;
  }

  get dataSource(): DataSource {
    return this.connection.dataSource;
  }

  get dialect(): SqlDialect {
    return this.connection.dialect;
  }

  /**
   * The names of the migrations that have not run yet, oldest first. It changes nothing.
   *
   * @throws {UnusableDatabaseError} when the table of the migrations can't be read
   */
  pendingMigrations(): Promise<readonly string[]> {
    return pendingMigrations(this.connection, this.clock);
  }

  /**
   * Checks the tables for a host that runs the migrations itself: better a failed boot than a 503 for every request.
   *
   * @throws {UnusableDatabaseError} when a table, a column or a right is missing
   */
  async requireTables(): Promise<void> {
    const fault = await this.findTableFault();
    if (fault === undefined) return;
    await this.close();
    throw new UnusableDatabaseError(
      `can't use its table ${fault.table} (${messageOf(fault.cause)}). runMigrations is false, so run the library's ` +
        'migrations first, with the same schema and entityPrefix. The database role needs SELECT, INSERT, UPDATE and ' +
        'DELETE on this table',
      { cause: fault.cause },
    );
  }

  /**
   * Finds a table of the library that can't be used, because it, a column or a right is missing. It changes no row.
   *
   * @param rights `read`: it only reads, for a connection that can't write
   */
  async findTableFault(rights: 'read' | 'write' = 'write'): Promise<TableFault | undefined> {
    for (const entity of oneIdLogoutEntities) {
      const table = tableOf(this.dataSource, entity);
      const columns = this.dataSource.getMetadata(entity).columns.map(({ databaseName }) => databaseName);
      const [key] = columns;
      const select = `SELECT ${columns.join(', ')} FROM ${table} WHERE 1 = 0`;
      // they change no row, but fail when a column or a right is missing
      const writes = [
        `INSERT INTO ${table} (${columns.join(', ')}) ${select}`,
        `UPDATE ${table} SET ${key} = ${key} WHERE 1 = 0`,
        `DELETE FROM ${table} WHERE 1 = 0`,
      ];
      try {
        for (const statement of rights === 'read' ? [select] : writes) {
          await retryWhileLocked(this.dialect, this.clock, () => this.dataSource.query(statement));
        }
      } catch (cause) {
        return { table, cause };
      }
    }
    return undefined;
  }

  async close(): Promise<void> {
    if (this.dataSource.isInitialized) await this.connection.destroy();
  }

  /**
   * Waits for a turn, and runs work whose statements have this turn. The work can build its statement late: it gets the
   * turn when a connection is free.
   *
   * @throws {StoreUnavailableError} the database is too busy, or the library can't connect
   */
  async inTurn<T>(lane: Lane, work: (turn: Turn) => Promise<T>): Promise<T> {
    const turn = await this.nextTurn(lane);
    return turn.hold(work(turn));
  }

  /**
   * Reads: as {@link run}, and the answer is one of a writable primary.
   *
   * @param options.order how the rows are ordered, by columns of the SELECT: the same as in its own ORDER BY
   * @throws {StoreUnavailableError} also when the answer does not prove that
   */
  async read(select: string, parameters: readonly SqlParameter[] = [], options: ReadOptions = {}): Promise<RunResult> {
    const { order, prepared } = options;
    const { proof } = this.dialect;
    if (proof === undefined) return this.run(select, parameters, options);
    const sql = prepared ? this.preparedWithProof(select, proof, order) : withProof(select, proof, order);
    const result = await this.run(sql, parameters, { ...options, proved: true });
    return { ...result, rows: result.rows.filter((row) => row['found_row'] !== null) };
  }

  private preparedWithProof(select: string, proof: AnswerProof, order: string | undefined): string {
    const key = order === undefined ? select : `${select} ORDER BY ${order}`;
    let sql = this.preparedTexts.get(key);
    if (sql === undefined) {
      sql = withProof(select, proof, order);
      this.preparedTexts.set(key, sql);
    }
    return sql;
  }

  /**
   * Runs one statement, committed when it returns. `?` stands for a parameter on every database.
   *
   * @throws {StoreUnavailableError} when the database fails, takes longer than five seconds, or is too busy
   */
  async run(sql: string, parameters: readonly SqlParameter[] = [], options: RunOptions = {}): Promise<RunResult> {
    const { prepared = false, proved = false, lane = 'work' } = options;
    const turn = options.turn ?? (await this.nextTurn(lane));
    try {
      const result = await TimeLimit.enforce(STATEMENT_TIMEOUT, this.clock, (limit) =>
        turn.hold(this.retryWhileBusy({ sql, parameters, prepared, proved }, limit)),
      );
      return { ...result, sent: turn.began };
    } catch (error) {
      // a caller that inserts a group expects duplicates and goes on row by row: the store has not failed
      throw this.dialect.isDuplicate(driverErrorOf(error)) ? unavailable(error) : this.failed(error);
    }
  }

  private async nextTurn(lane: Lane): Promise<Turn> {
    if (this.queue === undefined) return new Turn(this.clock.moment(), () => undefined);
    try {
      return await this.queue.next(lane);
    } catch (error) {
      throw this.failed(error);
    }
  }

  /** Callers answer 503 without the reason, so the log gives it, at most once a minute. */
  private failed(error: unknown): StoreUnavailableError {
    const failure = unavailable(error);
    const now = this.clock.monotonicNow();
    if (now >= this.silentUntil) {
      this.silentUntil = now + LOG_PAUSE;
      this.logger.error(`The session store can't answer: ${messageOf(failure)}`);
    }
    return failure;
  }

  private async retryWhileBusy(statement: SqlStatement, limit: TimeLimit): Promise<SqlResult> {
    for (;;) {
      try {
        const result = await this.connection.statements.run(statement, limit);
        this.queue?.connectionWorks();
        return result;
      } catch (error) {
        // here, because the turn has not ended yet; and the time limit may have passed before the driver gives up
        if (error instanceof NoConnectionError) this.queue?.connectionFailed(error);
        if (!this.dialect.isBusy(driverErrorOf(error))) throw error;
        await this.clock.delay(BUSY_RETRY_DELAY);
        limit.check();
      }
    }
  }
}

function unavailable(error: unknown): StoreUnavailableError {
  return new StoreUnavailableError(withoutParameters(error));
}
