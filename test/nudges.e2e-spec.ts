import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { InvalidOptionsError, OneIdLogoutModule, type OneIdLogoutOptions } from 'nestjs-oneid-logout';
import { Test } from '@nestjs/testing';
import { Clock } from '../libs/oneid-logout/src/clock.js';
import { Random } from '../libs/oneid-logout/src/random.js';
import { CachedSessionLookup } from '../libs/oneid-logout/src/replicas/cached-session-lookup.js';
import { LogoutFollower } from '../libs/oneid-logout/src/replicas/logout-follower.js';
import { type LogoutNudges } from '../libs/oneid-logout/src/replicas/logout-nudges.js';
import { PostgresNudges } from '../libs/oneid-logout/src/replicas/postgres-nudges.js';
import { RedisNudges } from '../libs/oneid-logout/src/replicas/redis-nudges.js';
import { ReplicaRepository } from '../libs/oneid-logout/src/store/replica.repository.js';
import { type DatabaseKind, sharedDatabases, sqlite, type TestDatabase } from './support/databases.js';
import { SessionStore } from './support/session-store.js';
import { TestClock } from './support/test-clock.js';
import { until } from './support/until.js';

/** Milliseconds. It is long, so that in these tests only a nudge makes a replica look. */
const STALENESS = 60_000;

interface Transport {
  readonly name: string;
  readonly database: DatabaseKind;
  readonly nudges: (store: SessionStore) => LogoutNudges | Promise<LogoutNudges>;
  /** Closes the connections that listen for nudges. @returns their number */
  readonly cut: (store: SessionStore) => Promise<number>;
}

const byPostgres = {
  nudges: (store: SessionStore) => new PostgresNudges(store.database, new Clock(), new Random()),
  async cut(store: SessionStore) {
    const { rows } = await store.database.run(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE datname = current_database() AND query LIKE 'LISTEN oneid_logout%'`,
    );
    return rows.length;
  },
};

const byRedis = (url: string) => ({
  nudges: () => RedisNudges.create(url, `oneid-logout-test-${process.pid}`, new Clock(), new Random()),
  async cut() {
    const { Redis } = await import('ioredis');
    const redis = new Redis(url);
    const killed = await redis.client('KILL', 'TYPE', 'pubsub');
    redis.disconnect();
    return Number(killed);
  },
});

const transports = sharedDatabases.map((database): Transport => {
  const { name, nudge } = database;
  if (nudge === 'postgres') return { name: `LISTEN and NOTIFY, on ${name}`, database, ...byPostgres };
  return { name: `Redis, beside ${name}`, database, ...byRedis(nudge.redis) };
});

describe.each(transports)('nudges by $name', ({ database, nudges, cut }) => {
  let testDatabase: TestDatabase;
  let stores: SessionStore[];
  let followers: LogoutFollower[];
  let clock: TestClock;
  beforeEach(async () => {
    testDatabase = await database.take();
    [clock, stores, followers] = [new TestClock(), [], []];
  });
  afterEach(async () => {
    for (const follower of followers) await follower.close();
    for (const store of stores) await store.close();
    await testDatabase.drop();
  });

  async function start(): Promise<{ store: SessionStore; checks: CachedSessionLookup; looks: () => number }> {
    const store = await SessionStore.open(testDatabase, { clock });
    stores.push(store);
    const settings = { answers: true, maxStalenessMs: STALENESS, allowDuringOutageMs: 0, retention: 600_000 };
    const follower = new LogoutFollower(
      ...([store.repository, new ReplicaRepository(store.database), store.bus, clock, new Random()] as const),
      ...([settings, await nudges(store)] as const),
    );
    followers.push(follower);
    let looked = 0;
    const look = follower.look.bind(follower);
    follower.look = () => {
      looked += 1;
      return look();
    };
    await follower.open();
    const checks = new CachedSessionLookup(store.repository, follower, clock, {
      ...{ maxStalenessMs: STALENESS, allowDuringOutageMs: 0, maxSessions: 10 },
    });
    return { store, checks, looks: () => looked };
  }

  it('makes another replica look at once', async () => {
    const [writer, reader] = [await start(), await start()];
    // a replica looks once at the start, and once when it begins to listen, for logouts that it has missed
    await until('both listen', () => writer.looks() >= 2 && reader.looks() >= 2);
    const session = await writer.store.registry.register({ idToken: writer.store.idToken({ sub: 'x', sid: 'y' }) });
    expect(await reader.checks.check(session.id)).toMatchObject({ expired: false });
    const before = [writer.looks(), reader.looks()];
    await writer.store.recorder.endLogin(session);
    await until('the reader knows', async () => (await reader.checks.check(session.id))?.endedBy === 'app');
    expect([writer.looks(), reader.looks()]).toEqual([before[0], (before[1] ?? NaN) + 1]);
  });

  it('a hundred logouts at the same time cause few looks', async () => {
    const [writer, reader] = [await start(), await start()];
    await until('the reader listens', () => reader.looks() >= 2);
    const before = reader.looks();
    const sids = Array.from({ length: 100 }, (_, n) => `sid-${n}`);
    await Promise.all(sids.map((sid) => writer.store.recorder.recordBackchannel(writer.store.logout({ sid }))));
    await until('the reader knows', () => followers[1]?.logouts.size === 100);
    expect(reader.looks() - before).toBeLessThan(50);
  });

  it('reconnects after its connection was lost, and looks for missed logouts', async () => {
    const reader = await start();
    await until('the reader listens', () => reader.looks() >= 2);
    const before = reader.looks();
    expect(await cut(reader.store)).toBeGreaterThan(0);
    await until('it looks again', () => reader.looks() > before);
    const session = await reader.store.registry.register({ idToken: reader.store.idToken({ sub: 'x', sid: 'y' }) });
    const writer = await start();
    await reader.checks.check(session.id);
    await writer.store.recorder.endLogin(session);
    await until('the reader knows', async () => (await reader.checks.check(session.id))?.endedBy === 'app');
  });
});

describe('the option nudge', () => {
  const clients = [
    {
      issuer: 'https://oneid.example/',
      clientId: 'app',
      postLogoutRedirectUri: 'https://app.example/logout/callback',
      endpoints: { jwks_uri: 'https://oneid.example/keys', end_session_endpoint: 'https://oneid.example/logout' },
    },
  ];
  const boot = (options: Partial<OneIdLogoutOptions>) =>
    Test.createTestingModule({ imports: [OneIdLogoutModule.forRoot({ clients, ...options })] }).compile();

  it.each([
    ['mysql', "liveness.nudge must be 'postgres', or { redis }"],
    [{ redis: 'http://127.0.0.1' }, "liveness.nudge must be 'postgres', or { redis }"],
    [{ redis: 'redis://127.0.0.1', port: 1 }, "liveness.nudge must be 'postgres', or { redis }"],
    [{ redis: 'redis://127.0.0.1', channel: '' }, "liveness.nudge must be 'postgres', or { redis }"],
    ['postgres', "liveness.nudge is 'postgres', but database.type is not: use { redis }"],
  ])('%j on SQLite is refused at boot', async (nudge, fault) => {
    const liveness = { maxStalenessMs: 500, nudge } as NonNullable<OneIdLogoutOptions['liveness']>;
    const database = { type: 'better-sqlite3', database: ':memory:' } as const;
    const booting = boot({ liveness, database });
    await expect(booting).rejects.toThrow(InvalidOptionsError);
    await expect(booting).rejects.toThrow(fault);
  });

  it('the app boots and works without the Redis server', async () => {
    const testDatabase = await sqlite.create();
    const liveness = { maxStalenessMs: 500, nudge: { redis: 'redis://127.0.0.1:1' } };
    const testing = await boot({ liveness, database: testDatabase.options });
    testing.useLogger(false);
    const app = await testing.createNestApplication().init();
    await app.close();
    await testDatabase.drop();
  });
});
