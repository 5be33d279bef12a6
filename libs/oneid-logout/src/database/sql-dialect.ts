/** The few expressions in which the supported databases differ. */
export interface SqlDialect {
  /**
   * The database's own clock in milliseconds, as an expression evaluated inside the statement: replicas' clocks never
   * matter then. Tests replace it to move the clock.
   */
  readonly now: string;
  greatest(a: string, b: string): string;
  /** The placeholder of the n-th parameter, from 1. */
  placeholder(n: number): string;
  /** Wraps `INSERT INTO table …` so that a row whose key exists is left out without an error. */
  insertOrIgnore(insert: string): string;
  /**
   * Wraps `INSERT INTO table …` of many rows: its result are the ids of those that were not there, or, without
   * {@link groupReturnsNew}, it inserts all of them or fails.
   */
  insertGroup(insert: string): string;
  readonly groupReturnsNew: boolean;
  /** Is this driver error about a row whose key exists? */
  isDuplicate(driverError: { code?: unknown }): boolean;
  /** Is this driver error about another connection that got in the way, so that nothing was done and a later try may be? */
  isBusy(driverError: { code?: unknown }): boolean;
  /**
   * Is this driver error about a lock that was waited for in vain, for as long as a setting says? Whoever has set that
   * wants to be told: only a boot, whose migrations set it themselves, tries again.
   */
  isLockTimeout(driverError: { code?: unknown }): boolean;
}

const greatest = (a: string, b: string) => `GREATEST(${a}, ${b})`;

const insertOrIgnore = (insert: string) => `${insert} ON CONFLICT DO NOTHING`;
const insertGroup = (insert: string) => `${insertOrIgnore(insert)} RETURNING id`;

const POSTGRES_CONFLICTS = new Set<unknown>(['40001', '40P01']);

const postgres: SqlDialect = {
  now: '(extract(epoch from clock_timestamp()) * 1000)::bigint',
  greatest,
  placeholder: (n) => `$${n}`,
  insertOrIgnore,
  insertGroup,
  groupReturnsNew: true,
  isDuplicate: (error) => error.code === '23505',
  isBusy: (error) => POSTGRES_CONFLICTS.has(error.code),
  isLockTimeout: (error) => error.code === '55P03',
};

const mysql: SqlDialect = {
  // UTC_TIMESTAMP stands still within a statement, which suits; local time would be ambiguous for an hour a year
  now: `(TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', UTC_TIMESTAMP(3)) DIV 1000)`,
  greatest,
  placeholder: () => '?',
  insertOrIgnore: (insert) => insert.replace(/^INSERT/, 'INSERT IGNORE'),
  // a comment to MySQL: there a group that waits for a lock, and nobody for the group, gives up after 50 seconds
  insertGroup: (insert) => `/*M! SET STATEMENT innodb_lock_wait_timeout = 2 FOR */ ${insert}`,
  groupReturnsNew: false,
  isDuplicate: (error) => error.code === 'ER_DUP_ENTRY',
  isBusy: (error) => error.code === 'ER_LOCK_DEADLOCK',
  isLockTimeout: (error) => error.code === 'ER_LOCK_WAIT_TIMEOUT',
};

const sqlite: SqlDialect = {
  now: "CAST(unixepoch('subsec') * 1000 AS INTEGER)",
  greatest: (a, b) => `MAX(${a}, ${b})`,
  placeholder: () => '?',
  insertOrIgnore,
  insertGroup,
  groupReturnsNew: true,
  isDuplicate: (error) => error.code === 'SQLITE_CONSTRAINT_PRIMARYKEY',
  isBusy: (error) => String(error.code).startsWith('SQLITE_BUSY'),
  isLockTimeout: () => false,
};

/** The database's clock to compare an indexed column with: read once, not row by row, which would rule the index out. */
export const nowOnce = ({ now }: SqlDialect): string => `(SELECT ${now})`;

/** The databases the library runs on, by TypeORM's name of the driver. */
export const sqlDialects = {
  postgres,
  mysql,
  mariadb: mysql,
  'better-sqlite3': sqlite,
} as const satisfies Record<string, SqlDialect>;

export type SupportedDatabase = keyof typeof sqlDialects;
