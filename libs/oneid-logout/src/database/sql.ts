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

/** How single statements are run on a database, each on any connection of the pool. */
export interface Statements {
  /** @param prepared has the server keep the statement: for the few that are run at every request */
  run(sql: string, parameters: readonly SqlParameter[], prepared: boolean, limit: TimeLimit): Promise<SqlResult>;
}
