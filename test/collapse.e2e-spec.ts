import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type OneIdLogoutOptions, StoreUnavailableError } from 'nestjs-oneid-logout';
import { SessionJudge } from '../libs/oneid-logout/src/guard/session-judge.js';
import { LogoutFollower } from '../libs/oneid-logout/src/replicas/logout-follower.js';
import { LogoutInbox } from '../libs/oneid-logout/src/sessions/logout-inbox.js';
import { tokenHashOf } from '../libs/oneid-logout/src/rule/session-token.js';
import { SessionRepository } from '../libs/oneid-logout/src/store/session.repository.js';
import { sharedDatabases, type TestDatabase } from './support/databases.js';
import { clientId, Host } from './support/host.js';
import { OfferedLoad } from './support/offered-load.js';
import { SlowLine } from './support/slow-line.js';
import { TcpProxy } from './support/tcp-proxy.js';
import { until } from './support/until.js';

/** Of the driver's pool, by default. */
const POOL_SIZE = 10;

const DAY = 24 * 60 * 60 * 1000;

const LOGOUTS_PER_SECOND = 5;

// These tests wait in real time, because they are about real sockets, the drivers' pools and their timeouts.
/** The PostgreSQL of `npm test` is a real server, so these long tests need not run on the service, too. */
const kinds = sharedDatabases.filter(({ name }) => name !== 'PostgreSQL service');

describe.each(kinds)('an overload after a trouble of the database, on $name', (kind) => {
  let database: TestDatabase;
  let line: SlowLine;
  let proxy: TcpProxy;
  let host: Host;
  let loads: OfferedLoad[];
  beforeEach(async () => {
    database = await kind.take();
    line = new SlowLine();
    proxy = await TcpProxy.start((database.options as { url: string }).url, undefined, line);
    loads = [];
  });
  afterEach(async () => {
    line.bytesPerSecond = Infinity;
    proxy.mend();
    await Promise.all(loads.map((load) => load.stop()));
    await host.stop();
    await proxy.stop();
    await database.drop();
  });

  async function start(options: Partial<OneIdLogoutOptions> = {}): Promise<void> {
    const proxied = { ...database.options, url: proxy.url } as TestDatabase['options'];
    host = await Host.start({
      database: { take: () => Promise.resolve({ options: proxied, drop: () => Promise.resolve() }) },
      options,
      startsJobs: true,
    });
  }

  /** Stores sessions as sign-ins do. @returns their session tokens; `sid-n` is the sid of the n-th */
  async function signIn(count: number): Promise<string[]> {
    const repository = host.app.get(SessionRepository, { strict: false });
    const { issuer } = host.oneId;
    const iat = host.clock.seconds;
    const tokens = Array.from({ length: count }, () => randomBytes(32).toString('hex'));
    const insert = (token: string, n: number) =>
      repository.insertSession({
        id: tokenHashOf(token),
        issuer,
        clientId,
        sid: `sid-${n}`,
        sub: `user-${n}`,
        iat,
        lifetime: DAY,
        idTokenHash: tokenHashOf(token),
      });
    for (let n = 0; n < count; n += 100) {
      await Promise.all(tokens.slice(n, n + 100).map((token, k) => insert(token, n + k)));
    }
    return tokens;
  }

  function offer(perSecond: number, ask: (n: number) => Promise<number>): OfferedLoad {
    const load = new OfferedLoad(perSecond, ask);
    loads.push(load);
    return load;
  }

  /** The status of an answer: 503 when the store does not answer. */
  async function statusOf(work: () => Promise<number>): Promise<number> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof StoreUnavailableError) return 503;
      throw error;
    }
  }

  /** The guard's decision. */
  const check = (sessionToken: string): Promise<number> =>
    statusOf(async () => {
      const verdict = await host.app.get(SessionJudge, { strict: false }).judge({ sessionToken });
      return 'alive' in verdict ? 200 : 401;
    });
  const offerChecks = (tokens: readonly string[], perSecond: number) =>
    offer(perSecond, (n) => check(tokens[n % tokens.length] ?? ''));

  /** OneID sends logouts of other sessions. Their tokens are made before, because signing takes time. */
  async function prepareLogouts(): Promise<() => OfferedLoad> {
    const tokens = await Promise.all(
      Array.from({ length: 100 }, (_, n) => host.oneId.logoutToken({ clientId, sid: `leaving-${n}` })),
    );
    return () =>
      offer(LOGOUTS_PER_SECOND, async (n) => {
        const body = new URLSearchParams({ logout_token: tokens[n % tokens.length] ?? '' });
        const response = await host.fetch('/backchannel_logout', { method: 'POST', body });
        await response.text();
        return response.status;
      });
  }

  const stop = (...running: OfferedLoad[]) => Promise.all(running.map((load) => load.stop()));

  /** Checks these sessions once. @returns how many bytes the line carries for that */
  async function bytesToCheck(ids: readonly string[]): Promise<number> {
    const before = line.bytes;
    for (let n = 0; n < ids.length; n += 50) await Promise.all(ids.slice(n, n + 50).map(check));
    return line.bytes - before;
  }

  /** The largest number of connections that were opened within one second. */
  function mostConnectionsInASecond(): number {
    const times = proxy.accepted;
    return Math.max(...times.map((from) => times.filter((time) => time >= from && time < from + 1_000).length));
  }

  it('S3: after a silence of seven seconds, all checks and logouts are answered again at the same load', async () => {
    await start();
    const tokens = await signIn(400);
    const offerLogouts = await prepareLogouts();
    line.bytesPerSecond = await bytesToCheck(tokens);
    line.delayMs = 10;
    // half of the line's capacity
    const checks = offerChecks(tokens, 200);
    const logouts = offerLogouts();
    await delay(1_000);
    proxy.silence();
    await delay(7_000);
    proxy.mend();
    const back = performance.now();
    await delay(3_500);
    await stop(checks, logouts);

    expect(checks.share(200, back + 2_000)).toBeGreaterThan(0.99);
    expect(Object.keys(logouts.statuses(back))).toEqual(['200']);
    expect(mostConnectionsInASecond()).toBeLessThanOrEqual(POOL_SIZE + 5);
  }, 60_000);

  it('S3: at three times the capacity, the checks that fit are answered, and all logouts', async () => {
    await start();
    const tokens = await signIn(1_000);
    const offerLogouts = await prepareLogouts();
    // 200 checks a second
    line.bytesPerSecond = (await bytesToCheck(tokens)) / 5;
    line.delayMs = 10;
    const checks = offerChecks(tokens, 600);
    const logouts = offerLogouts();
    await delay(4_000);
    await stop(checks, logouts);

    const { 200: letIn = 0, 503: shed = 0, ...others } = checks.statuses();
    expect(others).toEqual({});
    expect(letIn).toBeGreaterThan(200 * 4 * 0.6);
    expect(shed).toBeGreaterThan(200 * 4);
    expect(Object.keys(logouts.statuses())).toEqual(['200']);
    expect(mostConnectionsInASecond()).toBeLessThanOrEqual(POOL_SIZE + 5);
  }, 60_000);

  it('S4: a flood of random session tokens gets its 401s, valid sessions go on, and the logouts get their 200', async () => {
    await start();
    const tokens = await signIn(400);
    const offerLogouts = await prepareLogouts();
    line.bytesPerSecond = await bytesToCheck(tokens);
    line.delayMs = 10;
    const checks = offerChecks(tokens, 200);
    const logouts = offerLogouts();
    const flood = offer(700, () => check(randomBytes(32).toString('hex')));
    await delay(3_000);
    await stop(flood, checks, logouts);

    const { 401: unknown = 0, 503: shed = 0, ...others } = flood.statuses();
    expect(others).toEqual({});
    expect(unknown).toBeGreaterThan(shed);
    expect(checks.share(200)).toBeGreaterThan(0.99);
    expect(Object.keys(logouts.statuses())).toEqual(['200']);
    expect(mostConnectionsInASecond()).toBeLessThanOrEqual(POOL_SIZE + 5);
  }, 60_000);

  it('S5: after a silence that makes memory stale, memory serves again, and needs no second warm-up', async () => {
    await start({ liveness: { maxStalenessMs: 1_000 } });
    const tokens = await signIn(600);
    const offerLogouts = await prepareLogouts();
    line.bytesPerSecond = await bytesToCheck(tokens);
    line.delayMs = 10;
    // half as many again as the line could carry without memory
    const checks = offerChecks(tokens, 900);
    const logouts = offerLogouts();
    const follower = host.app.get(LogoutFollower, { strict: false });
    await delay(1_000);
    proxy.silence();
    await until('memory is stale', () => !follower.answersNow);
    await delay(500);
    proxy.mend();
    const back = performance.now();
    await delay(3_500);
    const { generation } = follower;
    const bytes = line.bytes;
    await delay(1_000);
    await stop(checks);

    expect(checks.share(200, back + 3_500)).toBe(1);
    expect(follower.generation).toBe(generation);
    // looks and logouts, but no checks
    expect(line.bytes - bytes).toBeLessThan(line.bytesPerSecond / 2);
    await stop(logouts);
    expect(Object.keys(logouts.statuses(back))).toEqual(['200']);
  }, 60_000);

  it('S8: 100 parallel replays of one logout token hold up no check, and no other logout', async () => {
    await start();
    const [token = ''] = await signIn(1);
    const offerLogouts = await prepareLogouts();
    line.delayMs = 10;
    const inbox = host.app.get(LogoutInbox, { strict: false });
    const { issuer } = host.oneId;
    const { seconds: iat } = host.clock;
    const replayed = { issuer, clientId, jti: 'replayed', sid: 'replayed', iat, scope: 'session' } as const;
    const replay = async () => {
      const statuses: number[] = [];
      for (const end = performance.now() + 2_000; performance.now() < end;) {
        statuses.push(await statusOf(() => inbox.record(replayed).then(() => 200)));
      }
      return statuses;
    };
    /** One check after another. @returns how many there were in a second */
    const checkInTurn = async () => {
      const end = performance.now() + 1_000;
      let count = 0;
      for (; performance.now() < end; count++) expect(await check(token)).toBe(200);
      return count;
    };
    const alone = await checkInTurn();
    const replays = Array.from({ length: 100 }, replay);
    const logouts = offerLogouts();
    await delay(500);
    const amongReplays = await checkInTurn();
    const statuses = new Set((await Promise.all(replays)).flat());
    await stop(logouts);

    expect(amongReplays).toBeGreaterThan(alone / 2);
    expect([...statuses]).toEqual([200]);
    expect(Object.keys(logouts.statuses())).toEqual(['200']);
    expect(Math.max(...logouts.answers.map(({ took }) => took))).toBeLessThan(1_000);
  });
});
