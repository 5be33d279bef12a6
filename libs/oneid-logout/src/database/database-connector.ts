import { Injectable } from '@nestjs/common';
import { DataSource, type DataSourceOptions } from 'typeorm';
import { type SqlDialect, sqlDialects, type SupportedDatabase } from './sql-dialect.js';
import { type Statements } from './sql.js';
import { statementsOf } from './statements.js';

/** An open connection to the database, or a pool of them. */
export interface DatabaseConnection {
  /** TypeORM's view of it: for the migrations, the table names and the driver. */
  readonly dataSource: DataSource;
  readonly dialect: SqlDialect;
  /** Sends one statement, once: no retry and no time limit of its own. */
  readonly query: Statements['run'];
  destroy(): Promise<void>;
}

/** Connects to the database. Tests hand in another one, whose connections are slow, fail, or have another clock. */
@Injectable()
export class DatabaseConnector {
  /** @throws the driver's error when it can't connect */
  async connect(options: DataSourceOptions & { readonly type: SupportedDatabase }): Promise<DatabaseConnection> {
    const dialect = this.dialectOf(options.type);
    const dataSource = await new DataSource(options).initialize();
    const statements = statementsOf(dataSource, dialect);
    return {
      dataSource,
      dialect,
      query: (sql, parameters, prepared, limit) => statements.run(sql, parameters, prepared, limit),
      destroy: () => dataSource.destroy(),
    };
  }

  protected dialectOf(type: SupportedDatabase): SqlDialect {
    return sqlDialects[type];
  }
}
