import { afterEach, describe, expect, it, jest } from '@jest/globals';
import {
  Controller,
  type ExecutionContext,
  Get,
  type INestApplication,
  Injectable,
  Logger,
  Req,
  UseGuards,
} from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import {
  currentSession,
  CurrentSession,
  ReplicaStatus,
  SessionAliveGuard,
  SessionConnections,
  type SessionFacts,
  sessionFromClaims,
  sessionFromCookie,
  sessionFromExpressSession,
  sessionFromUser,
  SessionRegistry,
  type SessionRequest,
} from 'nestjs-oneid-logout';
import { SessionJudge } from '../libs/oneid-logout/src/guard/session-judge.js';
import { LogoutRecorder } from '../libs/oneid-logout/src/sessions/logout-recorder.js';
import { SessionDatabase } from '../libs/oneid-logout/src/database/session-database.js';
import { databases } from './support/databases.js';
import { clientId, Host, type HostSettings } from './support/host.js';
import { DAY, intercept, maxSessionLifetimeMs } from './support/session-store.js';
import { shareAmongTests } from './support/share-among-tests.js';
import { findAlive } from './support/find-alive.js';
import { TestClock } from './support/test-clock.js';

// express-session has no types of its own
const untyped: string = 'express-session';
const { default: expressSession } = (await import(untyped)) as {
  default: (options: object) => (request: unknown, response: unknown, next: () => void) => void;
};

const rejections = {
  logged_out: 'A logout has ended the session',
  expired: 'The session has expired',
  unknown: 'The session is unknown',
  missing: 'The request carries no session',
};

async function expectRejection(response: Response, reason: keyof typeof rejections): Promise<void> {
  expect({ status: response.status, body: await response.json() }).toEqual({
    status: 401,
    body: { statusCode: 401, error: `session_${reason}`, message: rejections[reason], reason },
  });
}

/** Puts the verified claims that a test sends into `request.user`, as another guard would. */
function useClaims(app: INestApplication): void {
  app.use((request: { headers: Record<string, string>; user?: unknown }, _response: unknown, next: () => void) => {
    const { 'x-claims': claims } = request.headers;
    if (claims !== undefined) request.user = JSON.parse(claims);
    next();
  });
}

const cases = databases.flatMap((database) =>
  (['express', 'fastify'] as const)
    .filter((adapter) => adapter === 'express' || database.name === 'SQLite')
    .map((adapter) => ({ name: database.name, database, adapter })),
);

describe.each(cases)('SessionAliveGuard, on $name with $adapter', ({ database, adapter }) => {
  let host: Host;
  shareAmongTests(
    () => Host.start({ database, adapter }),
    (started) => void (host = started),
  );
  afterEach(() => {
    host.clock.ahead = host.clock.databaseAhead = 0;
  });

  const recorder = () => host.app.get(LogoutRecorder, { strict: false });
  const signIn = async (login = host.oneId.signIn()) =>
    host.app.get(SessionRegistry).register({ idToken: await host.oneId.idToken({ clientId, login }) });
  const queries = async (work: () => Promise<unknown>) => {
    const database = host.app.get(SessionDatabase, { strict: false });
    let count = 0;
    const restore = intercept(database, (run, sql, parameters) => {
      // the background jobs use other statements
      if (/FROM \Soneid_session\S s WHERE/.test(sql)) count++;
      return run(sql, parameters);
    });
    await work().finally(restore);
    return count;
  };

  it('lets an alive session pass, with one query', async () => {
    const session = await signIn();
    let response = new Response();
    const count = await queries(async () => (response = await host.fetch('/me', { session: session.sessionToken })));
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ sub: session.sub });
    expect(count).toBe(1);
  });

  it('rejects a request without a session with the reason missing', async () => {
    const response = await host.fetch('/me');
    expect(response.headers.get('www-authenticate')).toBeNull();
    await expectRejection(response, 'missing');
  });

  it('rejects a session that is not in the database with the reason unknown', async () => {
    await expectRejection(await host.fetch('/me', { session: 'a'.repeat(64) }), 'unknown');
    await expectRejection(await host.fetch('/me', { session: (await signIn()).id }), 'unknown');
  });

  it('rejects a session with the reason unknown when its client is no longer configured', async () => {
    const session = await signIn();
    const database = host.app.get(SessionDatabase, { strict: false });
    await database.run('UPDATE oneid_session SET client_id = ? WHERE id = ?', ['retired', session.id]);
    await expectRejection(await host.fetch('/me', { session: session.sessionToken }), 'unknown');
  });

  it("rejects a session with the reason expired, by the database's clock", async () => {
    const session = await signIn();
    host.clock.databaseAhead = maxSessionLifetimeMs - 60_000;
    expect((await host.fetch('/me', { session: session.sessionToken })).status).toBe(200);
    host.clock.databaseAhead = maxSessionLifetimeMs + 60_000;
    await expectRejection(await host.fetch('/me', { session: session.sessionToken }), 'expired');
  });

  it('rejects a session with the reason logged_out after a logout on each channel, also when the session has expired', async () => {
    const ways: ((session: Awaited<ReturnType<typeof signIn>>) => Promise<unknown>)[] = [
      (session) => recorder().recordFrontchannel(session.issuer, session.sid ?? ''),
      (session) => recorder().endLogin(session),
      (session) => host.app.get(SessionRegistry).end(session.id),
      ({ sub }) => host.app.get(SessionRegistry).endAll({ sub }),
    ];
    for (const end of ways) {
      const session = await signIn();
      await end(session);
      await expectRejection(await host.fetch('/me', { session: session.sessionToken }), 'logged_out');
      host.clock.databaseAhead = maxSessionLifetimeMs + 60_000;
      await expectRejection(await host.fetch('/me', { session: session.sessionToken }), 'logged_out');
      host.clock.databaseAhead = 0;
    }
  });

  it('answers 503 when the store fails, on every guarded route, and gives no details', async () => {
    const session = await signIn();
    const database = host.app.get(SessionDatabase, { strict: false });
    await database.run('ALTER TABLE oneid_session RENAME TO oneid_gone');
    for (const path of ['/me', '/open', '/home']) {
      const response = await host.fetch(path, { session: session.sessionToken });
      expect(response.status).toBe(503);
      expect(response.headers.get('retry-after')).toBe('5');
      expect(await response.json()).toEqual({
        statusCode: 503,
        error: 'store_unavailable',
        message: 'The session store is not available, try again',
      });
    }
    await database.run('ALTER TABLE oneid_gone RENAME TO oneid_session');
    expect((await host.fetch('/me', { session: session.sessionToken })).status).toBe(200);
  });

  it.each([
    ['Bearer x', true],
    ['bearer x', true],
    ['Basic x', false],
    ['', false],
  ])('sends WWW-Authenticate to a bearer client: %j', async (authorization, told) => {
    const response = await host.fetch('/me', { headers: { authorization } });
    expect(response.headers.get('www-authenticate')).toBe(
      told ? 'Bearer error="invalid_token", error_description="The token has no live session"' : null,
    );
    await expectRejection(response, 'missing');
  });

  it('anonymous routes: a request without session passes; an ended session is rejected, or passes as anonymous', async () => {
    const [live, dead] = [await signIn(), await signIn()];
    await host.app.get(SessionRegistry).end(dead.id);
    const body = async (path: string, session?: string) =>
      (await host.fetch(path, session === undefined ? {} : { session })).json();
    for (const path of ['/open', '/home']) {
      expect(await body(path)).toEqual({ sub: null });
      expect(await body(path, live.sessionToken)).toEqual({ sub: live.sub });
    }
    await expectRejection(await host.fetch('/open', { session: dead.sessionToken }), 'logged_out');
    await expectRejection(await host.fetch('/open', { session: 'x' }), 'unknown');
    expect(await body('/home', dead.sessionToken)).toEqual({ sub: null });
    expect(await body('/home', 'x')).toEqual({ sub: null });
  });

  it.each([
    ['of another form', 'x', 'unknown'],
    ['too long', 'a'.repeat(5_000), 'unknown'],
    ['in upper case', 'A'.repeat(64), 'unknown'],
    ['with an encoded NUL', `${'a'.repeat(63)}%00`, 'unknown'],
    ['badly encoded', '%E0%A4%A', 'unknown'],
    ['a piece of SQL', "'%20OR%201=1%20--", 'unknown'],
    ['empty', '', 'missing'],
  ] as const)('asks no database for a cookie that is %s', async (_what, value, reason) => {
    let response = new Response();
    const count = await queries(async () => (response = await host.fetch('/me', { session: value })));
    await expectRejection(response, reason);
    expect(count).toBe(0);
  });

  it('finds the cookie by its exact name, also among others', async () => {
    const [live, dead] = [await signIn(), await signIn()];
    await host.app.get(SessionRegistry).end(dead.id);
    const status = async (cookie: string) => (await host.fetch('/me', { headers: { cookie } })).status;
    expect(await status(`session=${live.sessionToken}; session=${dead.sessionToken}`)).toBe(200);
    expect(await status(`session=${dead.sessionToken}; session=${live.sessionToken}`)).toBe(200);
    expect(await status(`other=1;session=${live.sessionToken};xsession=${dead.sessionToken}`)).toBe(200);
    expect(await status(`Session=${live.sessionToken}`)).toBe(401);
  });
});

describe('session resolvers', () => {
  let host: Host;
  afterEach(() => host.stop());

  const start = async (settings: HostSettings) => (host = await Host.start(settings));
  const signIn = async () =>
    host.app
      .get(SessionRegistry)
      .register({ idToken: await host.oneId.idToken({ clientId, login: host.oneId.signIn() }) });
  const withClaims = (claims: object) => host.fetch('/me', { headers: { 'x-claims': JSON.stringify(claims) } });

  it('sessionFromExpressSession: reads the session token from the session', async () => {
    @Controller()
    class SignInController {
      static token = '';

      @Get('me')
      @UseGuards(SessionAliveGuard)
      me(@CurrentSession() session: SessionFacts) {
        return { sub: session.sub };
      }

      @Get('sign-in')
      signIn(@Req() request: { session: Record<string, unknown> }): string {
        request.session['oneIdSession'] = SignInController.token;
        return 'signed in';
      }
    }
    await start({
      options: { sessionFrom: sessionFromExpressSession() },
      controllers: [SignInController],
      configure: (app) => void app.use(expressSession({ secret: 'cats', resave: false, saveUninitialized: false })),
    });
    const session = await signIn();
    SignInController.token = session.sessionToken;
    await expectRejection(await host.fetch('/me'), 'missing');
    const cookie = (await host.fetch('/sign-in')).headers.getSetCookie()[0]?.split(';')[0] ?? '';
    expect(await (await host.fetch('/me', { headers: { cookie } })).json()).toEqual({ sub: session.sub });
    await host.app.get(SessionRegistry).end(session.id);
    await expectRejection(await host.fetch('/me', { headers: { cookie } }), 'logged_out');
  });

  it('A7: the handler gets the session of a guard whose getRequest() returns another request', async () => {
    @Injectable()
    class HeaderGuard extends SessionAliveGuard {
      protected override getRequest(context: ExecutionContext): SessionRequest {
        const { headers } = super.getRequest(context);
        return { headers: { cookie: `session=${String(headers['x-session'])}` } };
      }
    }
    @Controller()
    class HeaderController {
      @Get('me')
      @UseGuards(HeaderGuard)
      me(@CurrentSession() session: SessionFacts, @Req() request: object) {
        return { sub: session.sub, fromRequest: currentSession(request)?.sub };
      }

      @Get('not-guarded')
      notGuarded(@CurrentSession() session: SessionFacts | undefined) {
        return { sub: session?.sub };
      }
    }
    await start({ controllers: [HeaderController], providers: [HeaderGuard] });
    const { sessionToken, sub } = await signIn();
    const headers = { 'x-session': sessionToken };
    expect(await (await host.fetch('/me', { headers })).json()).toEqual({ sub, fromRequest: sub });
    const error = jest.spyOn(Logger.prototype, 'error').mockImplementation(() => undefined);
    expect(await (await host.fetch('/not-guarded', { headers })).json()).toEqual({
      statusCode: 500,
      message: 'Internal server error',
    });
    expect(String(error.mock.calls[0]?.[0])).toBe(
      'Error: HeaderController.notGuarded() uses @CurrentSession(), but no SessionAliveGuard has run before it. Add ' +
        '@UseGuards(SessionAliveGuard). In a unit test, put a StandInGuard of nestjs-oneid-logout/testing in its place.',
    );
    error.mockRestore();
  });

  it('sessionFromUser: reads the session token from request.user', async () => {
    await start({ options: { sessionFrom: sessionFromUser() }, configure: useClaims });
    const session = await signIn();
    expect((await withClaims({ sessionToken: session.sessionToken })).status).toBe(200);
    for (const user of [{}, { sessionToken: '' }, { sessionToken: 5 }, { sessionToken: [session.sessionToken] }]) {
      await expectRejection(await withClaims(user), 'missing');
    }
    await host.app.get(SessionRegistry).end(session.id);
    await expectRejection(await withClaims({ sessionToken: session.sessionToken }), 'logged_out');
  });

  it('P20: each of several resolvers that finds something must find a live session', async () => {
    await start({ options: { sessionFrom: [sessionFromUser(), sessionFromCookie('session')] }, configure: useClaims });
    const session = await signIn();
    expect((await host.fetch('/me', { session: session.sessionToken })).status).toBe(200);
    const headers = { 'x-claims': JSON.stringify({ sessionToken: 'f'.repeat(64) }) };
    await expectRejection(await host.fetch('/me', { session: session.sessionToken, headers }), 'unknown');
  });

  describe('sessionFromClaims', () => {
    const settings = { options: { sessionFrom: sessionFromClaims() }, configure: useClaims };
    const claims = (changes = {}) => ({
      iss: host.oneId.issuer,
      sub: 'alice',
      sid: 'sid-1',
      iat: host.clock.seconds,
      ...changes,
    });
    const recorder = () => host.app.get(LogoutRecorder, { strict: false });
    const endBySid = (sid = 'sid-1') =>
      recorder().recordBackchannel({
        ...{ issuer: host.oneId.issuer, clientId, jti: sid, iat: host.clock.seconds, sid, scope: 'session' },
      });

    it('lets a token pass unless a logout matches', async () => {
      await start(settings);
      expect((await withClaims(claims())).status).toBe(200);
      await endBySid('sid-2');
      expect((await withClaims(claims())).status).toBe(200);
      await endBySid();
      const response = await withClaims(claims());
      expect(response.headers.get('www-authenticate')).toBe(
        'Bearer error="invalid_token", error_description="The token has no live session"',
      );
      await expectRejection(response, 'logged_out');
    });

    it('P2: iatBackdatingSeconds changes no logout: a token or a sign-in whose iat is older than the logout is refused', async () => {
      await start({ ...settings, client: { iatBackdatingSeconds: 300 }, clock: new TestClock(Date.now()) });
      const iat = host.clock.seconds - 299;
      const register = async (sub: string) =>
        host.app
          .get(SessionRegistry)
          .register({ idToken: await host.oneId.idToken({ clientId, sub, claims: { iat } }) });
      expect((await withClaims(claims({ iat }))).status).toBe(200);
      await host.app.get(SessionRegistry).endAll({ sub: 'alice' });
      await recorder().recordBackchannel({
        ...{ issuer: host.oneId.issuer, clientId, jti: 'j', iat: host.clock.seconds, sub: 'bob', scope: 'session' },
      });

      await expectRejection(await withClaims(claims({ iat })), 'logged_out');
      await expect(register('bob')).rejects.toMatchObject({ code: 'session_ended' });
      // an administrator's logout ends the sessions of now, and a sign-in after it lives
      expect(await register('alice')).toMatchObject({ sub: 'alice', iat });
    });

    it("finds the logout with and without the issuer's trailing slash", async () => {
      await start(settings);
      await endBySid();
      await expectRejection(await withClaims(claims({ iss: host.oneId.issuer.replace(/\/$/, '') })), 'logged_out');
    });

    it.each([
      ['an issuer that is not configured', { iss: 'https://other.example/' }],
      ['no issuer', { iss: null }],
      ['a token without sid, because no logout could end it', { sid: undefined }],
      ['an invalid sid', { sid: 5 }],
      ['neither sid nor sub', { sid: undefined, sub: undefined }],
      ['a sub that is not a text', { sub: 5 }],
      ['no iat', { iat: undefined }],
      ['an iat that is not a number', { iat: '1' }],
      ['an iat that is not a time', { iat: 1e300 }],
    ])('refuses %s, and asks no database', async (_what, changes) => {
      await start(settings);
      const database = host.app.get(SessionDatabase, { strict: false });
      database.run = () => Promise.reject(new Error('asked'));
      await expectRejection(await withClaims(claims(changes)), 'unknown');
    });

    it('session_expiry: an ID token of a session that the provider has limited is refused at its end', async () => {
      await start(settings);
      const now = host.clock.seconds;
      for (const session_expiry of [now + 60, null, '']) {
        expect((await withClaims(claims({ session_expiry }))).status).toBe(200);
      }
      await expectRejection(await withClaims(claims({ session_expiry: now - 1 })), 'expired');
      await expectRejection(await withClaims(claims({ session_expiry: String(now + 60) })), 'unknown');
    });

    it('refuses a token that is older than all remembered logouts', async () => {
      await start(settings);
      const limit = maxSessionLifetimeMs / 1000;
      expect((await withClaims(claims({ iat: host.clock.seconds - limit + 60 }))).status).toBe(200);
      await expectRejection(await withClaims(claims({ iat: host.clock.seconds - limit })), 'expired');
    });

    it.each(databases)('accepts an iat with a fraction, on $name', async (database) => {
      await start({ ...settings, database });
      expect((await withClaims(claims({ iat: host.clock.seconds + 0.25 }))).status).toBe(200);
      await recorder().endUser(host.oneId.issuer, 'alice');
      await expectRejection(await withClaims(claims({ iat: host.clock.seconds - 0.75 })), 'logged_out');
    });

    it('scope "user": accepts a token without sid, and every logout of the user ends it', async () => {
      await start({ ...settings, client: { logoutScope: 'user' } });
      const token = claims({ sid: undefined });
      const login = host.oneId.signIn({ sub: 'alice' });
      await host.app.get(SessionRegistry).register({ idToken: await host.oneId.idToken({ clientId, login }) });
      expect((await withClaims(token)).status).toBe(200);
      await recorder().recordBackchannel({
        ...{ issuer: host.oneId.issuer, clientId, jti: 'j', iat: host.clock.seconds, sid: 'any', sub: 'alice' },
        scope: 'user',
      });
      await expectRejection(await withClaims(token), 'logged_out');
      expect((await withClaims({ ...token, iat: host.clock.seconds + 2 })).status).toBe(200);
    });

    it("a logout at the app ends the token of its request, also when OneID's clock is ahead", async () => {
      await start(settings);
      const token = claims({ iat: host.clock.seconds + 25 });
      const session = await findAlive(host.app.get(SessionJudge, { strict: false }), { claims: token });
      if (session === undefined) throw new Error('the session is not alive');
      await recorder().endLogin(session);
      await expectRejection(await withClaims(token), 'logged_out');
    });

    it('stays refused for the whole life of the token', async () => {
      await start(settings);
      const token = claims();
      await endBySid();
      host.clock.advance(maxSessionLifetimeMs - DAY);
      await expectRejection(await withClaims(token), 'logged_out');
      host.clock.advance(2 * DAY);
      await expectRejection(await withClaims(token), 'expired');
    });
  });
});

describe('SessionAliveGuard as a global guard', () => {
  it.each(['express', 'fastify'] as const)("lets the library's own routes through, on %s", async (adapter) => {
    const host = await Host.start({
      adapter,
      providers: [{ provide: APP_GUARD, useExisting: SessionAliveGuard }],
      options: { returnUrls: ['/', '/goodbye'] },
    });
    const { session, sid } = await host.signIn();
    expect((await host.fetch('/me', { session })).status).toBe(200);
    const logoutToken = await host.oneId.logoutToken({ clientId, sid });
    const body = new URLSearchParams({ logout_token: logoutToken });
    expect((await host.fetch('/backchannel_logout', { method: 'POST', body })).status).toBe(200);
    const frontchannel = `/frontchannel_logout?${new URLSearchParams({ iss: host.oneId.issuer, sid }).toString()}`;
    expect((await host.fetch(frontchannel, { session })).status).toBe(200);
    expect((await host.fetch('/logout/callback', { session })).status).toBe(303);
    await expectRejection(await host.fetch('/me', { session }), 'logged_out');
    await host.stop();
  });
});

describe('ReplicaStatus', () => {
  const nothingKept = { unrecordedLogouts: 0, undecidedLogouts: 0, missingBackchannelLogouts: 0 };

  it('gives the staleness of a replica that answers from memory', async () => {
    const host = await Host.start({ options: { liveness: { maxStalenessMs: 60_000 } } });
    const status = host.app.get(ReplicaStatus, { strict: false });
    const { stalenessMs = NaN, ...state } = status.read();
    expect(state).toEqual({ answersFromMemory: true, openConnections: 0, ...nothingKept });
    expect(stalenessMs).toBeLessThan(15_000);
    host.clock.advance(60_001);
    expect(status.read()).toEqual({
      stalenessMs: expect.any(Number),
      answersFromMemory: false,
      openConnections: 0,
      ...nothingKept,
    });
    expect(status.read().stalenessMs).toBeGreaterThan(60_000);
    await host.stop();
  });

  it('gives the number of open connections, and in strict mode the staleness when there is one', async () => {
    const host = await Host.start();
    const status = host.app.get(ReplicaStatus, { strict: false });
    expect(status.read()).toEqual({ answersFromMemory: false, openConnections: 0, ...nothingKept });
    const { session } = await host.signIn();
    const facts = await findAlive(host.app.get(SessionJudge, { strict: false }), { sessionToken: session });
    if (facts === undefined) throw new Error('not signed in');
    const subscription = host.app.get(SessionConnections, { strict: false }).over(facts).subscribe();
    expect(status.read()).toEqual({
      stalenessMs: expect.any(Number),
      answersFromMemory: false,
      openConnections: 1,
      ...nothingKept,
    });
    subscription.unsubscribe();
    expect(status.read().openConnections).toBe(0);
    await host.stop();
  });
});
