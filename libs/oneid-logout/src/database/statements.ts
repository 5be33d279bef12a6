import { type DataSource } from 'typeorm';
import { type Clock } from '../clock.js';
import { MysqlPool } from './mysql-pool.js';
import { PooledStatements } from './pooled-statements.js';
import { PostgresPool } from './postgres-pool.js';
import { type SqlDialect } from './sql-dialect.js';
import { type Statements } from './sql.js';
import { SqliteStatements } from './sqlite-statements.js';

export function statementsOf(dataSource: DataSource, dialect: SqlDialect, clock: Clock): Statements {
  switch (dataSource.options.type) {
    case 'postgres':
      return new PooledStatements(new PostgresPool(dataSource, dialect), dialect.proof, clock);
    case 'mysql':
    case 'mariadb':
      return new PooledStatements(new MysqlPool(dataSource, dialect), dialect.proof, clock);
    case 'better-sqlite3':
      return new SqliteStatements(dataSource);
    default:
      throw new Error(`The library has no statements for ${dataSource.options.type}`);
  }
}
