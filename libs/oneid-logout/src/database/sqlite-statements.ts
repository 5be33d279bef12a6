import { LRUCache } from 'lru-cache';
import { type DataSource } from 'typeorm';
import { type SqlParameter, type SqlResult, type SqlRow, type SqlStatement, type Statements } from './sql.js';

/** How many compiled statements to keep. */
const MAX_STATEMENTS = 100;

interface SqliteStatement {
  readonly database: SqliteConnection;
  readonly reader: boolean;
  all(...parameters: readonly SqlParameter[]): SqlRow[];
  run(...parameters: readonly SqlParameter[]): { readonly changes: number };
}

interface SqliteConnection {
  prepare(sql: string): SqliteStatement;
}

/** Runs statements on SQLite's one connection. The driver is synchronous, so a time limit can't cut a statement. */
export class SqliteStatements implements Statements {
  readonly connections = undefined;
  private readonly statements = new LRUCache<string, SqliteStatement>({ max: MAX_STATEMENTS });
  private readonly driver: { readonly databaseConnection: SqliteConnection };

  constructor({ driver }: DataSource) {
    this.driver = driver as unknown as { readonly databaseConnection: SqliteConnection };
  }

  run({ sql, parameters }: SqlStatement): Promise<SqlResult> {
    // the promise turns a thrown error into a rejection
    return new Promise((resolve) => {
      resolve(this.runNow(sql, parameters));
    });
  }

  private runNow(sql: string, parameters: readonly SqlParameter[]): SqlResult {
    let statement = this.statements.get(sql);
    // a data source that was closed and opened again has a new connection, so its old statements are invalid
    const { databaseConnection: connection } = this.driver;
    if (statement?.database !== connection) {
      statement = connection.prepare(sql);
      this.statements.set(sql, statement);
    }
    if (!statement.reader) return { rows: [], affected: statement.run(...parameters).changes };
    const rows = statement.all(...parameters);
    return { rows, affected: 0 };
  }
}
