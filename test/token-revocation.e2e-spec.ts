import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { type INestApplication, Logger } from '@nestjs/common';
import { decodeJwt, decodeProtectedHeader, exportJWK, generateKeyPair } from 'jose';
import {
  type ClientAuthenticationOptions,
  LogoutService,
  type OneIdLogoutOptions,
  type Session,
  SessionRegistry,
} from 'nestjs-oneid-logout';
import { type BrowserLogin, endpointPaths, OneIdTestProvider } from 'nestjs-oneid-logout/testing';
import { RefreshTokenRevoker } from '../libs/oneid-logout/src/tokens/refresh-token-revoker.js';
import { IDLE_GRACE, IdleEnds } from '../libs/oneid-logout/src/sessions/idle-ends.js';
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
  /** Revokes, and confirms a minute later. */
  const revokeAll = async (app: INestApplication) => {
    await revoke(app);
    clock.advance(MINUTE + 1_000);
    await revoke(app);
  };

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

  /**
   * Stores a newer refresh token of an ended session while the library notes that the old one is revoked.
   *
   * @param order calls both functions: `rotate` stores the newer token, `note` goes on with the note
   * @returns the newer token
   */
  function rotateAtNextNote(
    { app, session, login }: SignedIn,
    order: (rotate: () => Promise<void>, note: () => Promise<void>) => Promise<void>,
  ): string {
    const rotated = oneId.refreshToken({ clientId, login });
    const rotate = async () => {
      const refreshing = app.get(SessionRegistry).refresh(session.id, { refreshToken: rotated });
      await expect(refreshing).rejects.toMatchObject({ code: 'session_ended' });
    };
    const repository = app.get(TokenRepository, { strict: false });
    const noteRevoked = repository.noteRevoked.bind(repository);
    repository.noteRevoked = (...args) => {
      repository.noteRevoked = noteRevoked;
      return order(rotate, () => noteRevoked(...args));
    };
    return rotated;
  }

  const stored = async (app: INestApplication) => {
    const run = (sql: string) => app.get(SessionDatabase, { strict: false }).run(sql);
    const tokens = (await run('SELECT * FROM oneid_session_tokens')).rows;
    const due = (await run('SELECT * FROM oneid_logout WHERE revocation_due_at IS NOT NULL')).rows;
    return { tokens, due };
  };

  const revoked = () => oneId.revoked.filter(({ effective }) => effective).map(({ token }) => token);
  const asked = () => oneId.count(endpointPaths.revocation);

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

  it.each(ways)(
    'BC-15: a session ended by %s: its refresh token is revoked, a minute later again, then erased',
    async (_who, end) => {
      const app = await start();
      const signedIn = await signIn(app);
      const other = await signIn(app);
      await end(signedIn);
      await revoke(app);
      await revoke(app);
      const revocation = { token: signedIn.refreshToken, tokenTypeHint: 'refresh_token', clientId };
      const once = [{ ...revocation, effective: true, at: expect.any(Number) }];
      expect(oneId.revoked).toEqual(once);
      clock.advance(MINUTE + 1_000);
      await revoke(app);
      await revoke(app);
      expect(oneId.revoked).toEqual([...once, { ...revocation, effective: false, at: expect.any(Number) }]);
      const { tokens, due } = await stored(app);
      expect(tokens.map((row) => row['session_id'])).not.toContain(signedIn.session.id);
      expect(tokens.map((row) => row['session_id'])).toContain(other.session.id);
      expect(due).toEqual([]);
    },
  );

  it.each<[string, (seconds: number) => { claims?: object; expiresAt?: Date }]>([
    ['session_expiry', (seconds) => ({ claims: { session_expiry: seconds - 1 } })],
    ['expiresAt', (seconds) => ({ expiresAt: new Date(seconds * 1000 - 1) })],
  ])('BC-15: a sign-in whose %s is past: refused, and its refresh token is revoked', async (_what, past) => {
    const app = await start();
    const login = oneId.signIn();
    const refreshToken = oneId.refreshToken({ clientId, login });
    const { claims = {}, expiresAt } = past(clock.seconds);
    const idToken = await oneId.idToken({ clientId, login, claims: { ...claims } });
    const register = app.get(SessionRegistry).register({ idToken, refreshToken, expiresAt });
    await expect(register).rejects.toMatchObject({ code: 'session_expired' });
    await revokeAll(app);
    expect(revoked()).toEqual([refreshToken]);
    expect(await stored(app)).toEqual({ tokens: [], due: [] });
    expect(await app.get(SessionRegistry).listAlive({ issuer: oneId.issuer, sub: login.sub })).toEqual([]);
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
    await revokeAll(app);
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
    await revokeAll(app);
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
    await revokeAll(app);
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
    await revokeAll(app);
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
    // one second more than the pause: the library knows the database's clock only to some milliseconds
    const SECOND = 1 / 60;
    for (const step of [
      ...Array<number>(130).fill(1),
      ...Array<number>(60).fill(60),
      ...Array<number>(28).fill(1440),
    ]) {
      await revoke(app);
      if (oneId.count(endpointPaths.revocation) > asked) tries.push(minutes);
      asked = oneId.count(endpointPaths.revocation);
      expect(await app.get(SessionRegistry).countPendingRevocations()).toBe(1);
      clock.advance((step + SECOND) * MINUTE);
      minutes += step + SECOND;
    }
    // a pause as long as the time since the logout, from a minute to six hours; this test uses large steps
    const pauses = tries.slice(1).map((minute, n) => minute - (tries[n] ?? NaN));
    for (const [n, pause] of pauses.entries()) {
      const [passed, next] = [tries[n] ?? NaN, tries[n + 1] ?? NaN];
      const due = Math.min(Math.max(passed, 1), 360);
      expect(pause).toBeGreaterThanOrEqual(due - SECOND);
      if (next < 3_600) expect(pause).toBeLessThanOrEqual(due + (next > 132 ? 62 : 2.1));
    }
    expect(tries.slice(0, 2)).toEqual([0, 1 + SECOND]);
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
    expect(rounds).toBeLessThanOrEqual(14);
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

  const refusals: [number, string | undefined][] = [
    ...[401, 403, 404, 405, 413].map((status): [number, undefined] => [status, undefined]),
    ...['invalid_client', 'unauthorized_client', 'invalid_request', 'access_denied', 'invalid token'].map(
      (error): [number, string] => [400, error],
    ),
    ...[
      [401, 'invalid_client'],
      [401, 'invalid_token'],
      [403, 'access_denied'],
      [404, 'unsupported_token_type'],
    ].map(([status, error]): [number, string] => [Number(status), String(error)]),
  ];
  const answerWith = (status: number, error: string | undefined) => ({
    status,
    headers: { 'Content-Type': 'application/json', 'WWW-Authenticate': 'Basic realm="x"' },
    body: error === undefined ? 'no such page' : JSON.stringify({ error }),
  });

  it.each(refusals)('P24: the answer %d %s does not judge the token: it is kept, and told', async (status, error) => {
    const logged = jest.spyOn(Logger.prototype, 'error').mockReturnValue();
    const app = await start();
    const signedIn = await signIn(app);
    oneId.fail(endpointPaths.revocation, { ...answerWith(status, error), times: 1 });
    await backchannel(signedIn);
    await revoke(app);
    expect([asked(), revoked(), (await stored(app)).tokens.length]).toEqual([1, [], 1]);
    expect(await app.get(SessionRegistry).countPendingRevocations()).toBe(1);
    const code = error === undefined || error.includes(' ') ? '' : ` ${error}`;
    expect(logged.mock.calls).toEqual([
      [
        `${oneId.issuer} did not accept a revocation request of the client ${clientId}, the library keeps the refresh ` +
          `token and will try again: ${status}${code}. Check clientAuthentication and the revocation_endpoint`,
      ],
    ]);
    await revoke(app);
    expect(asked()).toBe(1);
    clock.advance(MINUTE + 1_000);
    await revokeAll(app);
    expect(revoked()).toEqual([signedIn.refreshToken]);
    expect(await stored(app)).toEqual({ tokens: [], due: [] });
    logged.mockRestore();
  });

  it.each(['unsupported_token_type', 'invalid_grant', 'invalid_token'])(
    'P24: the answer 400 %s judges the token: it is erased, and the others are revoked',
    async (error) => {
      const logged = jest.spyOn(Logger.prototype, 'error').mockReturnValue();
      const app = await start();
      const sub = 'alice';
      for (let n = 0; n < 3; n++) await signIn(app, oneId.signIn({ sub }));
      oneId.fail(endpointPaths.revocation, { ...answerWith(400, error), times: 1 });
      await app.get(SessionRegistry).endAll({ sub });
      await revoke(app);
      expect([asked(), revoked().length, (await stored(app)).tokens.length]).toEqual([3, 2, 2]);
      expect(logged.mock.calls).toEqual([
        [`${oneId.issuer} refused to revoke a refresh token, and the library has erased it: 400 ${error}`],
      ]);
      clock.advance(MINUTE + 1_000);
      await revoke(app);
      expect([asked(), await stored(app)]).toEqual([5, { tokens: [], due: [] }]);
      logged.mockRestore();
    },
  );

  it('P24: one token gets 403: it is kept, and the others are revoked in the same run', async () => {
    const app = await start();
    const sub = 'alice';
    for (let n = 0; n < 4; n++) await signIn(app, oneId.signIn({ sub }));
    oneId.fail(endpointPaths.revocation, { ...answerWith(403, undefined), times: 1 });
    await app.get(SessionRegistry).endAll({ sub });
    await revoke(app);
    expect([asked(), revoked().length, (await stored(app)).tokens.length]).toEqual([4, 3, 4]);
    clock.advance(MINUTE + 1_000);
    await revokeAll(app);
    expect(revoked()).toHaveLength(4);
    expect(await stored(app)).toEqual({ tokens: [], due: [] });
  });

  it.each([
    [401, 1],
    [404, 3],
  ])('P24: every answer is %d: a run sends %d requests, and the other client is asked', async (status, requests) => {
    oneId.registerClient({ clientId: 'other', clientSecret });
    const app = await start({
      clients: [clientId, 'other'].map((id) => ({
        ...{ issuer: oneId.issuer, clientId: id, clientAuthentication: { clientSecret } },
        postLogoutRedirectUri: 'https://app.example/logout/callback',
      })),
    });
    const sub = 'alice';
    for (let n = 0; n < 5; n++) await signIn(app, oneId.signIn({ sub }));
    const login = oneId.signIn({ sub });
    const refreshToken = oneId.refreshToken({ clientId: 'other', login });
    await app
      .get(SessionRegistry)
      .register({ idToken: await oneId.idToken({ clientId: 'other', login }), refreshToken });
    oneId.registerClient({ clientId, clientSecret: 'changed' });
    if (status === 404) oneId.fail(endpointPaths.revocation, answerWith(404, undefined));
    await app.get(SessionRegistry).endAll({ sub });
    await revoke(app);
    if (status === 401) {
      expect([asked(), revoked()]).toEqual([1 + requests, [refreshToken]]);
    } else {
      expect(asked()).toBeGreaterThanOrEqual(requests);
      expect(asked()).toBeLessThanOrEqual(requests + 1);
    }
    expect((await stored(app)).tokens).toHaveLength(6);
    oneId.heal();
    oneId.registerClient({ clientId, clientSecret });
    clock.advance(11 * MINUTE);
    await revokeAll(app);
    expect(revoked()).toHaveLength(6);
    expect(await stored(app)).toEqual({ tokens: [], due: [] });
  });

  it('P24: a 200 that has revoked nothing: asked once more a minute later, also after a restart of the app', async () => {
    let app = await start();
    const signedIn = await signIn(app);
    oneId.fail(endpointPaths.revocation, { status: 200, body: '', times: 1 });
    await backchannel(signedIn);
    await revoke(app);
    expect([asked(), revoked(), (await stored(app)).tokens.length]).toEqual([1, [], 1]);

    app = await restart(app);
    clock.advance(MINUTE - 5_000);
    await revoke(app);
    expect(asked()).toBe(1);
    clock.advance(6_000);
    await revoke(app);
    expect([asked(), revoked()]).toEqual([2, [signedIn.refreshToken]]);
    expect(await stored(app)).toEqual({ tokens: [], due: [] });
  });

  it('P24: the second request gets 503: the token is kept, until OneID has said twice that it is gone', async () => {
    const app = await start();
    const signedIn = await signIn(app);
    await backchannel(signedIn);
    await revoke(app);
    oneId.fail(endpointPaths.revocation, { status: 503 });
    clock.advance(MINUTE + 1_000);
    await revoke(app);
    expect([asked(), (await stored(app)).tokens.length]).toEqual([2, 1]);
    oneId.heal();
    clock.advance(5 * MINUTE);
    await revoke(app);
    expect([asked(), await stored(app)]).toEqual([3, { tokens: [], due: [] }]);
  });

  it('P24: the second request gets invalid_grant: the token is gone, and no error is logged', async () => {
    const logged = jest.spyOn(Logger.prototype, 'error').mockReturnValue();
    const app = await start();
    await backchannel(await signIn(app));
    await revoke(app);
    oneId.fail(endpointPaths.revocation, answerWith(400, 'invalid_grant'));
    clock.advance(MINUTE + 1_000);
    await revoke(app);
    expect([asked(), await stored(app)]).toEqual([2, { tokens: [], due: [] }]);
    expect(logged.mock.calls).toEqual([]);
    logged.mockRestore();
  });

  it('P24: a newer refresh token is stored between the two requests: it is revoked twice, too', async () => {
    const app = await start();
    const signedIn = await signIn(app);
    await backchannel(signedIn);
    await revoke(app);
    const rotated = oneId.refreshToken({ clientId, login: signedIn.login });
    const refreshing = app.get(SessionRegistry).refresh(signedIn.session.id, { refreshToken: rotated });
    await expect(refreshing).rejects.toMatchObject({ code: 'session_ended' });
    await revoke(app);
    expect((await stored(app)).tokens).toMatchObject([{ revoked_at: expect.anything() as unknown }]);
    clock.advance(MINUTE + 1_000);
    await revoke(app);
    expect(oneId.revoked.map(({ token }) => token)).toEqual([signedIn.refreshToken, rotated, rotated]);
    expect(await stored(app)).toEqual({ tokens: [], due: [] });
  });

  it('P24: a newer refresh token is stored during the first request: the answer does not count for it', async () => {
    const app = await start();
    const signedIn = await signIn(app);
    const rotated = rotateAtNextNote(signedIn, async (rotate, note) => {
      await rotate();
      // the next 200 revokes nothing
      oneId.fail(endpointPaths.revocation, { status: 200, body: '', times: 1 });
      await note();
    });
    await backchannel(signedIn);
    await revokeAll(app);
    expect((await stored(app)).tokens).toHaveLength(0);
    expect([asked(), revoked()]).toEqual([3, [signedIn.refreshToken, rotated]]);
  });

  describe('P27: another session of the same login', () => {
    const ends: [string, (second: SignedIn) => Promise<unknown>][] = [
      ...ways.slice(0, 4),
      [
        'a sign-in of another login that replaces it',
        ({ app, session }) => signIn(app, oneId.signIn(), session.sessionToken),
      ],
    ];

    it.each(ends)(
      'P27: is alive: the token of the replaced one is kept, until the last is ended by %s',
      async (_who, end) => {
        const app = await start();
        const first = await signIn(app);
        const second = await signIn(app, first.login, first.session.sessionToken);
        await revoke(app);
        clock.advance(10 * MINUTE);
        await revoke(app);
        expect([asked(), (await stored(app)).tokens.length]).toEqual([0, 2]);
        expect(await app.get(SessionRegistry).countPendingRevocations()).toBe(0);
        await end(second);
        await revokeAll(app);
        expect(revoked().sort()).toEqual([first.refreshToken, second.refreshToken].sort());
        const { tokens } = await stored(app);
        const left = tokens.map((row) => row['session_id']);
        expect(left).not.toContain(first.session.id);
        expect(left).not.toContain(second.session.id);
        clock.advance(60 * MINUTE);
        await revoke(app);
        expect((await stored(app)).due).toEqual([]);
      },
    );

    it('P27: without tokens of its own, ends: the tokens of the ended ones before are revoked', async () => {
      const app = await start();
      const registry = app.get(SessionRegistry);
      const first = await signIn(app);
      const second = await signIn(app, first.login, first.session.sessionToken);
      const keyed = await oneId.idToken({ clientId, login: first.login });
      const third = await registry.register({ idToken: keyed, replaces: second.session.sessionToken });
      await app
        .get(SessionDatabase, { strict: false })
        .run('DELETE FROM oneid_session_tokens WHERE session_id = ?', [third.id]);
      await revoke(app);
      expect(asked()).toBe(0);
      // beside other logouts, so that those without tokens are closed together
      await registry.end((await signIn(app)).session.id);
      await registry.end(third.id);
      await revokeAll(app);
      expect(revoked()).toEqual(expect.arrayContaining([first.refreshToken, second.refreshToken]));
      expect((await stored(app)).tokens).toEqual([]);
    });

    it('P27: expires: the token of the ended one is then revoked', async () => {
      const app = await start();
      const first = await signIn(app);
      const idToken = await oneId.idToken({ clientId, login: first.login });
      const expiresAt = new Date(clock.now() + 3 * 60 * MINUTE);
      await app.get(SessionRegistry).register({ idToken, expiresAt, replaces: first.session.sessionToken });
      for (let n = 0; n < 17; n++) {
        clock.advance(10 * MINUTE);
        await revoke(app);
      }
      expect(asked()).toBe(0);
      clock.advance(70 * MINUTE);
      await revokeAll(app);
      expect(revoked()).toEqual([first.refreshToken]);
    });

    it.each(['is ended', 'expires'])(
      'P27: %s after the retention of the logouts: the tokens of the ended ones are revoked, also after a 503',
      async (how) => {
        const app = await start({ maxSessionLifetimeSeconds: 24 * 3600 });
        const purge = () => app.get(SessionPurge, { strict: false }).wake();
        const login = oneId.signIn();
        const signedIn: SignedIn[] = [];
        for (let n = 0; n < 5; n++) {
          signedIn.push(await signIn(app, login, signedIn.at(-1)?.session.sessionToken));
          await revoke(app);
          clock.advance(23 * 60 * MINUTE);
          await revoke(app);
          await purge();
        }
        expect([asked(), (await stored(app)).tokens.length]).toEqual([0, 5]);
        oneId.fail(endpointPaths.revocation, { status: 503, times: 2 });
        const last = signedIn.at(-1);
        if (how === 'is ended' && last !== undefined) await app.get(SessionRegistry).end(last.session.id);
        for (let n = 0; n < 20; n++) {
          await revoke(app);
          clock.advance(61 * MINUTE);
          await purge();
        }
        const ended = how === 'is ended' ? signedIn : signedIn.slice(0, -1);
        expect(new Set(revoked())).toEqual(new Set(ended.map(({ refreshToken }) => refreshToken)));
        expect(await stored(app)).toEqual({ tokens: [], due: [] });
      },
    );

    it('P27: is alive while this replica lacks the client of another token of the logout: nothing is given up', async () => {
      oneId.registerClient({ clientId: 'other', clientSecret });
      const clients = [clientId, 'other'].map((id) => ({
        ...{ issuer: oneId.issuer, clientId: id, clientAuthentication: { clientSecret } },
        postLogoutRedirectUri: 'https://app.example/logout/callback',
      }));
      let app = await start({ clients, maxSessionLifetimeSeconds: 24 * 3600 });
      const login = oneId.signIn();
      await app.get(SessionRegistry).register({
        idToken: await oneId.idToken({ clientId: 'other', login }),
        refreshToken: oneId.refreshToken({ clientId: 'other', login }),
      });
      app = await restart(app, { maxSessionLifetimeSeconds: 24 * 3600 });
      const first = await signIn(app, login);
      const iat = clock.seconds;
      clock.advance(2_000);
      let last = await signIn(app, login);
      const { issuer } = oneId;
      const logout = { issuer, clientId, jti: login.sid, iat, sub: login.sub, scope: 'session' } as const;
      await recorder(app).recordBackchannel(logout);
      for (let n = 0; n < 5; n++) {
        await revoke(app);
        clock.advance(23 * 60 * MINUTE);
        await revoke(app);
        last = await signIn(app, login, last.session.sessionToken);
      }
      expect(asked()).toBe(0);
      await app.get(SessionRegistry).end(last.session.id);
      await revokeAll(app);
      expect(revoked()).toContain(first.refreshToken);
    });

    it('P27: is the one that stays after endOthers: the tokens of the others are kept until it ends', async () => {
      const app = await start();
      const registry = app.get(SessionRegistry);
      const login = oneId.signIn();
      const signedIn = [await signIn(app, login), await signIn(app, login), await signIn(app, login)];
      const elsewhere = await signIn(app, oneId.signIn({ sub: login.sub }));
      const [first] = signedIn;
      if (first === undefined) throw new Error('not signed in');
      await registry.endOthers(first.session);
      await revokeAll(app);
      expect(revoked()).toEqual([elsewhere.refreshToken]);
      await registry.end(first.session.id);
      await revokeAll(app);
      expect(revoked().sort()).toEqual([elsewhere, ...signedIn].map(({ refreshToken }) => refreshToken).sort());
      expect((await stored(app)).tokens).toEqual([]);
    });

    it('P27: is within maxSessionsPerUser: the tokens of the older ones are kept until it ends', async () => {
      const app = await start({ maxSessionsPerUser: 1 });
      const login = oneId.signIn();
      const elsewhere = await signIn(app, oneId.signIn({ sub: login.sub }));
      const signedIn = [await signIn(app, login), await signIn(app, login), await signIn(app, login)];
      await revokeAll(app);
      expect(revoked()).toEqual([elsewhere.refreshToken]);
      expect((await stored(app)).tokens).toHaveLength(3);

      const last = await signIn(app, oneId.signIn({ sub: login.sub }));
      await revokeAll(app);
      expect(revoked().sort()).toEqual([elsewhere, ...signedIn].map(({ refreshToken }) => refreshToken).sort());
      expect((await stored(app)).tokens.map((row) => row['session_id'])).toEqual([last.session.id]);
    });

    it('P27: begins while a revocation waits after a 503: the token is kept until this session ends', async () => {
      const app = await start();
      const first = await signIn(app);
      oneId.fail(endpointPaths.revocation, { status: 503, times: 1 });
      await app.get(LogoutService).start({ session: first.session });
      await revoke(app);
      expect(asked()).toBe(1);
      const back = await signIn(app, first.login);
      clock.advance(5 * MINUTE);
      await revoke(app);
      expect([asked(), (await stored(app)).tokens.length]).toEqual([1, 2]);
      await app.get(LogoutService).start({ session: back.session });
      await revokeAll(app);
      expect(revoked().sort()).toEqual([first.refreshToken, back.refreshToken].sort());
      expect((await stored(app)).tokens).toEqual([]);
    });

    it('P27: begins between the two requests: the second request waits for its end', async () => {
      const app = await start();
      const first = await signIn(app);
      await app.get(LogoutService).start({ session: first.session });
      await revoke(app);
      expect(asked()).toBe(1);
      const back = await signIn(app, first.login);
      clock.advance(MINUTE + 1_000);
      await revoke(app);
      expect(asked()).toBe(1);
      await backchannel(back);
      await revokeAll(app);
      expect(new Set(revoked())).toEqual(new Set([first.refreshToken, back.refreshToken]));
      expect(await stored(app)).toMatchObject({ tokens: [] });
    });

    it('P27: does not count for sessions without sid: nothing says that they are of one login', async () => {
      const app = await start();
      const signInWithoutSid = async () => {
        const login = oneId.signIn({ sub: 'alice' });
        const refreshToken = oneId.refreshToken({ clientId, login });
        const idToken = await oneId.idToken({ clientId, sub: 'alice', claims: { sid: undefined } });
        return { refreshToken, ...(await app.get(SessionRegistry).register({ idToken, refreshToken })) };
      };
      const [first, second] = [await signInWithoutSid(), await signInWithoutSid()];
      expect(first.sid).toBeUndefined();
      await app.get(SessionRegistry).end(first.id);
      await revokeAll(app);
      expect(revoked()).toEqual([first.refreshToken]);
      expect((await stored(app)).tokens.map((row) => row['session_id'])).toEqual([second.id]);
    });

    it.each<[string, (first: SignedIn) => Promise<unknown>]>([
      [
        'of another client',
        async ({ app, login }) => {
          const idToken = await oneId.idToken({ clientId: 'other', login });
          await app.get(SessionRegistry).register({ idToken });
        },
      ],
      ['of another sid', ({ app, login }) => signIn(app, oneId.signIn({ sub: login.sub }))],
      [
        'that is ended, too',
        async ({ app, login }) => {
          const second = await signIn(app, login);
          await app.get(SessionRegistry).end(second.session.id);
        },
      ],
      [
        'that the front-channel has ended',
        async ({ app, login }) => {
          await signIn(app, login);
          await recorder(app).recordFrontchannel(oneId.issuer, login.sid);
        },
      ],
    ])('P27: does not count, when it is one %s', async (_which, other) => {
      oneId.registerClient({ clientId: 'other', clientSecret });
      const app = await start({
        clients: [clientId, 'other'].map((id) => ({
          ...{ issuer: oneId.issuer, clientId: id, clientAuthentication: { clientSecret } },
          postLogoutRedirectUri: 'https://app.example/logout/callback',
        })),
      });
      const first = await signIn(app);
      await other(first);
      await app.get(SessionRegistry).end(first.session.id);
      await revoke(app);
      expect(revoked()).toContain(first.refreshToken);
    });
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

  it.each<[string, 'token_endpoint' | 'issuer' | undefined, () => string]>([
    ['the token endpoint alone by default', undefined, () => oneId.url(endpointPaths.token)],
    ['the token endpoint alone', 'token_endpoint', () => oneId.url(endpointPaths.token)],
    ['the issuer alone', 'issuer', () => oneId.issuer],
  ])('P28: the aud of an assertion is %s', async (_what, audience, expected) => {
    const { privateKey } = await generateKeyPair('Ed25519', { extractable: true });
    const jwk = { ...(await exportJWK(privateKey)), alg: 'EdDSA', kid: 'k' };
    const app = await start({}, { clientAuthentication: { privateKey: jwk, audience } });
    await backchannel(await signIn(app));
    await revoke(app);
    const [{ form } = { form: {} }] = oneId.requests.filter(({ path }) => path === endpointPaths.revocation);
    const { client_assertion: assertion = '' } = form as Record<string, string>;
    expect(decodeJwt(assertion)).toMatchObject({ iss: clientId, sub: clientId, aud: expected() });
    expect(decodeProtectedHeader(assertion)).toEqual({ alg: 'EdDSA', kid: 'k' });
  });

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
    await revokeAll(app);
    expect(revoked().sort()).toEqual(sessions.map(({ refreshToken }) => refreshToken).sort());
    expect(await stored(app)).toEqual({ tokens: [], due: [] });
  });

  describe('idle sessions', () => {
    const IDLE = 60 * MINUTE;
    const startIdle = () => start({ maxIdleSeconds: IDLE / 1_000 });
    const endIdle = (app: INestApplication) => app.get(IdleEnds, { strict: false }).wake();

    it('BC-15: the token of an idle session is revoked and erased, and one of a session in use is kept', async () => {
      const app = await startIdle();
      const idle = await signIn(app);
      clock.advance(IDLE);
      const used = await signIn(app);
      await endIdle(app);
      await revokeAll(app);
      expect(asked()).toBe(0);
      clock.advance(IDLE_GRACE);
      await endIdle(app);
      await revokeAll(app);
      expect(revoked()).toEqual([idle.refreshToken]);
      const { tokens, due } = await stored(app);
      expect([tokens.map((row) => row['session_id']), due]).toEqual([[used.session.id], []]);
    });

    it('P27: an idle session no longer spares the token of a session of its login', async () => {
      const app = await startIdle();
      const first = await signIn(app);
      const second = await signIn(app, first.login, first.session.sessionToken);
      await revokeAll(app);
      expect(asked()).toBe(0);
      clock.advance(IDLE + IDLE_GRACE);
      await endIdle(app);
      await revokeAll(app);
      expect(revoked().sort()).toEqual([first.refreshToken, second.refreshToken].sort());
      expect((await stored(app)).tokens).toEqual([]);
    });

    it('P27: the token of an idle session is kept while its user is back with the same sid', async () => {
      const app = await startIdle();
      const idle = await signIn(app);
      clock.advance(IDLE + IDLE_GRACE);
      const back = await signIn(app, idle.login, idle.session.sessionToken);
      await endIdle(app);
      await revokeAll(app);
      expect([asked(), (await stored(app)).tokens.length]).toEqual([0, 2]);
      await app.get(SessionRegistry).end(back.session.id);
      await revokeAll(app);
      expect(revoked().sort()).toEqual([idle.refreshToken, back.refreshToken].sort());
    });

    it('a refreshed token that comes after the end is revoked, too', async () => {
      const app = await startIdle();
      const idle = await signIn(app);
      clock.advance(IDLE + IDLE_GRACE);
      await endIdle(app);
      await revokeAll(app);
      const refreshToken = oneId.refreshToken({ clientId, login: idle.login });
      await expect(app.get(SessionRegistry).refresh(idle.session.id, { refreshToken })).rejects.toMatchObject({
        code: 'session_idle',
      });
      await revokeAll(app);
      expect(revoked()).toEqual([idle.refreshToken, refreshToken]);
      expect((await stored(app)).tokens).toEqual([]);
    });
  });

  describe('after an outage', () => {
    const TURN = 31_000;
    const endUnconfirmed = (app: INestApplication) =>
      recorder(app).endUnconfirmed(oneId.issuer, clientId, clock.now() - MINUTE);

    it('BC-15: refresh tokens are revoked from ten minutes later on, a hundred every half minute', async () => {
      const app = await start();
      const sessions: SignedIn[] = [];
      for (let n = 0; n < 230; n++) sessions.push(await signIn(app));
      await endUnconfirmed(app);
      const counts: number[] = [];
      for (const pause of [9 * MINUTE, MINUTE + 1_000, TURN / 2, TURN / 2, TURN, TURN]) {
        clock.advance(pause);
        await revoke(app);
        counts.push(new Set(revoked()).size);
      }
      expect(counts).toEqual([0, 100, 100, 200, 230, 230]);
      for (let turn = 0; turn < 8; turn++) {
        clock.advance(TURN);
        await revoke(app);
      }
      expect(revoked().sort()).toEqual(sessions.map(({ refreshToken }) => refreshToken).sort());
      expect(await stored(app)).toEqual({ tokens: [], due: [] });
    });

    it('P27: the refresh tokens of users who are back under the same sid are kept, until their sessions end', async () => {
      const app = await start();
      const sessions: SignedIn[] = [];
      for (let n = 0; n < 130; n++) sessions.push(await signIn(app));
      const away = new Set(sessions.filter((_, n) => n % 10 === 0));
      await endUnconfirmed(app);
      const back: SignedIn[] = [];
      for (const one of sessions) if (!away.has(one)) back.push(await signIn(app, one.login));
      clock.advance(9 * MINUTE);
      for (let turn = 0; turn < 9; turn++) {
        clock.advance(MINUTE + 1_000);
        await revoke(app);
      }
      expect(revoked().sort()).toEqual([...away].map(({ refreshToken }) => refreshToken).sort());
      expect(await app.get(SessionRegistry).countPendingRevocations()).toBe(0);
      expect((await stored(app)).tokens).toHaveLength(2 * back.length);
      const [first] = back;
      if (first === undefined) throw new Error('nobody is back');
      await backchannel(first);
      for (let turn = 0; turn < 9; turn++) {
        await revoke(app);
        clock.advance(61 * MINUTE);
      }
      expect(revoked()).toHaveLength(away.size + 2);
    });

    it('P27: the user is back for longer than the retention of the logout: the token is revoked in the end', async () => {
      const app = await start({ maxSessionLifetimeSeconds: 24 * 3600 });
      const first = await signIn(app);
      await endUnconfirmed(app);
      let last = await signIn(app, first.login);
      for (let n = 0; n < 5; n++) {
        clock.advance(23 * 60 * MINUTE);
        await revoke(app);
        last = await signIn(app, first.login, last.session.sessionToken);
      }
      expect(asked()).toBe(0);
      await app.get(SessionRegistry).end(last.session.id);
      await revokeAll(app);
      expect(revoked()).toContain(first.refreshToken);
    });

    it('BC-15: OneID is down in the middle, and the app starts again: all refresh tokens are revoked', async () => {
      const app = await start();
      const sessions: SignedIn[] = [];
      for (let n = 0; n < 130; n++) sessions.push(await signIn(app));
      await endUnconfirmed(app);
      clock.advance(11 * MINUTE);
      await revoke(app);
      oneId.fail(endpointPaths.revocation, { status: 503, times: 1 });
      clock.advance(TURN);
      await revoke(app);
      const again = await restart(app);
      for (let turn = 0; turn < 12; turn++) {
        clock.advance(12 * MINUTE);
        await revoke(again);
      }
      expect(revoked().sort()).toEqual(sessions.map(({ refreshToken }) => refreshToken).sort());
      expect(await stored(again)).toEqual({ tokens: [], due: [] });
    });
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
    await revokeAll(app);
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
    const rotated = rotateAtNextNote(signedIn, async (rotate, note) => {
      await note();
      await rotate();
    });
    await backchannel(signedIn);
    await revokeAll(app);
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
    await revokeAll(app);
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
    await revokeAll(rotated);
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
    await revokeAll(next);
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
