import { Injectable } from '@nestjs/common';
// by its namespace: TypeORM 0.2 has no DataSource, and an import of its name would end the boot before its version is checked
import * as typeOrm from 'typeorm';
import { type DataSource, type DataSourceOptions } from 'typeorm';
import { type Clock } from '../clock.js';
import { SERVER_TIMEOUT } from './data-source-options.js';
import { messageOf } from './driver-errors.js';
import { type SqlDialect, sqlDialects, type SupportedDatabase } from './sql-dialect.js';
import { type Statements } from './sql.js';
import { statementsOf } from './statements.js';

/** An open connection to the database, or a pool of them. */
export interface DatabaseConnection {
  /** TypeORM's view of it: for the migrations, the table names and the driver. */
  readonly dataSource: DataSource;
  readonly dialect: SqlDialect;
  readonly statements: Statements;
  destroy(): Promise<void>;
}

/** Connects to the database. Tests hand in another one, whose connections are slow, fail, or have another clock. */
@Injectable()
export class DatabaseConnector {
  /** @throws the driver's error when it can't connect */
  async connect(
    options: DataSourceOptions & { readonly type: SupportedDatabase },
    clock: Clock,
  ): Promise<DatabaseConnection> {
    const dialect = this.dialectOf(options.type);
    const dataSource = await open(options);
    const statements = statementsOf(dataSource, dialect, clock);
    return { dataSource, dialect, statements, destroy: () => dataSource.destroy() };
  }

  protected dialectOf(type: SupportedDatabase): SqlDialect {
    return sqlDialects[type];
  }
}

async function open(options: DataSourceOptions): Promise<DataSource> {
  if (options.type !== 'postgres') return new typeOrm.DataSource(options).initialize();
  try {
    const extra: unknown = { statement_timeout: SERVER_TIMEOUT, ...(options.extra as object | undefined) };
    return await new typeOrm.DataSource({ ...options, extra }).initialize();
  } catch (error) {
    // a pooler refuses settings that it would pass on to other clients
    if (!messageOf(error).includes('unsupported startup parameter')) throw error;
    return new typeOrm.DataSource(options).initialize();
  }
}
