import { type Redis } from 'ioredis';
import { Logger } from '../logger.js';
import { type Clock, type Timer } from '../clock.js';
import { InvalidOptionsError } from '../oneid-logout.errors.js';
import { type Random } from '../random.js';
import { type LogoutNudges, PING_INTERVAL, PING_TIMEOUT } from './logout-nudges.js';

/** Longest average pause before connecting again, and the pause before subscribing again: milliseconds. */
const RECONNECT_PAUSE = 2_000;

/**
 * The address of Redis: a URL (`redis:` or `rediss:`), or options of `ioredis`.
 *
 * @inline
 */
export type RedisConnection = string | Readonly<Record<string, unknown>>;

/** Nudges over Redis pub/sub: for MySQL and MariaDB, or for PostgreSQL behind a pooler. */
export class RedisNudges implements LogoutNudges {
  private readonly logger = new Logger('OneIdLogout');
  private readonly id: string;
  private readonly pings: Timer[] = [];
  private told = false;
  private closed = false;

  private constructor(
    private readonly publisher: Redis,
    private readonly subscriber: Redis,
    private readonly channel: string,
    private readonly clock: Clock,
    random: Random,
  ) {
    this.id = random.id();
  }

  /** Does not connect; `open()` does. @throws {InvalidOptionsError} the optional peer `ioredis` is not installed */
  static async create(
    connection: RedisConnection,
    channel: string,
    clock: Clock,
    random: Random,
  ): Promise<RedisNudges> {
    const { Redis } = await loadIoredis();
    const own = {
      lazyConnect: true,
      // do not queue: a nudge that cannot be sent now is useless later
      enableOfflineQueue: false,
      autoResubscribe: false,
      connectTimeout: PING_TIMEOUT,
      commandTimeout: PING_TIMEOUT,
      retryStrategy: (attempt: number) => Math.min(attempt * 100, RECONNECT_PAUSE) * (0.5 + random.fraction()),
    };
    // two connections, because a Redis connection that subscribes cannot publish
    const connect = () =>
      typeof connection === 'string' ? new Redis(connection, own) : new Redis({ ...connection, ...own });
    return new RedisNudges(connect(), connect(), channel, clock, random);
  }

  open(onNudge: () => void): void {
    if (this.closed) return;
    this.subscriber.on('message', (_channel, from) => {
      if (from !== this.id) onNudge();
    });
    this.subscriber.on('ready', () => void this.subscribe(onNudge));
    for (const connection of [this.publisher, this.subscriber]) {
      connection.on('error', (error: Error) => {
        this.warn(error);
      });
      connection.connect().catch(() => undefined);
      this.pings.push(this.clock.every(PING_INTERVAL, () => void this.ping(connection)));
    }
  }

  send(): Promise<unknown> {
    return this.publisher.publish(this.channel, this.id);
  }

  private async subscribe(onNudge: () => void): Promise<void> {
    while (this.subscriber.status === 'ready') {
      try {
        await this.subscriber.subscribe(this.channel);
        if (this.told) this.logger.log('This replica hears the nudges of other replicas again.');
        this.told = false;
        // nudges from before the subscription are lost, so look once now
        onNudge();
        return;
      } catch (error) {
        // probably the user lacks the permission: since Redis 7, an ACL must grant each user its channels
        this.warn(error instanceof Error ? error : new Error(String(error)));
        await this.clock.delay(RECONNECT_PAUSE);
      }
    }
  }

  close(): Promise<void> {
    this.closed = true;
    for (const ping of this.pings) ping.cancel();
    this.publisher.disconnect();
    this.subscriber.disconnect();
    return Promise.resolve();
  }

  /** Pings the server, because a silent connection may be dead; reconnects when the ping fails. */
  private async ping(connection: Redis): Promise<void> {
    if (connection.status !== 'ready') return;
    await connection.ping().catch(() => {
      connection.disconnect(true);
    });
  }

  private warn(error: Error): void {
    if (this.told) return;
    this.told = true;
    this.logger.warn(`This replica can't send or hear nudges by Redis, but still looks for logouts: ${error.message}`);
  }
}

async function loadIoredis() {
  try {
    // `import()` inside `try`: bundlers then accept that the package is missing
    return await import('ioredis');
  } catch (cause) {
    throw Object.assign(new InvalidOptionsError(['liveness.nudge names Redis: install the package ioredis']), {
      cause,
    });
  }
}
