/** The module option `database` for tests. */
export interface MemoryDatabase {
  /** The kind of database. */
  readonly type: 'better-sqlite3';
  /** No file. */
  readonly database: ':memory:';
  /** Gives the database its clock. */
  readonly prepareDatabase: (connection: SqliteConnection) => void;
}

/** What this file needs of a connection of better-sqlite3. */
interface SqliteConnection {
  function(name: string, options: { readonly varargs: boolean }, implementation: () => number): unknown;
}

/**
 * A SQLite in memory whose clock the test can move. It ends with the app. The app and its database then have one clock,
 * so a test moves both with `Date.now`.
 *
 * @param now milliseconds since 1970; `Date.now` by default
 * @example
 * ```ts
 * import { OneIdLogoutModule, type OneIdLogoutOptions } from 'nestjs-oneid-logout';
 * import { memoryDatabase } from 'nestjs-oneid-logout/testing';
 *
 * export const forTest = (options: OneIdLogoutOptions) =>
 *   OneIdLogoutModule.forRoot({ ...options, database: memoryDatabase() });
 *
 * // in the test, 31 days later: jest.spyOn(Date, 'now').mockReturnValue(Date.now() + 31 * 24 * 3600 * 1000);
 * ```
 */
export function memoryDatabase(now: () => number = () => Date.now()): MemoryDatabase {
  return {
    type: 'better-sqlite3',
    database: ':memory:',
    prepareDatabase: (connection) => {
      // the library asks SQLite for the time by this function only
      connection.function('unixepoch', { varargs: true }, () => now() / 1000);
    },
  };
}
