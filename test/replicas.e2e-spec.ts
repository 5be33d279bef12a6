import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type OneIdLogoutOptions } from 'nestjs-oneid-logout';
import { OneIdTestProvider } from 'nestjs-oneid-logout/testing';
import { postgres, type TestDatabase } from './support/databases.js';
import { clientId, clientSecret } from './support/host.js';
import { ReplicaProcess } from './support/replica-process.js';
import { until } from './support/until.js';

interface Request {
  readonly replica: number;
  readonly session: string;
  readonly arrived: number;
  readonly status: number;
}

interface Logout {
  readonly session: string;
  readonly acknowledged: number;
}

/** Requests that were let in although they arrived after OneID had its 200. */
function violations(requests: readonly Request[], logouts: readonly Logout[]): Request[] {
  const acknowledged = new Map(logouts.map((logout) => [logout.session, logout.acknowledged]));
  return requests.filter(
    ({ session, arrived, status }) => status === 200 && arrived > (acknowledged.get(session) ?? Infinity),
  );
}

describe('replicas that answer from memory', () => {
  let testDatabase: TestDatabase;
  let oneId: OneIdTestProvider;
  let replicas: ReplicaProcess[];
  let requests: Request[];
  let logouts: Logout[];
  beforeEach(async () => {
    testDatabase = await postgres.create();
    oneId = await OneIdTestProvider.start({ clients: [{ clientId, clientSecret }] });
    [replicas, requests, logouts] = [[], [], []];
  });
  afterEach(async () => {
    for (const replica of replicas) await replica.kill();
    await oneId.close();
    await testDatabase.drop();
  });

  const at = (n: number): ReplicaProcess => {
    const replica = replicas[n % replicas.length];
    if (replica === undefined) throw new Error('no replica');
    return replica;
  };

  async function start(...liveness: NonNullable<OneIdLogoutOptions['liveness']>[]): Promise<void> {
    const postLogoutRedirectUri = 'https://app.example/logout/callback';
    const clients = [{ issuer: oneId.issuer, clientId, clientSecret, postLogoutRedirectUri }];
    const started = liveness.map((mode) =>
      ReplicaProcess.start({ clients, database: testDatabase.options, liveness: mode }),
    );
    replicas.push(...(await Promise.all(started)));
  }

  async function signIn(n: number) {
    const login = oneId.signIn();
    const session = await at(n).signIn({ idToken: await oneId.idToken({ clientId, login }) });
    return { session, logoutToken: await oneId.logoutToken({ clientId, sid: login.sid }) };
  }

  async function ask(replica: number, session: string): Promise<number> {
    const arrived = performance.now();
    const status = await at(replica).me(session);
    requests.push({ replica, session, arrived, status });
    return status;
  }

  const askAll = (session: string) => Promise.all(replicas.map((_replica, n) => ask(n, session)));

  async function logOut(n: number, session: string, logoutToken: string): Promise<void> {
    expect(await at(n).deliver(logoutToken)).toBe(200);
    logouts.push({ session, acknowledged: performance.now() });
  }

  /** Every replica remembers a session; it is logged out at one of them; then all are asked at once, and meanwhile. */
  async function story(n: number): Promise<void> {
    const { session, logoutToken } = await signIn(n);
    expect(new Set(await askAll(session))).toEqual(new Set([200]));
    const over = new AbortController();
    const meanwhile = (async () => {
      while (!over.signal.aborted) await askAll(session);
    })();
    await logOut(n, session, logoutToken);
    await askAll(session);
    over.abort();
    await meanwhile;
  }

  const bounded = { maxStaleness: 400 };

  it('four of them: whoever is told, none lets a request in that arrives after the 200', async () => {
    await start(bounded, bounded, bounded, bounded);
    const bystander = await signIn(0);
    await Promise.all(Array.from({ length: 12 }, (_, n) => story(n)));
    expect(violations(requests, logouts)).toEqual([]);
    expect(logouts).toHaveLength(12);
    expect(await askAll(bystander.session)).toEqual([200, 200, 200, 200]);
  });

  it('the history tells when the 200 comes too early', async () => {
    const hasty = { maxStaleness: 2_000, answerAtOnce: true };
    await start(hasty, hasty);
    for (let n = 0; n < 4; n++) await story(n);
    expect(violations(requests, logouts).length).toBeGreaterThan(0);
  });

  it('one of them is laxer, and one asks the database: all wait for the laxest', async () => {
    await start('strict', { maxStaleness: 100 }, { maxStaleness: 1_500 });
    await Promise.all(Array.from({ length: 6 }, (_, n) => story(n)));
    expect(violations(requests, logouts)).toEqual([]);
  });

  it('one of them was stopped while a logout passed: it knows that it does not know', async () => {
    await start(bounded, bounded);
    const { session, logoutToken } = await signIn(0);
    await askAll(session);
    at(1).signal('SIGSTOP');
    await logOut(0, session, logoutToken);
    const asked = ask(1, session);
    at(1).signal('SIGCONT');
    expect(await asked).toBe(401);
    expect(violations(requests, logouts)).toEqual([]);
  });

  it('one of them is killed: the others go on', async () => {
    await start(bounded, bounded, bounded);
    await replicas.pop()?.kill();
    await story(0);
    expect(violations(requests, logouts)).toEqual([]);
  });

  it('another one starts amid it all', async () => {
    await start(bounded);
    const { session, logoutToken } = await signIn(0);
    await askAll(session);
    const starting = start({ maxStaleness: 3_000 });
    await logOut(0, session, logoutToken);
    await starting;
    await until('the new one is there', () => replicas.length === 2);
    expect(await askAll(session)).toEqual([401, 401]);
    await story(1);
    expect(violations(requests, logouts)).toEqual([]);
  });
});
