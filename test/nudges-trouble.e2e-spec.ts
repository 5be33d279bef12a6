import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { Clock } from '../libs/oneid-logout/src/clock.js';
import { Random } from '../libs/oneid-logout/src/random.js';
import { type LogoutNudges, PING_TIMEOUT } from '../libs/oneid-logout/src/replicas/logout-nudges.js';
import { PostgresNudges } from '../libs/oneid-logout/src/replicas/postgres-nudges.js';
import { RedisNudges } from '../libs/oneid-logout/src/replicas/redis-nudges.js';
import { postgres } from './support/databases.js';
import { SessionStore } from './support/session-store.js';
import { TcpProxy } from './support/tcp-proxy.js';
import { until } from './support/until.js';

/** A minimal Redis server for these tests. It refuses every subscription. */
class RefusingRedis {
  connections = 0;
  subscribes = 0;

  private constructor(private readonly server: Server) {
    server.on('connection', (socket) => this.accept(socket));
  }

  static async start(): Promise<RefusingRedis> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new RefusingRedis(server);
  }

  get options() {
    return { port: (this.server.address() as AddressInfo).port, enableReadyCheck: false, disableClientInfo: true };
  }

  stop(): void {
    this.server.close();
  }

  private accept(socket: Socket): void {
    this.connections += 1;
    socket.on('error', () => undefined);
    socket.on('data', (data) => {
      for (const [, command = ''] of data.toString().matchAll(/\*\d+\r\n\$\d+\r\n(\w+)/g)) {
        const refused = command.toLowerCase() === 'subscribe';
        if (refused) this.subscribes += 1;
        socket.write(refused ? '-NOPERM No permissions to access a channel\r\n' : '+OK\r\n');
      }
    });
  }
}

describe('nudges in trouble', () => {
  const [clock, random] = [new Clock(), new Random()];
  let nudges: LogoutNudges | undefined;
  afterEach(async () => {
    await nudges?.close();
    jest.restoreAllMocks();
  });

  it('subscribes again after a pause when Redis refuses the channel, and logs the reason', async () => {
    const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    const redis = await RefusingRedis.start();
    nudges = await RedisNudges.create(redis.options, 'channel', clock, random);
    nudges.open(() => undefined);
    await until('it is asked twice', () => redis.subscribes === 2);
    expect(redis.connections).toBe(2);
    expect(warn.mock.calls).toEqual([
      [
        "This replica can't send or hear nudges by Redis, but still looks for logouts: NOPERM No permissions to access a channel",
      ],
    ]);
    await nudges.close();
    redis.stop();
  });

  it('does not connect to Redis after close(), even when open() comes later', async () => {
    const redis = await RefusingRedis.start();
    nudges = await RedisNudges.create(redis.options, 'channel', clock, random);
    await nudges.close();
    nudges.open(() => undefined);
    await delay(200);
    expect(redis.connections).toBe(0);
    redis.stop();
  });

  it('listens again after PostgreSQL stops answering during a connect, and closes without waiting for it', async () => {
    const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    const testDatabase = await postgres.create();
    const proxy = await TcpProxy.start((testDatabase.options as { url: string }).url);
    const options = { ...testDatabase.options, url: proxy.url } as typeof testDatabase.options;
    const store = await SessionStore.open({ ...testDatabase, options });
    proxy.silence();
    let nudged = 0;
    nudges = new PostgresNudges(store.database, clock, random);
    nudges.open(() => (nudged += 1));
    await until('it gives up', () => warn.mock.calls.length > 0);
    expect(nudged).toBe(0);
    proxy.mend();
    await until('it listens', () => nudged > 0);
    proxy.silence();
    // it does not wait for an answer that does not come
    const closed = nudges.close().then(() => 'closed');
    expect(await Promise.race([closed, delay(PING_TIMEOUT, 'waits', { ref: false })])).toBe('closed');
    proxy.mend();
    await store.close();
    await proxy.stop();
    await testDatabase.drop();
  });
});
