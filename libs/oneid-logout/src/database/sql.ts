import { type TimeLimit } from './time-limit.js';

export type SqlParameter = string | number | null;
export type SqlRow = Readonly<Record<string, unknown>>;
export interface SqlResult {
  readonly rows: readonly SqlRow[];
  readonly affected: number;
}

export interface RunOptions {
  readonly prepared?: boolean;
}

/** Runs single statements on a database, each on any connection of the pool. */
export interface Statements {
  /** @param prepared asks the server to keep the parsed statement: for the few statements that run at every request */
  run(sql: string, parameters: readonly SqlParameter[], prepared: boolean, limit: TimeLimit): Promise<SqlResult>;
}
