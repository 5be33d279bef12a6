import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type INestApplication } from '@nestjs/common';
import { SessionEndedError, SessionRegistry } from 'nestjs-oneid-logout';
import { endpointPaths, OneIdTestProvider } from 'nestjs-oneid-logout/testing';
import { SessionDatabase } from '../libs/oneid-logout/src/database/session-database.js';
import { SessionRepository } from '../libs/oneid-logout/src/store/session.repository.js';
import { RefreshTokenRevoker } from '../libs/oneid-logout/src/tokens/refresh-token-revoker.js';
import { databases, type TestDatabase } from './support/databases.js';
import { clientId, clientSecret, secrets } from './support/host.js';
import { startReplica } from './support/replica.js';
import { numberOf } from './support/session-store.js';
import { suiteKey } from './support/suite-key.js';
import { TestClock } from './support/test-clock.js';

const MINUTE = 60_000;

// test/upgrade runs both versions. These tests write what a replica of the older version writes
describe.each(databases)('rows of a version without endEveryone(), on $name', (database) => {
  let clock: TestClock;
  let testDatabase: TestDatabase;
  let oneId: OneIdTestProvider;
  const apps: INestApplication[] = [];
  beforeEach(async () => {
    clock = new TestClock();
    testDatabase = await database.take();
    oneId = await OneIdTestProvider.start({
      clients: [{ clientId, clientSecret }, { clientId: 'another app' }],
      signingKey: await suiteKey(),
      now: () => clock.now(),
    });
  });
  afterEach(async () => {
    for (const app of apps.splice(0)) await app.close();
    await oneId.close();
    await testDatabase.drop();
  });

  async function start(id = clientId): Promise<INestApplication> {
    const client = { issuer: oneId.issuer, clientId: id, postLogoutRedirectUri: 'https://app.example/logout/callback' };
    const clients = [id === clientId ? { ...client, clientAuthentication: { clientSecret } } : client];
    const app = await startReplica({ clients, database: testDatabase.options, secrets }, clock);
    apps.push(app);
    return app;
  }

  async function signIn(app: INestApplication, id = clientId) {
    const login = oneId.signIn();
    const refreshToken = oneId.refreshToken({ clientId: id, login });
    const idToken = await oneId.idToken({ clientId: id, login });
    const session = await app.get(SessionRegistry).register({ idToken, refreshToken });
    return { ...session, refreshToken };
  }

  const run = (app: INestApplication, sql: string) => app.get(SessionDatabase, { strict: false }).run(sql);
  const endedBy = async (app: INestApplication, { id }: { readonly id: string }) =>
    (await app.get(SessionRepository, { strict: false }).check(id))?.endedBy;
  const revoke = (app: INestApplication) => app.get(RefreshTokenRevoker, { strict: false }).wake();
  /** OneID is asked once more a minute later. */
  async function confirm(app: INestApplication): Promise<void> {
    clock.advance(MINUTE + 1_000);
    await revoke(app);
  }
  const statesOf = async (app: INestApplication) =>
    (await run(app, 'SELECT revocation_due_at, leased_until FROM oneid_logout')).rows.map((row) => [
      numberOf(row, 'revocation_due_at'),
      numberOf(row, 'leased_until'),
    ]);

  it('BC-15: the older version finds no tokens of a logout of everyone, and closes it: they are revoked all the same', async () => {
    const app = await start();
    const session = await signIn(app);
    await app.get(SessionRegistry).endEveryone({ issuer: oneId.issuer });
    await revoke(app);
    expect(oneId.revoked).toMatchObject([{ token: session.refreshToken }]);
    await run(app, 'UPDATE oneid_logout SET revocation_due_at = NULL, leased_until = NULL');
    expect(await app.get(SessionRegistry).countPendingRevocations()).toBe(0);
    await confirm(app);
    expect(oneId.revoked).toMatchObject([{ token: session.refreshToken }, { token: session.refreshToken }]);
    expect((await run(app, 'SELECT session_id FROM oneid_session_tokens')).rows).toEqual([]);
    expect(await statesOf(app)).toEqual([[null, -1]]);
    await confirm(app);
    expect(await statesOf(app)).toEqual([[null, -1]]);
  });

  it('BC-15: a logout of everyone that this version has closed counts as pending again when a token is stored', async () => {
    const app = await start();
    const session = await signIn(app);
    await app.get(SessionRegistry).endEveryone({ issuer: oneId.issuer });
    await revoke(app);
    await confirm(app);
    expect(await statesOf(app)).toEqual([[null, -1]]);
    oneId.fail(endpointPaths.revocation, { status: 503, times: 99 });
    const refreshToken = oneId.refreshToken({ clientId, login: oneId.signIn() });
    await expect(app.get(SessionRegistry).refresh(session.id, { refreshToken })).rejects.toThrow(SessionEndedError);
    await revoke(app);
    expect(await app.get(SessionRegistry).countPendingRevocations()).toBe(1);
    oneId.heal();
    clock.advance(10 * MINUTE);
    await revoke(app);
    await confirm(app);
    expect(oneId.revoked.map(({ token }) => token)).toEqual([
      session.refreshToken,
      session.refreshToken,
      refreshToken,
      refreshToken,
    ]);
    expect(await statesOf(app)).toEqual([[null, -1]]);
  });

  it('a client whose sessions only the older version has registered: this version ends them from its boot on', async () => {
    const app = await start();
    const other = await start('another app');
    const session = await signIn(other, 'another app');
    await other.close();
    apps.pop();
    // the older version does not write this row, and the other app has not been upgraded when this one ends everyone
    await run(app, "DELETE FROM oneid_client_target WHERE client_id = 'another app'");
    await app.get(SessionRegistry).endEveryone({ issuer: oneId.issuer });
    const upgraded = await start('another app');
    expect(await endedBy(upgraded, session)).toBe('admin');
  });
});
