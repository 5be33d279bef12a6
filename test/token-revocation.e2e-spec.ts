import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type INestApplication } from '@nestjs/common';
import { exportJWK, generateKeyPair } from 'jose';
import {
  type ClientAuthenticationOptions,
  LogoutService,
  type OneIdLogoutOptions,
  type Session,
  SessionRegistry,
} from 'nestjs-oneid-logout';
import { type BrowserLogin, endpointPaths, OneIdTestProvider } from 'nestjs-oneid-logout/testing';
import { RefreshTokenRevoker } from '../libs/oneid-logout/src/tokens/refresh-token-revoker.js';
import { LogoutRecorder } from '../libs/oneid-logout/src/sessions/logout-recorder.js';
import { SessionDatabase } from '../libs/oneid-logout/src/database/session-database.js';
import { SessionPurge } from '../libs/oneid-logout/src/store/session-purge.js';
import { TokenRepository } from '../libs/oneid-logout/src/store/token.repository.js';
import { TokenVault } from '../libs/oneid-logout/src/tokens/token-vault.js';
import { databases, type TestDatabase } from './support/databases.js';
import { clientId, clientSecret, secrets } from './support/host.js';
import { numberOf } from './support/session-store.js';
import { startReplica } from './support/replica.js';
import { TestClock } from './support/test-clock.js';
import { suiteKey } from './support/suite-key.js';

const MINUTE = 60_000;

describe.each(databases)('BC-15: refresh tokens of ended sessions, on $name', (database) => {
  let clock: TestClock;
  let testDatabase: TestDatabase;
  let oneId: OneIdTestProvider;
  let apps: INestApplication[];
  beforeEach(async () => {
    clock = new TestClock();
    testDatabase = await database.take();
    oneId = await OneIdTestProvider.start({
      clients: [{ clientId, clientSecret }],
      signingKey: await suiteKey(),
      now: () => clock.now(),
    });
    apps = [];
  });
  afterEach(async () => {
    for (const app of apps) await app.close();
    await oneId.close();
    await testDatabase.drop();
  });

  async function start(
    options: Partial<OneIdLogoutOptions> = {},
    client: Partial<OneIdLogoutOptions['clients'][number]> = {},
  ): Promise<INestApplication> {
    const postLogoutRedirectUri = 'https://app.example/logout/callback';
    const app = await startReplica(
      {
        clients: [
          { issuer: oneId.issuer, clientId, clientAuthentication: { clientSecret }, postLogoutRedirectUri, ...client },
        ],
        database: testDatabase.options,
        secrets,
        ...options,
      },
      clock,
    );
    apps.push(app);
    return app;
  }

  async function stop(app: INestApplication): Promise<void> {
    await app.close();
    apps.splice(apps.indexOf(app), 1);
  }

  async function restart(app: INestApplication, ...settings: Parameters<typeof start>): Promise<INestApplication> {
    await stop(app);
    return start(...settings);
  }

  const recorder = (app: INestApplication) => app.get(LogoutRecorder, { strict: false });
  const revoke = (app: INestApplication) => app.get(RefreshTokenRevoker, { strict: false }).wake();

  async function signIn(app: INestApplication, login: BrowserLogin = oneId.signIn(), replaces?: string) {
    const refreshToken = oneId.refreshToken({ clientId, login });
    const idToken = await oneId.idToken({ clientId, login });
    const session = await app.get(SessionRegistry).register({ idToken, refreshToken, replaces });
    return { app, login, session, refreshToken };
  }

  type SignedIn = Awaited<ReturnType<typeof signIn>>;

  const backchannel = ({ app, login }: SignedIn) =>
    recorder(app).recordBackchannel({
      ...{ issuer: oneId.issuer, clientId, jti: login.sid, iat: clock.seconds, sid: login.sid, scope: 'session' },
    });

  const stored = async (app: INestApplication) => {
    const run = (sql: string) => app.get(SessionDatabase, { strict: false }).run(sql);
    const tokens = (await run('SELECT * FROM oneid_session_tokens')).rows;
    const due = (await run('SELECT * FROM oneid_logout WHERE revocation_due_at IS NOT NULL')).rows;
    return { tokens, due };
  };

  const revoked = () => oneId.revoked.map(({ token }) => token);

  const ways: [string, (signedIn: SignedIn) => Promise<unknown>][] = [
    ['OneID over the back-channel', backchannel],
    ['the user at this app', ({ app, session }) => app.get(LogoutService).start({ session })],
    ['an administrator', ({ app, session }) => app.get(SessionRegistry).end(session.id)],
    [
      'an administrator, for all sessions of the user',
      ({ app, session }) => app.get(SessionRegistry).endAll({ sub: session.sub }),
    ],
    ['a sign-in that replaces it', ({ app, session }) => signIn(app, oneId.signIn(), session.sessionToken)],
  ];

  it.each(ways)('BC-15: a session ended by %s: its refresh token is revoked once, then erased', async (_who, end) => {
    const app = await start();
    const signedIn = await signIn(app);
    const other = await signIn(app);
    await end(signedIn);
    await revoke(app);
    await revoke(app);
    expect(oneId.revoked).toEqual([
      {
        token: signedIn.refreshToken,
        tokenTypeHint: 'refresh_token',
        clientId,
        effective: true,
        at: expect.any(Number),
      },
    ]);
    const { tokens, due } = await stored(app);
    expect(tokens.map((row) => row['session_id'])).not.toContain(signedIn.session.id);
    expect(tokens.map((row) => row['session_id'])).toContain(other.session.id);
    expect(due).toEqual([]);
  });

  it('FC-4: a session ended by the front-channel: its refresh token is never revoked', async () => {
    const app = await start();
    const signedIn = await signIn(app);
    expect(await recorder(app).recordFrontchannel(oneId.issuer, signedIn.login.sid)).toBe(true);
    await revoke(app);
    clock.advance(10 * MINUTE);
    await revoke(app);
    expect(oneId.count(endpointPaths.revocation)).toBe(0);
    expect(await app.get(SessionRegistry).countPendingRevocations()).toBe(0);

    // OneID's signed logout token comes later
    await backchannel(signedIn);
    await revoke(app);
    expect(revoked()).toEqual([signedIn.refreshToken]);
    expect(await app.get(SessionRegistry).countPendingRevocations()).toBe(0);
  });

  it('FC-4: a session ended only by the front-channel: its tokens are erased after an hour and not revoked', async () => {
    const app = await start();
    const [ended, other] = [await signIn(app), await signIn(app)];
    await recorder(app).recordFrontchannel(oneId.issuer, ended.login.sid);
    clock.advance(59 * MINUTE);
    await revoke(app);
    expect((await stored(app)).tokens).toHaveLength(2);
    clock.advance(2 * MINUTE);
    await revoke(app);
    const { tokens, due } = await stored(app);
    expect(tokens.map((row) => row['session_id'])).toEqual([other.session.id]);
    expect(due).toEqual([]);
    expect(oneId.count(endpointPaths.revocation)).toBe(0);
  });

  it('FC-4: the front-channel erases no token that OneID must still revoke', async () => {
    const app = await start();
    const signedIn = await signIn(app);
    await recorder(app).recordFrontchannel(oneId.issuer, signedIn.login.sid);
    oneId.fail(endpointPaths.revocation, { status: 503 });
    clock.advance(50 * MINUTE);
    await backchannel(signedIn);
    await revoke(app);
    clock.advance(11 * MINUTE);
    await revoke(app);
    expect(oneId.count(endpointPaths.revocation)).toBe(2);
    expect((await stored(app)).tokens).toHaveLength(1);
    oneId.heal();
    clock.advance(60 * MINUTE);
    await revoke(app);
    expect(revoked()).toEqual([signedIn.refreshToken]);
    expect(await stored(app)).toEqual({ tokens: [], due: [] });
  });

  it('FC-4: a back-channel logout during the erasing for the front-channel: the token is revoked', async () => {
    const app = await start();
    const signedIn = await signIn(app);
    await recorder(app).recordFrontchannel(oneId.issuer, signedIn.login.sid);
    const repository = app.get(TokenRepository, { strict: false });
    const find = repository.findEndedBy.bind(repository);
    repository.findEndedBy = async (...args) => {
      const found = await find(...args);
      repository.findEndedBy = find;
      await backchannel(signedIn);
      return found;
    };
    clock.advance(61 * MINUTE);
    await revoke(app);
    await revoke(app);
    expect(revoked()).toEqual([signedIn.refreshToken]);
    expect(await stored(app)).toEqual({ tokens: [], due: [] });
  });

  it('FC-4: OneID is down: tokens of sessions that only the front-channel has ended are still erased', async () => {
    const app = await start();
    const [first, second] = [await signIn(app), await signIn(app)];
    oneId.fail(endpointPaths.revocation, { status: 503 });
    await backchannel(first);
    await recorder(app).recordFrontchannel(oneId.issuer, second.login.sid);
    clock.advance(61 * MINUTE);
    await revoke(app);
    expect((await stored(app)).tokens.map((row) => row['session_id'])).toEqual([first.session.id]);
  });

  it('FC-4: a refresh during a front-channel logout leaves no token in the database', async () => {
    const app = await start();
    const signedIn = await signIn(app);
    await recorder(app).recordFrontchannel(oneId.issuer, signedIn.login.sid);
    clock.advance(61 * MINUTE);
    await revoke(app);
    const refreshing = app.get(SessionRegistry).refresh(signedIn.session.id, { refreshToken: 'rotated' });
    await expect(refreshing).rejects.toMatchObject({ code: 'session_ended' });
    expect((await stored(app)).tokens).toHaveLength(1);
    clock.advance(61 * MINUTE);
    await revoke(app);
    expect(await stored(app)).toEqual({ tokens: [], due: [] });
    expect(oneId.count(endpointPaths.revocation)).toBe(0);
  });

  it('BC-15: OneID is down: the token is kept and tried again after a minute, also after a restart of the app', async () => {
    let app = await start();
    const signedIn = await signIn(app);
    oneId.fail(endpointPaths.revocation, { status: 503 });
    await backchannel(signedIn);
    await revoke(app);
    expect(oneId.count(endpointPaths.revocation)).toBe(1);
    await revoke(app);
    expect(oneId.count(endpointPaths.revocation)).toBe(1);
    expect((await stored(app)).tokens).toHaveLength(1);

    app = await restart(app);
    clock.advance(MINUTE + 1_000);
    await revoke(app);
    expect(oneId.count(endpointPaths.revocation)).toBe(2);
    oneId.heal();
    clock.advance(2 * MINUTE);
    await revoke(app);
    expect(revoked()).toEqual([signedIn.refreshToken]);
    expect(await stored(app)).toEqual({ tokens: [], due: [] });
  });

  it('BC-15: OneID is down for a long time: the pauses grow to six hours, until every token has expired', async () => {
    const app = await start();
    const signedIn = await signIn(app);
    oneId.fail(endpointPaths.revocation, { status: 503 });
    await backchannel(signedIn);
    const tries: number[] = [];
    let minutes = 0;
    let asked = 0;
    for (const step of [
      ...Array<number>(130).fill(1),
      ...Array<number>(60).fill(60),
      ...Array<number>(28).fill(1440),
    ]) {
      await revoke(app);
      if (oneId.count(endpointPaths.revocation) > asked) tries.push(minutes);
      asked = oneId.count(endpointPaths.revocation);
      expect(await app.get(SessionRegistry).countPendingRevocations()).toBe(1);
      clock.advance(step * MINUTE);
      minutes += step;
    }
    // a pause as long as the time since the logout, from a minute to six hours; this test uses large steps
    const pauses = tries.slice(1).map((minute, n) => minute - (tries[n] ?? NaN));
    for (const [n, pause] of pauses.entries()) {
      const [passed, next] = [tries[n] ?? NaN, tries[n + 1] ?? NaN];
      const due = Math.min(Math.max(passed, 1), 360);
      expect(pause).toBeGreaterThanOrEqual(due);
      if (next < 3_600) expect(pause).toBeLessThanOrEqual(due + (next > 130 ? 61 : 2));
    }
    expect(tries.slice(0, 2)).toEqual([0, 1]);
    expect(Math.max(...pauses)).toBeGreaterThanOrEqual(360);
    clock.advance(10 * 24 * 60 * MINUTE);
    await revoke(app);
    expect((await stored(app)).due).toEqual([]);
    expect(await app.get(SessionRegistry).countPendingRevocations()).toBe(0);
  });

  it('BC-15: OneID revokes only a few tokens at a time: the rest is tried every minute until the end', async () => {
    const app = await start();
    const sub = 'alice';
    for (let n = 0; n < 12; n++) await signIn(app, oneId.signIn({ sub }));
    oneId.fail(endpointPaths.revocation, { status: 503 });
    await app.get(SessionRegistry).endAll({ sub });
    await revoke(app);
    clock.advance(60 * MINUTE);
    let rounds = 0;
    while ((await stored(app)).due.length > 0 && rounds < 20) {
      rounds += 1;
      const [taken, refused] = [{ times: 2 }, { status: 429 }];
      oneId.fail(endpointPaths.revocation, { delayMs: 1, ...taken }, refused);
      await revoke(app);
      clock.advance(MINUTE + 1_000);
    }
    expect(new Set(revoked()).size).toBe(12);
    expect(rounds).toBeLessThanOrEqual(8);
  });

  it('BC-15: OneID is down: the library tries one token and leaves the others for later', async () => {
    const app = await start();
    const sub = 'alice';
    for (let n = 0; n < 5; n++) await signIn(app, oneId.signIn({ sub }));
    oneId.fail(endpointPaths.revocation, { reset: true });
    await app.get(SessionRegistry).endAll({ sub });
    await revoke(app);
    // oauth4webapi or the runtime may try a cut connection again
    expect(oneId.count(endpointPaths.revocation)).toBeLessThan(5);
    expect((await stored(app)).tokens).toHaveLength(5);
    oneId.heal();
    clock.advance(MINUTE + 1_000);
    await revoke(app);
    expect(new Set(revoked()).size).toBe(5);
  });

  it('BC-15: OneID is down: each run sends one request, even for many logouts', async () => {
    const app = await start();
    oneId.fail(endpointPaths.revocation, { status: 503 });
    for (let n = 0; n < 5; n++) await backchannel(await signIn(app));
    await revoke(app);
    clock.advance(MINUTE + 1_000);
    oneId.clearRequests();
    await revoke(app);
    expect(oneId.count(endpointPaths.revocation)).toBe(1);
    oneId.heal();
    clock.advance(2 * MINUTE);
    await revoke(app);
    expect(new Set(revoked()).size).toBe(5);
  });

  it.each([
    [400, { error: 'invalid_request' }],
    [400, { error: 'unsupported_token_type' }],
    [401, { error: 'invalid_client' }],
    [403, { error: 'access_denied' }],
    [404, undefined],
  ])('BC-15: OneID refuses one token with %d %j: it is erased, and the others are revoked', async (status, refusal) => {
    const app = await start();
    const sub = 'alice';
    for (let n = 0; n < 3; n++) await signIn(app, oneId.signIn({ sub }));
    const headers = { 'Content-Type': 'application/json', 'WWW-Authenticate': 'Basic realm="x"' };
    const body = refusal === undefined ? 'no such page' : JSON.stringify(refusal);
    oneId.fail(endpointPaths.revocation, { status, body, headers, times: 1 });
    await app.get(SessionRegistry).endAll({ sub });
    await revoke(app);
    expect(oneId.count(endpointPaths.revocation)).toBe(3);
    expect(revoked()).toHaveLength(2);
    expect(await stored(app)).toEqual({ tokens: [], due: [] });
  });

  it.each([408, 425, 429, 500, 503])('BC-15: OneID answers %d: the library tries again', async (status) => {
    const app = await start();
    const signedIn = await signIn(app);
    oneId.fail(endpointPaths.revocation, { status, times: 1 });
    await backchannel(signedIn);
    await revoke(app);
    expect(revoked()).toEqual([]);
    expect((await stored(app)).tokens).toHaveLength(1);
    clock.advance(MINUTE + 1_000);
    await revoke(app);
    expect(revoked()).toEqual([signedIn.refreshToken]);
  });

  it.each(['none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt'] as const)(
    'BC-15: authenticates with the registered method: %s',
    async (tokenEndpointAuthMethod) => {
      const { publicKey, privateKey } = await generateKeyPair('PS256', { extractable: true });
      const usesKey = tokenEndpointAuthMethod === 'private_key_jwt';
      const usesSecret = tokenEndpointAuthMethod.startsWith('client_secret');
      oneId.registerClient({
        clientId: 'registered so',
        tokenEndpointAuthMethod,
        ...(usesSecret && { clientSecret: 'another secret' }),
        ...(usesKey && { assertionKey: { ...(await exportJWK(publicKey)), alg: 'PS256' } }),
      });
      const authentications: Record<string, ClientAuthenticationOptions | undefined> = {
        none: undefined,
        client_secret_basic: { clientSecret: 'another secret' },
        client_secret_post: { clientSecret: 'another secret', method: 'client_secret_post' },
        private_key_jwt: { privateKey: { ...(await exportJWK(privateKey)), alg: 'PS256', kid: 'k' } },
      };
      const clientAuthentication = authentications[tokenEndpointAuthMethod];
      const app = await start({}, { clientId: 'registered so', clientAuthentication });
      const login = oneId.signIn();
      const refreshToken = oneId.refreshToken({ clientId: 'registered so', login });
      const idToken = await oneId.idToken({ clientId: 'registered so', login });
      const session = await app.get(SessionRegistry).register({ idToken, refreshToken });
      await app.get(SessionRegistry).end(session.id);
      await revoke(app);
      expect(oneId.revoked).toMatchObject([{ token: refreshToken, clientId: 'registered so', effective: true }]);
    },
  );

  it('BC-15: two replicas send one revocation', async () => {
    const [one, two] = [await start(), await start()];
    const signedIn = await signIn(one);
    await recorder(two).endUser(oneId.issuer, signedIn.login.sub);
    await Promise.all([revoke(one), revoke(two), revoke(one), revoke(two)]);
    expect(revoked()).toEqual([signedIn.refreshToken]);
  });

  it('BC-15: a user with many sessions: all refresh tokens are revoked, in batches', async () => {
    const app = await start();
    const sub = 'alice';
    const sessions: SignedIn[] = [];
    for (let n = 0; n < 50; n++) sessions.push(await signIn(app, oneId.signIn({ sub })));
    await app.get(SessionRegistry).endAll({ sub });
    await revoke(app);
    expect(revoked().sort()).toEqual(sessions.map(({ refreshToken }) => refreshToken).sort());
    expect(await stored(app)).toEqual({ tokens: [], due: [] });
  });

  it('BC-15: more logouts than one batch: all refresh tokens are revoked', async () => {
    const app = await start();
    const sessions: SignedIn[] = [];
    for (let n = 0; n < 25; n++) sessions.push(await signIn(app));
    oneId.fail(endpointPaths.revocation, { status: 503 });
    for (const signedIn of sessions) await backchannel(signedIn);
    await revoke(app);
    oneId.heal();
    clock.advance(MINUTE + 1_000);
    await revoke(app);
    expect(new Set(revoked())).toEqual(new Set(sessions.map(({ refreshToken }) => refreshToken)));
    expect(await stored(app)).toEqual({ tokens: [], due: [] });
  });

  it('BC-15: the newest refresh token is revoked, and not the one that it replaced', async () => {
    const app = await start();
    const signedIn = await signIn(app);
    const rotated = oneId.refreshToken({ clientId, login: signedIn.login });
    await app.get(SessionRegistry).refresh(signedIn.session.id, { refreshToken: rotated });
    await backchannel(signedIn);
    await revoke(app);
    expect(revoked()).toEqual([rotated]);
  });

  it('BC-15: two refreshes at the same time: a new refresh token is not lost', async () => {
    const app = await start();
    const signedIn = await signIn(app);
    const registry = app.get(SessionRegistry);
    const rotated = oneId.refreshToken({ clientId, login: signedIn.login });
    const idToken = await oneId.idToken({ clientId, login: signedIn.login });
    const repository = app.get(TokenRepository, { strict: false });
    const save = repository.save.bind(repository);
    repository.save = async (...args) => {
      repository.save = save;
      await registry.refresh(signedIn.session.id, { refreshToken: rotated });
      return save(...args);
    };
    await registry.refresh(signedIn.session.id, { idToken });
    await backchannel(signedIn);
    await revoke(app);
    expect(revoked()).toEqual([rotated]);
  });

  it('BC-15: a slow replica and a second replica revoke each token once', async () => {
    const [slow, quick] = [await start(), await start()];
    const [first, second] = [await signIn(slow), await signIn(slow)];
    oneId.fail(endpointPaths.revocation, { status: 503 });
    await backchannel(first);
    await backchannel(second);
    await revoke(slow);
    oneId.heal();
    clock.advance(MINUTE + 1_000);
    const vault = slow.get(TokenVault, { strict: false });
    const open = vault.open.bind(vault);
    vault.open = async (...args) => {
      vault.open = open;
      // a lease counted from the start of the run would be over by now for both
      clock.advance(50_000);
      return open(...args);
    };
    await revoke(slow);
    await revoke(quick);
    expect(revoked().sort()).toEqual([first.refreshToken, second.refreshToken].sort());
  });

  it('BC-15: a replica whose lease another has taken over does not overwrite what the other has left', async () => {
    const [slow, quick] = [await start(), await start()];
    const signedIn = await signIn(slow);
    await backchannel(signedIn);
    const vault = slow.get(TokenVault, { strict: false });
    const open = vault.open.bind(vault);
    let left: unknown;
    vault.open = async (...args) => {
      vault.open = open;
      clock.advance(MINUTE + 1_000);
      oneId.fail(endpointPaths.revocation, { status: 503, times: 1 });
      await revoke(quick);
      left = (await stored(quick)).due;
      return open(...args);
    };
    await revoke(slow);
    expect(revoked()).toEqual([signedIn.refreshToken]);
    expect(left).toEqual([expect.objectContaining({ leased_until: null })]);
    expect((await stored(quick)).due).toEqual(left);
    clock.advance(2 * MINUTE);
    await revoke(quick);
    expect(revoked()).toEqual([signedIn.refreshToken]);
    expect(await stored(quick)).toEqual({ tokens: [], due: [] });
  });

  it('BC-15: a refresh token that is stored during the work on its logout is revoked in the next turn', async () => {
    const app = await start();
    const signedIn = await signIn(app);
    const rotated = oneId.refreshToken({ clientId, login: signedIn.login });
    const repository = app.get(TokenRepository, { strict: false });
    const erase = repository.erase.bind(repository);
    repository.erase = async (...args) => {
      repository.erase = erase;
      await erase(...args);
      const refreshing = app.get(SessionRegistry).refresh(signedIn.session.id, { refreshToken: rotated });
      await expect(refreshing).rejects.toMatchObject({ code: 'session_ended' });
    };
    await backchannel(signedIn);
    await revoke(app);
    expect(revoked()).toEqual([signedIn.refreshToken, rotated]);
    expect(await stored(app)).toEqual({ tokens: [], due: [] });
  });

  it('BC-15: two apps that share a database: each revokes the tokens of its own client', async () => {
    oneId.registerClient({ clientId: 'other', clientSecret });
    const [ours, theirs] = [await start(), await start({}, { clientId: 'other' })];
    const signedIn = await signIn(ours);
    await backchannel({ ...signedIn, app: theirs });
    await revoke(theirs);
    expect(revoked()).toEqual([]);
    clock.advance(MINUTE + 1_000);
    await revoke(ours);
    expect(revoked()).toEqual([signedIn.refreshToken]);
  });

  it('BC-15: the secrets are removed while revocations are pending: the library gives up when every token has expired', async () => {
    let app = await start();
    const signedIn = await signIn(app);
    oneId.fail(endpointPaths.revocation, { status: 503 });
    await backchannel(signedIn);
    await revoke(app);
    app = await restart(app, { secrets: [] });
    clock.advance(40 * 24 * 60 * MINUTE);
    await revoke(app);
    expect((await stored(app)).due).toEqual([]);
    await app.get(SessionPurge, { strict: false }).wake();
    expect((await stored(app)).tokens).toEqual([]);
  });

  it('BC-15: a refresh token that is stored after the logout is revoked, too', async () => {
    const app = await start();
    const signedIn = await signIn(app);
    await backchannel(signedIn);
    await revoke(app);
    const rotated = oneId.refreshToken({ clientId, login: signedIn.login });
    const refreshing = app.get(SessionRegistry).refresh(signedIn.session.id, { refreshToken: rotated });
    await expect(refreshing).rejects.toMatchObject({ code: 'session_ended' });
    await revoke(app);
    expect(revoked()).toEqual([signedIn.refreshToken, rotated]);
    expect(await stored(app)).toEqual({ tokens: [], due: [] });
  });

  it('BC-15: a sign-in that arrives after its logout: its refresh token is revoked', async () => {
    const app = await start();
    const login = oneId.signIn();
    await recorder(app).recordBackchannel({
      ...{ issuer: oneId.issuer, clientId, jti: 'j', iat: clock.seconds, sid: login.sid, scope: 'session' },
    });
    await revoke(app);
    await expect(signIn(app, login)).rejects.toMatchObject({ code: 'session_ended' });
    await revoke(app);
    expect(oneId.revoked).toMatchObject([{ effective: true }]);
  });

  it('BC-15: keepOfflineTokens: the token is erased and not revoked', async () => {
    const app = await start({}, { keepOfflineTokens: true });
    await backchannel(await signIn(app));
    await revoke(app);
    expect(oneId.count(endpointPaths.revocation)).toBe(0);
    expect(await stored(app)).toEqual({ tokens: [], due: [] });
  });

  it('BC-15: a replica without the secret leaves the token to a replica with the secret', async () => {
    const newer = 'quite another secret, long enough';
    const [old, rotated] = [await start(), await start({ secrets: [newer, ...secrets] })];
    const signedIn = await signIn(rotated);
    await backchannel({ ...signedIn, app: old });
    await revoke(old);
    expect(oneId.count(endpointPaths.revocation)).toBe(0);
    expect(await old.get(SessionRegistry).countPendingRevocations()).toBe(1);
    clock.advance(MINUTE + 1_000);
    await revoke(rotated);
    expect(revoked()).toEqual([signedIn.refreshToken]);
    expect(await stored(old)).toEqual({ tokens: [], due: [] });
  });

  it('BC-15: a lost secret: the token is kept until every token has expired, then given up', async () => {
    let app = await start();
    const signedIn = await signIn(app);
    app = await restart(app, { secrets: ['quite another secret, long enough'] });
    await backchannel({ ...signedIn, app });
    await revoke(app);
    expect((await stored(app)).tokens).toHaveLength(1);
    clock.advance(40 * 24 * 60 * MINUTE);
    await revoke(app);
    expect(oneId.count(endpointPaths.revocation)).toBe(0);
    expect((await stored(app)).due).toEqual([]);
  });

  it('BC-15: a provider without revocation endpoint: the token is erased', async () => {
    oneId.setMetadata({ revocation_endpoint: undefined });
    const app = await start();
    await backchannel(await signIn(app));
    await revoke(app);
    expect(await stored(app)).toEqual({ tokens: [], due: [] });
  });

  it('BC-15: a client that is no longer configured: its token is kept until every token has expired, then given up', async () => {
    let app = await start();
    const signedIn = await signIn(app);
    oneId.registerClient({ clientId: 'other', clientSecret });
    app = await restart(app, {}, { clientId: 'other' });
    await backchannel({ ...signedIn, app });
    await revoke(app);
    expect((await stored(app)).tokens).toHaveLength(1);
    clock.advance(40 * 24 * 60 * MINUTE);
    await revoke(app);
    expect((await stored(app)).due).toEqual([]);
  });

  it('BC-15: an app that stops leaves the rest of its work to another app, which starts at once', async () => {
    const app = await start();
    const sub = 'alice';
    for (let n = 0; n < 10; n++) await signIn(app, oneId.signIn({ sub }));
    let release: () => void = () => undefined;
    const vault = app.get(TokenVault, { strict: false });
    const open = vault.open.bind(vault);
    const reached = new Promise<void>((resolve) => {
      vault.open = async (...args) => {
        resolve();
        await new Promise<void>((go) => (release = go));
        return open(...args);
      };
    });
    await app.get(SessionRegistry).endAll({ sub });
    await reached;
    const beside = await SessionDatabase.open(testDatabase.options, false);
    const stopping = stop(app);
    await new Promise((resolve) => setImmediate(resolve));
    release();
    await stopping;
    const [row] = (await beside.run('SELECT * FROM oneid_logout')).rows;
    await beside.close();
    expect(row).toMatchObject({ leased_until: null });
    expect(numberOf(row, 'revocation_due_at')).toBeLessThanOrEqual(Date.now());
    const next = await start();
    expect(oneId.revoked.length).toBeGreaterThanOrEqual(1);
    await revoke(next);
    expect(new Set(revoked()).size).toBe(10);
    expect(await stored(next)).toEqual({ tokens: [], due: [] });
  });

  it("the time of the next try is on the database's clock", async () => {
    const app = await start();
    clock.databaseAhead = 60 * MINUTE;
    const signedIn: SignedIn & { session: Session } = await signIn(app);
    oneId.fail(endpointPaths.revocation, { status: 503 });
    await backchannel(signedIn);
    await revoke(app);
    const [row] = (await stored(app)).due;
    const dueIn = (numberOf(row, 'revocation_due_at') ?? NaN) - Date.now();
    expect(dueIn).toBeGreaterThan(60 * MINUTE);
    expect(dueIn).toBeLessThan(62 * MINUTE);
  });
});
