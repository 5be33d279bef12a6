import { LRUCache } from 'lru-cache';
import { type DataSource } from 'typeorm';
import { type SqlParameter, type SqlResult, type SqlRow, type Statements } from './sql.js';

/** How many statements SQLite keeps compiled. */
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

/** On SQLite's one connection, which answers before it returns: there is nothing to cut when time is over. */
export class SqliteStatements implements Statements {
  private readonly statements = new LRUCache<string, SqliteStatement>({ max: MAX_STATEMENTS });
  private readonly driver: { readonly databaseConnection: SqliteConnection };

  constructor({ driver }: DataSource) {
    this.driver = driver as unknown as { readonly databaseConnection: SqliteConnection };
  }

  run(sql: string, parameters: readonly SqlParameter[]): Promise<SqlResult> {
    // what is thrown becomes a rejection
    return new Promise((resolve) => {
      resolve(this.runNow(sql, parameters));
    });
  }

  private runNow(sql: string, parameters: readonly SqlParameter[]): SqlResult {
    let statement = this.statements.get(sql);
    // a data source that is opened again has another connection
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
