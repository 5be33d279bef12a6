import { createHash } from 'node:crypto';
import { Logger } from '@nestjs/common';
import { type DataSource } from 'typeorm';
import { clientFromPool } from './postgres-driver.js';
import { type SqlParameter, type SqlResult, type Statements } from './sql.js';
import { type SqlDialect } from './sql-dialect.js';
import { StatementTexts } from './statement-texts.js';
import { type TimeLimit } from './time-limit.js';

/**
 * SQLSTATEs of a prepared statement that did not run: the server does not know it (26000), another client has prepared
 * the same name on this server connection (42P05), or the result would have other columns than before (0A000).
 */
const LOST_STATEMENT = new Set<unknown>(['26000', '42P05', '0A000']);

/** Runs statements directly on a connection of pg's pool, without TypeORM's overhead. */
export class PostgresStatements implements Statements {
  private readonly logger = new Logger('OneIdLogout');
  private readonly texts: StatementTexts;
  private readonly names = new Map<string, string>();
  private prepares = true;

  constructor(
    private readonly dataSource: DataSource,
    dialect: SqlDialect,
  ) {
    this.texts = new StatementTexts(dialect);
  }

  async run(sql: string, parameters: readonly SqlParameter[], prepared: boolean, limit: TimeLimit): Promise<SqlResult> {
    const text = this.texts.textOf(sql);
    if (!prepared || !this.prepares) return this.query({ text }, parameters, limit);
    try {
      return await this.query({ text, name: this.nameOf(text) }, parameters, limit);
    } catch (error) {
      if (!LOST_STATEMENT.has((error as { code?: unknown }).code)) throw error;
      this.giveUpPreparing();
      return this.query({ text }, parameters, limit);
    }
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

  private async query(
    statement: { readonly text: string; readonly name?: string },
    parameters: readonly SqlParameter[],
    limit: TimeLimit,
  ): Promise<SqlResult> {
    const [client, release] = await clientFromPool(this.dataSource);
    let broken: unknown;
    // a broken connection also emits 'error'; without a listener this event would end the process
    const onError = (error: unknown) => {
      broken = error;
    };
    client.on('error', onError);
    try {
      limit.check();
      // a connection that has not answered in time may never answer: destroy it, so the pool drops it
      limit.onExpiry(() => client.connection?.stream?.destroy());
      const { rows, rowCount } = await client.query({ ...statement, values: [...parameters] });
      return { rows, affected: rowCount ?? 0 };
    } finally {
      limit.onExpiry(undefined);
      client.removeListener('error', onError);
      release(broken);
    }
  }
}
