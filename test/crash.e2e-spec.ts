import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type INestApplication } from '@nestjs/common';
import { SessionRegistry, type OneIdLogoutOptions } from 'nestjs-oneid-logout';
import { SessionJudge } from '../libs/oneid-logout/src/guard/session-judge.js';
import { type BrowserLogin, endpointPaths, OneIdTestProvider } from 'nestjs-oneid-logout/testing';
import { RefreshTokenRevoker } from '../libs/oneid-logout/src/tokens/refresh-token-revoker.js';
import { type ReferenceUser } from '../src/demo/reference-user.js';
import { BlackBoxApp } from './support/black-box-app.js';
import { databases, type TestDatabase } from './support/databases.js';
import { clientId, clientSecret, secrets } from './support/host.js';
import { TestPostgres } from './support/postgres.mjs';
import { ReplicaProcess } from './support/replica-process.js';
import { startReplica } from './support/replica.js';
import { TestClock } from './support/test-clock.js';
import { until } from './support/until.js';
import { suiteKey } from './support/suite-key.js';
import { findAlive } from './support/find-alive.js';

const MINUTE = 60_000;

describe.each(databases)('BC-15: a replica killed between a logout and its revocation, on $name', (database) => {
  let testDatabase: TestDatabase;
  let oneId: OneIdTestProvider;
  let options: OneIdLogoutOptions;
  let killed: ReplicaProcess;
  let survivor: INestApplication | undefined;
  const clock = new TestClock();
  beforeEach(async () => {
    testDatabase = await database.create();
    oneId = await OneIdTestProvider.start({ clients: [{ clientId, clientSecret }], signingKey: await suiteKey() });
    const postLogoutRedirectUri = 'https://app.example/logout/callback';
    options = {
      clients: [{ issuer: oneId.issuer, clientId, clientAuthentication: { clientSecret }, postLogoutRedirectUri }],
      database: testDatabase.options,
      secrets,
    };
    killed = await ReplicaProcess.start(options);
    survivor = undefined;
    clock.ahead = clock.databaseAhead = 0;
  });
  afterEach(async () => {
    await killed.kill();
    await survivor?.close();
    await oneId.close();
    await testDatabase.drop();
  });

  async function signIn(login: BrowserLogin) {
    const refreshToken = oneId.refreshToken({ clientId, login });
    const idToken = await oneId.idToken({ clientId, login });
    return { refreshToken, sessionToken: await killed.signIn({ idToken, refreshToken }) };
  }

  const logOut = async ({ sid }: BrowserLogin) => killed.deliver(await oneId.logoutToken({ clientId, sid }));

  it('during its request to OneID: another replica revokes the token, when the lease has ended', async () => {
    const login = oneId.signIn();
    const { refreshToken } = await signIn(login);
    oneId.fail(endpointPaths.revocation, { hang: true });

    expect(await logOut(login)).toBe(200);
    await until('a revocation is on its way', () => oneId.count(endpointPaths.revocation) === 1);
    await killed.kill();
    oneId.heal();
    expect(oneId.revoked).toEqual([]);

    survivor = await startReplica(options, clock);
    const revoker = survivor.get(RefreshTokenRevoker, { strict: false });
    expect(await survivor.get(SessionRegistry).countPendingRevocations()).toBe(1);
    // the other replica may still be working
    await revoker.wake();
    expect(oneId.revoked).toEqual([]);
    clock.advance(MINUTE + 1_000);
    await Promise.all([revoker.wake(), revoker.wake()]);
    clock.advance(60 * MINUTE);
    await revoker.wake();
    expect(oneId.revoked).toMatchObject([
      { token: refreshToken, effective: true },
      { token: refreshToken, effective: false },
    ]);
    expect(await survivor.get(SessionRegistry).countPendingRevocations()).toBe(0);
  });

  it('right after its answer: another replica finds the pending revocation', async () => {
    const login = oneId.signIn();
    const { refreshToken, sessionToken } = await signIn(login);
    expect(await killed.me(sessionToken)).toBe(200);
    oneId.fail(endpointPaths.revocation, { hang: true });
    expect(await logOut(login)).toBe(200);
    await killed.kill();
    oneId.heal();

    survivor = await startReplica(options, clock);
    clock.advance(MINUTE + 1_000);
    await survivor.get(RefreshTokenRevoker, { strict: false }).wake();
    expect(oneId.revoked).toMatchObject([{ token: refreshToken, effective: true }]);
    expect(await findAlive(survivor.get(SessionJudge, { strict: false }), { sessionToken })).toBeUndefined();
  });
});

describe('a logout that OneID gives up in an outage longer than reconfirmAfterOutageSeconds', () => {
  /** The lowest value of the option, seconds. */
  const OPTION = 5;
  /** The real length of the outages, milliseconds. */
  const OUTAGE = OPTION * 1000 + 250;

  /** The reference app, a user who logs out at OneID in the outage, and one who does not. */
  interface World {
    readonly app: BlackBoxApp;
    readonly leaver: ReferenceUser;
    readonly stayer: ReferenceUser;
  }

  let folder: string;
  let postgres: TestPostgres;
  let apps: BlackBoxApp[];
  let killed: World;
  let withoutDatabase: World;
  beforeAll(async () => {
    apps = [];
    [folder, postgres] = await Promise.all([mkdtemp(join(tmpdir(), 'oneid-crash-')), TestPostgres.start()]);
    // their outages take real time, so they have them at the same time
    [killed, withoutDatabase] = await Promise.all([start(`sqlite:${join(folder, 'app.sqlite')}`), start(postgres.url)]);
    await Promise.all([killed.app.kill(), postgres.kill('SIGKILL')]);
    const outage = delay(OUTAGE);
    await expect(killed.app.provider.logOut()).rejects.toThrow('fetch failed');
    expect(await withoutDatabase.app.provider.logOut()).toBe(503);
    for (const user of [withoutDatabase.leaver, withoutDatabase.stayer]) expect(await user.meInShort()).toBe('503');
    await outage;
    await Promise.all([killed.app.restart(), postgres.restart()]);
  });
  afterAll(async () => {
    await Promise.all(apps.map((app) => app.stop()));
    await postgres.stop();
    await rm(folder, { recursive: true });
  });

  async function start(url: string): Promise<World> {
    const app = await BlackBoxApp.start({ DATABASE_URL: url, RECONFIRM_AFTER_OUTAGE_SECONDS: String(OPTION) });
    apps.push(app);
    const [stayer, leaver] = [await app.signIn(), await app.signIn()];
    for (const user of [stayer, leaver]) expect(await user.meInShort()).toBe('200');
    return { app, leaver, stayer };
  }

  /** The user's first answer that is not 503. */
  async function firstAnswer(user: ReferenceUser): Promise<string> {
    let answer = '503';
    await until('the app answers', async () => {
      answer = await user.meInShort();
      return !answer.startsWith('503');
    });
    return answer;
  }

  async function expectNewSignIn(user: ReferenceUser): Promise<void> {
    await user.signIn();
    expect(await user.meInShort()).toBe('200');
  }

  it('the app was killed: after its start, each cookie gets 401 unconfirmed, and a new sign-in works', async () => {
    const { leaver, stayer } = killed;
    expect([await leaver.meInShort(), await stayer.meInShort()]).toEqual(['401 unconfirmed', '401 unconfirmed']);
    for (const user of [leaver, stayer]) await expectNewSignIn(user);
  });

  it('the database was gone: no cookie gets 200, the other user gets 401 unconfirmed, and a new sign-in works', async () => {
    const { leaver, stayer } = withoutDatabase;
    // the replica answered 503 and kept the logout: it ends its session as a logout, and `unconfirmed` ends the others
    expect(await Promise.all([stayer, leaver].map(firstAnswer))).toEqual(['401 unconfirmed', '401 logged_out']);
    for (const user of [leaver, stayer]) await expectNewSignIn(user);
  });
});
