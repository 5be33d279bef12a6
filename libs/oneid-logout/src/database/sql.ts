import { type TimeLimit } from './time-limit.js';

/** A list of strings is the one parameter of the dialect's `selectAny`. */
export type SqlParameter = string | number | null | readonly string[];
export type SqlRow = Readonly<Record<string, unknown>>;
export interface SqlResult {
  readonly rows: readonly SqlRow[];
  readonly affected: number;
}

export interface SqlStatement {
  /** `?` stands for a parameter on every database. */
  readonly sql: string;
  readonly parameters: readonly SqlParameter[];
  /** Asks the server to keep the parsed statement: for the few statements that run at every request. */
  readonly prepared: boolean;
  /** The statement reads, and its first row has the dialect's proof in the column `proof`. */
  readonly proved: boolean;
}

/** Runs single statements on a database, each on any connection of the pool. */
export interface Statements {
  /** How many connections the pool has at most; undefined when the driver has one connection and is synchronous. */
  readonly connections: number | undefined;

  /**
   * Sends the statement.
   *
   * @throws {NoConnectionError} the driver can't connect
   * @throws {UnprovedAnswerError} the answer lacks the proof that it counts
   */
  run(statement: SqlStatement, limit: TimeLimit): Promise<SqlResult>;
}

/** The driver can't connect to the database. */
export class NoConnectionError extends Error {
  constructor(cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

/** The database has answered, but the answer does not prove that it came from a writable primary. */
export class UnprovedAnswerError extends Error {
  constructor(fault: string) {
    super(`The answer of the database does not count: ${fault}`);
  }
}
