import { type DataSource } from 'typeorm';
import { PostgresStatements } from './postgres-statements.js';
import { type SqlParameter, type SqlResult, type SqlRow, type Statements } from './sql.js';
import { type SqlDialect } from './sql-dialect.js';
import { SqliteStatements } from './sqlite-statements.js';
import { StatementTexts } from './statement-texts.js';
import { type TimeLimit } from './time-limit.js';

/** Goes directly to pg and better-sqlite3: TypeORM's work for each statement costs more time than SQLite's answer. */
export function statementsOf(dataSource: DataSource, dialect: SqlDialect): Statements {
  switch (dataSource.options.type) {
    case 'postgres':
      return new PostgresStatements(dataSource, dialect);
    case 'better-sqlite3':
      return new SqliteStatements(dataSource);
    case 'mysql':
    case 'mariadb':
      return new RunnerStatements(dataSource, dialect);
    default:
      throw new Error(`The library has no statements for ${dataSource.options.type}`);
  }
}

/** Runs statements with TypeORM's query runner. */
class RunnerStatements implements Statements {
  private readonly texts: StatementTexts;

  constructor(
    private readonly dataSource: DataSource,
    dialect: SqlDialect,
  ) {
    this.texts = new StatementTexts(dialect);
  }

  async run(
    sql: string,
    parameters: readonly SqlParameter[],
    _prepared: boolean,
    limit: TimeLimit,
  ): Promise<SqlResult> {
    const runner = this.dataSource.createQueryRunner();
    try {
      const connection = (await runner.connect()) as { destroy(): void };
      limit.check();
      // a connection that has not answered in time may never answer: destroy it, so the pool drops it
      limit.onExpiry(() => connection.destroy());
      const result = await runner.query(this.texts.textOf(sql), [...parameters], true);
      return { rows: result.records as SqlRow[], affected: result.affected ?? 0 };
    } finally {
      limit.onExpiry(undefined);
      await runner.release();
    }
  }
}
