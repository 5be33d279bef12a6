import { Logger } from '../logger.js';
import { type Clock } from '../clock.js';
import { type Random } from '../random.js';
import { type LogoutNudges, PING_INTERVAL, PING_TIMEOUT } from './logout-nudges.js';
import { clientBesidePool, destroyClient, type PostgresClient } from '../database/postgres-driver.js';
import { type SessionDatabase } from '../database/session-database.js';
import { digest } from '../rule/targets.js';

/** Average pause before connecting again, milliseconds; the real pause differs at random by up to half. */
const RECONNECT_PAUSE = 1_000;

/**
 * Nudges over PostgreSQL's LISTEN and NOTIFY, with a separate connection that listens. LISTEN needs the same server
 * session all the time, so nudges do not arrive behind a pooler in transaction mode.
 */
export class PostgresNudges implements LogoutNudges {
  private readonly logger = new Logger('OneIdLogout');
  private readonly channel: string;
  private readonly id: string;
  private readonly closed = new AbortController();
  private listening: Promise<void> | undefined;
  /** The connection that listens now. */
  private client: PostgresClient | undefined;

  constructor(
    private readonly database: SessionDatabase,
    private readonly clock: Clock,
    private readonly random: Random,
  ) {
    this.id = random.id();
    // a hash, because the table's name contains schema and prefix, and a channel's name has at most 63 bytes
    this.channel = `oneid_logout_${digest([database.tables.logout]).slice(0, 16)}`;
  }

  open(onNudge: () => void): void {
    this.listening = this.listen(onNudge);
  }

  send(): Promise<unknown> {
    if (this.client === undefined) return Promise.reject(new Error('The connection for nudges is lost'));
    // after the commit, and not with it: PostgreSQL commits transactions with a NOTIFY one by one. This connection waits
    // for no other statement
    return this.client.query({ text: 'SELECT pg_notify($1, $2)', values: [this.channel, this.id] });
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
          if (told) this.logger.log('This replica hears the nudges of other replicas again.');
          told = false;
        });
      } catch (error) {
        if (!told)
          this.logger.warn(
            `This replica does not hear the nudges of other replicas, but still looks for their logouts: ${String(error)}`,
          );
        told = true;
      }
      await this.clock.delay(RECONNECT_PAUSE * (0.5 + this.random.fraction()), this.closed.signal);
    }
  }

  /** Resolves after `close()`, rejects when the connection fails. */
  private async listenOnce(onNudge: () => void, onListening: () => void): Promise<void> {
    const client = clientBesidePool(this.database.dataSource, PING_TIMEOUT);
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
      this.client = client;
      onListening();
      // nudges from before LISTEN are lost, so look once now
      onNudge();
      await Promise.race([lost, this.keepAlive(client)]);
    } finally {
      this.client = undefined;
      lost.catch(() => undefined);
      destroyClient(client);
    }
  }

  /** Sends a query regularly, because a silent connection may be dead. */
  private async keepAlive(client: PostgresClient): Promise<void> {
    const { signal } = this.closed;
    for (;;) {
      await this.clock.delay(PING_INTERVAL, signal);
      if (signal.aborted) return;
      await client.query('SELECT 1');
    }
  }
}
