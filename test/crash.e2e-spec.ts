import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type INestApplication } from '@nestjs/common';
import { SessionRegistry, type OneIdLogoutOptions } from 'nestjs-oneid-logout';
import { SessionJudge } from '../libs/oneid-logout/src/guard/session-judge.js';
import { type BrowserLogin, endpointPaths, OneIdTestProvider } from 'nestjs-oneid-logout/testing';
import { RefreshTokenRevoker } from '../libs/oneid-logout/src/tokens/refresh-token-revoker.js';
import { databases, type TestDatabase } from './support/databases.js';
import { clientId, clientSecret, secrets } from './support/host.js';
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
