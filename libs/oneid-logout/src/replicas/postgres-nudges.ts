import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { type LogoutNudges, PING_INTERVAL, PING_TIMEOUT } from './logout-nudges.js';
import { type SessionDatabase } from '../database/session-database.js';
import { digest } from '../rule/targets.js';

/** How long to wait before connecting again, milliseconds. */
const RECONNECT_PAUSE = 1_000;

/** As much of a client of `pg` as is used here. */
interface PostgresClient {
  /** Absent with the native driver. */
  readonly connection?: { readonly stream: { destroy(): void } };
  end(): Promise<void>;
  connect(): Promise<unknown>;
  query(text: string): Promise<unknown>;
  on(event: 'notification', listener: (message: { readonly payload?: string }) => void): void;
  on(event: 'error' | 'end', listener: () => void): void;
}

/** As much of TypeORM's driver as is used here: the package `pg`, and its pool. */
interface PostgresDriver {
  readonly postgres: { readonly Client: new (options: object) => PostgresClient };
  readonly master: { readonly options: { readonly password?: unknown } };
}

/**
 * Nudges by PostgreSQL's LISTEN and NOTIFY, over a connection of their own. They need one that stays the same: behind a
 * pooler in transaction mode none arrives.
 */
export class PostgresNudges implements LogoutNudges {
  private readonly logger = new Logger('OneIdLogout');
  private readonly channel: string;
  private readonly id = randomBytes(8).toString('hex');
  private readonly closed = new AbortController();
  private listening: Promise<void> | undefined;

  constructor(private readonly database: SessionDatabase) {
    // the tables' name has the schema and prefix in it; a channel's may have 63 bytes
    this.channel = `oneid_logout_${digest([database.tables.logout]).slice(0, 16)}`;
  }

  open(onNudge: () => void): void {
    this.listening = this.listen(onNudge);
  }

  send(): Promise<unknown> {
    // a statement of its own: in the one that records, PostgreSQL would commit one logout after the other
    return this.database.run('SELECT pg_notify(?, ?)', [this.channel, this.id]);
  }

  async close(): Promise<void> {
    this.closed.abort();
    await this.listening;
  }

  private async listen(onNudge: () => void): Promise<void> {
    let told = false;
    while (!this.closed.signal.aborted) {
      try {
        await this.listenOnce(onNudge, () => {
          if (told) this.logger.log('Nudges of other replicas are heard again.');
          told = false;
        });
      } catch (error) {
        if (!told)
          this.logger.warn(
            `Nudges of other replicas are not heard, logouts are looked for all the same: ${String(error)}`,
          );
        told = true;
      }
      await delay(RECONNECT_PAUSE * (0.5 + Math.random()), undefined, { ref: false, signal: this.closed.signal }).catch(
        () => undefined,
      );
    }
  }

  /** Resolves when it is closed, rejects when the connection is lost. */
  private async listenOnce(onNudge: () => void, onListening: () => void): Promise<void> {
    const client = this.createClient();
    const lost = new Promise<never>((_resolve, reject) => {
      for (const event of ['error', 'end'] as const) {
        client.on(event, () => {
          reject(new Error('the connection was lost'));
        });
      }
    });
    client.on('notification', ({ payload }) => {
      if (payload !== this.id) onNudge();
    });
    try {
      await Promise.race([lost, client.connect()]);
      await Promise.race([lost, client.query(`LISTEN ${this.channel}`)]);
      onListening();
      // what was sent meanwhile is gone
      onNudge();
      await Promise.race([lost, this.keepAlive(client)]);
    } finally {
      lost.catch(() => undefined);
      // there is nothing to say to the other side, which may not hear it
      if (client.connection !== undefined) client.connection.stream.destroy();
      else void client.end().catch(() => undefined);
    }
  }

  /** Apart from the pool of the statements, so that it takes none of their connections. */
  private createClient(): PostgresClient {
    const { postgres, master } = this.database.dataSource.driver as unknown as PostgresDriver;
    const { options } = master;
    return new postgres.Client({
      ...options,
      // which the pool hides
      password: options.password,
      connectionTimeoutMillis: PING_TIMEOUT,
      query_timeout: PING_TIMEOUT,
      keepAlive: true,
    });
  }

  /** A connection that nothing comes from may be one that nothing can come from. */
  private async keepAlive(client: PostgresClient): Promise<void> {
    const { signal } = this.closed;
    for (;;) {
      await delay(PING_INTERVAL, undefined, { ref: false, signal }).catch(() => undefined);
      if (signal.aborted) return;
      await client.query('SELECT 1');
    }
  }
}
