import { createHash } from 'node:crypto';
import { type DataSource } from 'typeorm';
import { Logger } from '../logger.js';
import { type BorrowedConnection, type ConnectionPool } from './connection-pool.js';
import { driverErrorOf } from './driver-errors.js';
import { clientFromPool, poolSizeOf, type PostgresClient } from './postgres-driver.js';
import { type SqlDialect } from './sql-dialect.js';
import { type SqlResult, type SqlStatement } from './sql.js';
import { StatementTexts } from './statement-texts.js';

/**
 * SQLSTATEs of a prepared statement that did not run: the server does not know it (26000), another client has prepared
 * the same name on this server connection (42P05), or the result would have other columns than before (0A000).
 */
const LOST_STATEMENT = new Set<unknown>(['26000', '42P05', '0A000']);

/** The pool of `pg`, used directly: TypeORM's work for each statement would cost more time. */
export class PostgresPool implements ConnectionPool {
  private readonly logger = new Logger('OneIdLogout');
  private readonly texts: StatementTexts;
  private readonly names = new Map<string, string>();
  private prepares = true;

  constructor(
    private readonly dataSource: DataSource,
    private readonly dialect: SqlDialect,
  ) {
    this.texts = new StatementTexts(dialect);
  }

  get size(): number {
    return poolSizeOf(this.dataSource);
  }

  async borrow(): Promise<BorrowedConnection> {
    const [client, release] = await clientFromPool(this.dataSource);
    let broken: unknown;
    // a broken connection also emits 'error'; without a listener this event would end the process
    const onError = (error: unknown) => {
      broken = error;
    };
    client.on('error', onError);
    return {
      identity: client,
      query: (statement) => this.query(client, statement),
      isLost: (error) => broken !== undefined || this.dialect.isConnectionError(driverErrorOf(error)),
      isReadOnly: (error) => this.dialect.isReadOnly(driverErrorOf(error)),
      destroy: () => {
        broken = new Error('The library has closed this connection');
        client.connection?.stream?.destroy();
      },
      release: () => {
        client.removeListener('error', onError);
        release(broken);
        return Promise.resolve();
      },
    };
  }

  private async query(client: PostgresClient, { sql, parameters, prepared }: SqlStatement): Promise<SqlResult> {
    const text = this.texts.textOf(sql);
    const values = [...parameters];
    if (prepared && this.prepares) {
      try {
        return resultOf(await client.query({ text, values, name: this.nameOf(text) }));
      } catch (error) {
        if (!LOST_STATEMENT.has((error as { code?: unknown }).code)) throw error;
        this.giveUpPreparing();
      }
    }
    return resultOf(await client.query({ text, values }));
  }

  /** A pooler may give each transaction another server connection, and not carry prepared statements over. */
  private giveUpPreparing(): void {
    if (this.prepares) {
      this.logger.log(
        'The database does not keep prepared statements; a pooler may be the reason. The library goes on without them.',
      );
    }
    this.prepares = false;
  }

  /** The name is a hash of the text, so every connection and every replica gives a text the same name. */
  private nameOf(text: string): string {
    let name = this.names.get(text);
    if (name === undefined) {
      name = `oneid_${createHash('sha256').update(text).digest('hex').slice(0, 40)}`;
      this.names.set(text, name);
    }
    return name;
  }
}

function resultOf({ rows, rowCount }: Awaited<ReturnType<PostgresClient['query']>>): SqlResult {
  return { rows, affected: rowCount ?? 0 };
}
