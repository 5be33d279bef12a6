import { type AnswerProof, mysqlProof, postgresProof } from './answer-proof.js';

/** The properties of a driver's error that the library reads. */
interface DriverError {
  readonly code?: unknown;
  readonly message?: unknown;
  readonly syscall?: unknown;
}

/**
 * The SQL expressions and the error codes in which the supported databases differ. CONTRIBUTING.md, "A new database",
 * lists the other places where they differ.
 */
export interface SqlDialect {
  /**
   * SQL expression for the database's clock, milliseconds. The statement itself evaluates it, so the replicas' clocks
   * never matter. Tests replace it to move the clock.
   */
  readonly now: string;
  /** What the answer of a read must prove; undefined when there is no other server that could answer. */
  readonly proof: AnswerProof | undefined;
  /**
   * A query for all rows whose column has one of many values, with one `?` for their list; undefined if a list can't be
   * one parameter. `select` makes the query from the right side of its condition.
   */
  readonly selectAny: ((select: (equalsAny: string) => string) => string) | undefined;
  greatest(a: string, b: string): string;
  /** The placeholder of the n-th parameter, from 1. */
  placeholder(n: number): string;
  /**
   * A condition that is false on a read-only server, and on a connection that would not commit; undefined if the server
   * refuses such a write itself. On MySQL and MariaDB, a role with the right SUPER may write on a read-only server.
   */
  readonly isWritable: string | undefined;
  /** Wraps `INSERT INTO table …` so that it skips a row with an existing key without an error. */
  insertOrIgnore(insert: string): string;
  /**
   * Wraps `INSERT INTO table …` so that it skips rows with an existing key and returns the new rows; undefined if the
   * database can't.
   */
  readonly insertReturning: ((insert: string, columns: string) => string) | undefined;
  /** How many ASCII characters a column of type `text` holds. MySQL and MariaDB drop or cut longer values silently. */
  readonly maxTextLength: number;
  /** Does this driver error say that a row with this key exists? */
  isDuplicate(driverError: DriverError): boolean;
  /** Does this driver error say that one row of a statement has a wrong value or that another transaction locks it? */
  isRowRefused(driverError: DriverError): boolean;
  /** Does this driver error say that the server is down, unreachable or not ready, or that it has closed the connection? */
  isConnectionError(driverError: DriverError): boolean;
  /** Does this driver error say that the server takes no writes? The statement then has changed nothing. */
  isReadOnly(driverError: DriverError): boolean;
  /** Does this driver error report a conflict with another connection? The statement had no effect; retry it. */
  isBusy(driverError: DriverError): boolean;
  /**
   * Did the wait for a lock exceed the database's lock timeout? The operator has set this timeout and wants to see the
   * error. Only a boot tries again, because its migrations set the timeout themselves.
   */
  isLockTimeout(driverError: DriverError): boolean;
}

const greatest = (a: string, b: string) => `GREATEST(${a}, ${b})`;

const insertOrIgnore = (insert: string) => `${insert} ON CONFLICT DO NOTHING`;
const insertReturning = (insert: string, columns: string) => `${insertOrIgnore(insert)} RETURNING ${columns}`;

/** The errors of a socket, and of a name that can't be resolved: a cluster may not know the name of its database yet. */
const NETWORK_ERROR =
  /^(ECONNREFUSED|ECONNRESET|ECONNABORTED|EHOSTUNREACH|EHOSTDOWN|ENETUNREACH|ENETDOWN|ETIMEDOUT|EPIPE|ENOTFOUND|EAI_AGAIN)$/;

// `connect`: the file of a Unix socket does not exist, because the server does not run
const isNetworkError = ({ code, syscall }: DriverError) => NETWORK_ERROR.test(String(code)) || syscall === 'connect';

/** SQLSTATE class 08, 57P01 to 57P03 (the server shuts down or starts), and 53300 (it has too many connections). */
const POSTGRES_UNREADY = /^(08|57P0|53300)/;

/** Errors of `pg` itself have no code. */
const PG_LOST = /^(Connection terminated|Client has encountered a connection error|timeout expired)/;

const POSTGRES_CONFLICTS = new Set<unknown>(['40001', '40P01']);

const postgres: SqlDialect = {
  now: '(extract(epoch from clock_timestamp()) * 1000)::bigint',
  proof: postgresProof,
  // OFFSET keeps the subquery apart, so that PostgreSQL searches it by index for each value. For `= ANY (?)` it would read
  // the whole table if the table was empty when it made the plan. The SELECT hides the length of the list: otherwise
  // PostgreSQL would plan each short list anew
  selectAny: (select) =>
    `SELECT y.* FROM unnest((SELECT ?::text[])) AS k(value) CROSS JOIN LATERAL (${select('= k.value')} OFFSET 0) y`,
  greatest,
  placeholder: (n) => `$${n}`,
  isWritable: undefined,
  insertOrIgnore,
  insertReturning,
  maxTextLength: Infinity,
  isDuplicate: (error) => error.code === '23505',
  isRowRefused: (error) => /^(22|23|55P03)/.test(String(error.code)),
  isConnectionError: (error) =>
    isNetworkError(error) || POSTGRES_UNREADY.test(String(error.code)) || PG_LOST.test(String(error.message)),
  isReadOnly: (error) => error.code === '25006',
  isBusy: (error) => POSTGRES_CONFLICTS.has(error.code),
  isLockTimeout: (error) => error.code === '55P03',
};

const MYSQL_REFUSALS = new Set<unknown>([
  'ER_DUP_ENTRY',
  'ER_LOCK_WAIT_TIMEOUT',
  'ER_DATA_TOO_LONG',
  'ER_BAD_NULL_ERROR',
]);

const MYSQL_UNREADY = new Set<unknown>([
  'PROTOCOL_CONNECTION_LOST',
  'ER_CON_COUNT_ERROR',
  'ER_TOO_MANY_USER_CONNECTIONS',
  'ER_SERVER_SHUTDOWN',
]);

/** The server has `read_only`, the transaction is read-only, or InnoDB has `innodb_read_only`. */
const MYSQL_READ_ONLY = new Set<unknown>([
  'ER_OPTION_PREVENTS_STATEMENT',
  'ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION',
  'ER_READ_ONLY_MODE',
]);

const mysql: SqlDialect = {
  // UTC_TIMESTAMP has one value per statement, which is fine here; local time would be ambiguous for one hour a year
  now: `(TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', UTC_TIMESTAMP(3)) DIV 1000)`,
  proof: mysqlProof,
  // the driver writes the list into the statement
  selectAny: (select) => select('IN (?)'),
  greatest,
  placeholder: () => '?',
  // a text, because a server says 0 or OFF
  isWritable: `@@autocommit = 1
    AND CONCAT(@@global.read_only, ',', @@global.innodb_read_only) IN ('0,0', 'OFF,OFF', '0,OFF', 'OFF,0')`,
  insertOrIgnore: (insert) => insert.replace(/^INSERT/, 'INSERT IGNORE'),
  insertReturning: undefined,
  maxTextLength: 65_535,
  isDuplicate: (error) => error.code === 'ER_DUP_ENTRY',
  isRowRefused: (error) => MYSQL_REFUSALS.has(error.code),
  isConnectionError: (error) => isNetworkError(error) || MYSQL_UNREADY.has(error.code),
  isReadOnly: (error) => MYSQL_READ_ONLY.has(error.code),
  isBusy: (error) => error.code === 'ER_LOCK_DEADLOCK',
  isLockTimeout: (error) => error.code === 'ER_LOCK_WAIT_TIMEOUT',
};

const sqlite: SqlDialect = {
  now: "CAST(unixepoch('subsec') * 1000 AS INTEGER)",
  proof: undefined,
  selectAny: undefined,
  greatest: (a, b) => `MAX(${a}, ${b})`,
  placeholder: () => '?',
  isWritable: undefined,
  insertOrIgnore,
  insertReturning,
  maxTextLength: Infinity,
  isDuplicate: (error) => error.code === 'SQLITE_CONSTRAINT_PRIMARYKEY',
  isRowRefused: (error) => String(error.code).startsWith('SQLITE_CONSTRAINT'),
  isConnectionError: () => false,
  isReadOnly: () => false,
  isBusy: (error) => String(error.code).startsWith('SQLITE_BUSY'),
  isLockTimeout: () => false,
};

/** The clock as a subquery: the database evaluates it once, not for each row, so the comparison can use an index. */
export const nowOnce = ({ now }: SqlDialect): string => `(SELECT ${now})`;

/** The supported databases, by TypeORM's name of the driver. */
export const sqlDialects = {
  postgres,
  mysql,
  mariadb: mysql,
  'better-sqlite3': sqlite,
} as const satisfies Record<string, SqlDialect>;

export type SupportedDatabase = keyof typeof sqlDialects;
