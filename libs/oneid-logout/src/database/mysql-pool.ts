import { type DataSource } from 'typeorm';
import { SERVER_TIMEOUT } from './data-source-options.js';
import { type BorrowedConnection, type ConnectionPool } from './connection-pool.js';
import { driverErrorOf } from './driver-errors.js';
import { type SqlDialect } from './sql-dialect.js';
import { type SqlRow } from './sql.js';
import { StatementTexts } from './statement-texts.js';

/** How many connections the packages `mysql2` and `mysql` have by default. */
const DEFAULT_SIZE = 10;

/**
 * The server ends a statement a little before the library would close its connection. MariaDB obeys the comment `M!`,
 * MySQL the hint. Both belong to the statement alone, so a pooler cannot pass them to another client.
 */
const MARIADB_LIMITS = `/*M! SET STATEMENT max_statement_time = ${SERVER_TIMEOUT / 1000}, innodb_lock_wait_timeout = 2 FOR */`;
const MYSQL_LIMIT = `SELECT /*+ MAX_EXECUTION_TIME(${SERVER_TIMEOUT}) */`;

/** The part of TypeORM's driver for MySQL and MariaDB that the library uses. */
interface MysqlDriver {
  readonly pool?: { readonly config?: { readonly connectionLimit?: number } };
}

/** A connection of `mysql2` or `mysql`. */
interface MysqlConnection {
  destroy(): void;
  /** Its socket; absent with `mysql`. */
  readonly stream?: { destroy(): void };
}

/** The pool of MySQL's driver, used through TypeORM, which hides the differences between `mysql2` and `mysql`. */
export class MysqlPool implements ConnectionPool {
  private readonly texts: StatementTexts;

  constructor(
    private readonly dataSource: DataSource,
    private readonly dialect: SqlDialect,
  ) {
    this.texts = new StatementTexts(dialect);
  }

  get size(): number {
    const { pool } = this.dataSource.driver as unknown as MysqlDriver;
    return pool?.config?.connectionLimit ?? DEFAULT_SIZE;
  }

  async borrow(): Promise<BorrowedConnection> {
    const runner = this.dataSource.createQueryRunner();
    const textOf = (sql: string) => `${MARIADB_LIMITS} ${this.texts.textOf(sql).replace(/^\s*SELECT\b/, MYSQL_LIMIT)}`;
    const connection = (await runner.connect()) as MysqlConnection;
    return {
      identity: connection,
      async query({ sql, parameters }) {
        const result = await runner.query(textOf(sql), [...parameters], true);
        return { rows: result.records as SqlRow[], affected: result.affected ?? 0 };
      },
      // the drivers call an error fatal after which a connection can't be used
      isLost: (error) => (driverErrorOf(error) as { readonly fatal?: unknown }).fatal === true,
      isReadOnly: (error) => this.dialect.isReadOnly(driverErrorOf(error)),
      destroy: () => {
        connection.destroy();
        // mysql2 waits for the server's goodbye, which a silent server never sends
        connection.stream?.destroy();
      },
      release: () => runner.release(),
    };
  }
}
