import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Controller, Get, type INestApplication, Logger, Post, Req, Res, UseGuards } from '@nestjs/common';
import {
  AllowAnonymous,
  CurrentSession,
  LogoutService,
  SessionAliveGuard,
  type SessionFacts,
  sessionFromClaims,
  sessionFromCookie,
  SessionRegistry,
  type SessionRequest,
  type RegisteredSession,
} from 'nestjs-oneid-logout';
import { SessionDatabase } from '../libs/oneid-logout/src/database/session-database.js';
import { Browser } from './support/browser.js';
import { stateOf, storedIn } from './support/channel-requests.js';
import { HostController } from './support/host-controller.js';
import { clientId, Host } from './support/host.js';
import { LogoutController, start as startLogout } from './support/logout-host.js';
import { intercept } from './support/session-store.js';
import { shareAmongTests } from './support/share-among-tests.js';

@Controller()
class OwnController {
  constructor(private readonly logout: LogoutService) {}

  @Get('id')
  @UseGuards(SessionAliveGuard)
  id(@CurrentSession() { id, sub }: SessionFacts) {
    return { id, sub };
  }

  /** Starts a logout without the request. */
  @Post('start')
  @UseGuards(SessionAliveGuard)
  async start(@CurrentSession() session: SessionFacts): Promise<string> {
    return (await this.logout.start({ session })).url;
  }

  /** Answers a logout of a copy of the session. */
  @Post('copy')
  @UseGuards(SessionAliveGuard)
  async copy(@Req() request: SessionRequest, @Res() response: unknown, @CurrentSession() session: SessionFacts) {
    await this.logout.respond(request, response, { session: { ...session } });
  }

  /** Has no guard; the session is a copy that the test sends. */
  @Post('copy-without-guard')
  async copyWithoutGuard(@Req() request: SessionRequest, @Res() response: unknown) {
    const session = JSON.parse(String(request.headers['x-session'])) as SessionFacts;
    await this.logout.respond(request, response, { session });
  }

  /** Has no guard: the library finds the sessions itself. */
  @Post('here')
  async here(@Req() request: SessionRequest): Promise<void> {
    await this.logout.endHere(request);
  }

  /** Behind the guard of an open route, the session is undefined when the request's sessions are of different users. */
  @Get('anonymous')
  @AllowAnonymous({ deadSession: 'anonymous' })
  @UseGuards(SessionAliveGuard)
  anonymous(@CurrentSession() session: SessionFacts | undefined) {
    return { sub: session?.sub ?? null };
  }
}

/** Puts the verified claims that a test sends into `request.user`, as another guard would. */
function useClaims(app: INestApplication): void {
  app.use((request: { headers: Record<string, string>; user?: unknown }, _response: unknown, next: () => void) => {
    const { 'x-claims': claims } = request.headers;
    if (claims !== undefined) request.user = JSON.parse(claims);
    next();
  });
}

const messages = {
  logged_out: 'A logout has ended the session',
  unknown: 'The session is unknown',
  missing: 'The request carries no session',
  ambiguous: 'The request carries sessions of different users, or too many sessions',
};

async function expectRejection(response: Response, reason: keyof typeof messages): Promise<void> {
  expect({ status: response.status, body: await response.json() }).toEqual({
    status: 401,
    body: { statusCode: 401, error: `session_${reason}`, message: messages[reason], reason },
  });
}

describe.each(['strict', 'bounded'] as const)('a request with several sessions, %s', (liveness) => {
  let host: Host;
  shareAmongTests(
    () =>
      Host.start({
        controllers: [HostController, LogoutController, OwnController],
        options: {
          sessionFrom: [sessionFromClaims(), sessionFromCookie('session')],
          ...(liveness === 'bounded' && { liveness: { maxStalenessMs: 60_000 } }),
        },
        configure: useClaims,
      }),
    (started) => void (host = started),
  );
  afterEach(() => {
    host.clock.ahead = 0;
  });

  const signIn = async (sub = 'alice') =>
    host.app
      .get(SessionRegistry)
      .register({ idToken: await host.oneId.idToken({ clientId, login: host.oneId.signIn({ sub }) }) });
  const signInDead = async (sub = 'alice') => {
    const session = await signIn(sub);
    await host.app.get(SessionRegistry).end(session.id);
    return session;
  };
  const cookiesOf = (...values: readonly (string | RegisteredSession)[]) =>
    values.map((value) => `session=${typeof value === 'string' ? value : value.sessionToken}`).join('; ');
  /** Claims of a verified token: of the login of this session, or of a login of its own. */
  const claimsOf = (sub: string, sid = `api-${sub}`) => ({
    'x-claims': JSON.stringify({ iss: host.oneId.issuer, sub, sid, iat: host.clock.seconds }),
  });
  const get = (path: string, cookie?: string, headers: Record<string, string> = {}) =>
    host.fetch(path, { headers: { ...(cookie !== undefined && { cookie }), ...headers } });
  const post = (path: string, cookie: string, headers: Record<string, string> = {}) =>
    host.fetch(path, { method: 'POST', headers: { cookie, ...headers } });
  /** How many sessions the database is asked about. */
  const asked = async (work: () => Promise<unknown>) => {
    const tokens = new Set<unknown>();
    const restore = intercept(host.app.get(SessionDatabase, { strict: false }), (run, sql, parameters) => {
      if (/FROM \Soneid_session\S s WHERE/.test(sql)) for (const value of parameters.flat()) tokens.add(value);
      return run(sql, parameters);
    });
    await work().finally(restore);
    return [...tokens].filter((value) => typeof value === 'string' && /^[0-9a-f]{64}$/.test(value)).length;
  };

  describe('two cookies of one name', () => {
    it('P11: one live session is enough, and handlers get that one', async () => {
      const [live, dead] = [await signIn(), await signInDead()];
      const expected = { id: live.id, sub: 'alice' };
      for (const cookie of [
        cookiesOf(dead, live),
        cookiesOf(live, dead),
        cookiesOf('f'.repeat(64), live),
        cookiesOf('x', live),
        cookiesOf('', live),
        cookiesOf(dead, 'x', '%zz', '', live, live, dead),
        `other=session; ${cookiesOf(dead)};session=${live.sessionToken}; xsession=1; session`,
        `session2=${dead.sessionToken}; session =${live.sessionToken}`,
      ]) {
        const response = await get('/id', cookie);
        expect([cookie, response.status, await response.json()]).toEqual([cookie, 200, expected]);
      }
    });

    it('P11: of two live sessions of one user, handlers get the first', async () => {
      const [first, second] = [await signIn(), await signIn()];
      expect(await (await get('/id', cookiesOf(first, second))).json()).toEqual({ id: first.id, sub: 'alice' });
      expect(await (await get('/id', cookiesOf(second, first))).json()).toEqual({ id: second.id, sub: 'alice' });
    });

    it('P11: two live sessions of different users are refused, and an anonymous route sees no session', async () => {
      const cookie = cookiesOf(await signIn('alice'), await signIn('bob'));
      await expectRejection(await get('/id', cookie), 'ambiguous');
      await expectRejection(await get('/open', cookie), 'ambiguous');
      expect(await (await get('/anonymous', cookie)).json()).toEqual({ sub: null });
      // the dead session of another user does not count
      const response = await get('/id', cookiesOf(await signInDead('bob'), await signIn('alice')));
      expect(await response.json()).toMatchObject({ sub: 'alice' });
    });

    it('P11: without a live session, the reason is that of the first value with the form of a session token', async () => {
      const dead = await signInDead();
      await expectRejection(await get('/id', cookiesOf(dead, 'f'.repeat(64))), 'logged_out');
      await expectRejection(await get('/id', cookiesOf('f'.repeat(64), dead)), 'unknown');
      await expectRejection(await get('/id', cookiesOf('x', dead)), 'logged_out');
      await expectRejection(await get('/id', cookiesOf('x', 'y')), 'unknown');
      await expectRejection(await get('/id', cookiesOf('', '')), 'missing');
    });

    it('P11: the guard asks about four values, and refuses more without asking', async () => {
      const live = await signIn();
      const dead = await Promise.all(Array.from({ length: 4 }, () => signInDead()));
      let response = new Response();
      expect(await asked(async () => (response = await get('/id', cookiesOf(...dead.slice(0, 3), live))))).toBe(4);
      expect(await response.json()).toEqual({ id: live.id, sub: 'alice' });
      for (const cookie of [cookiesOf(...dead, live), cookiesOf(live, ...dead)]) {
        expect(await asked(async () => (response = await get('/id', cookie)))).toBe(0);
        await expectRejection(response, 'ambiguous');
      }
      // text that is no session token, and a repeated value, are not asked about
      const many = cookiesOf(...Array.from({ length: 50 }, (_, n) => `x${n}`), live, ...dead.slice(0, 3), live, live);
      expect((await get('/id', many)).status).toBe(200);
    });

    it.each([
      ['one user', 'alice'],
      ['different users', 'bob'],
    ])('P11: a logout ends all sessions of the request, of %s', async (_whose, sub) => {
      const dead = await signInDead();
      const sessions = [await signIn('alice'), await signIn(sub)];
      const browser = new Browser(host);
      // the name of a cookie ends at "=", so this sends several cookies of one name
      browser.cookies.set('session', [dead, ...sessions].map((each) => each.sessionToken).join('; session='));
      const page = await startLogout(browser);
      expect(page.status).toBe(200);
      for (const session of sessions) expect(await stateOf(host, session)).toBe('logged_out');
    });

    it('P11: a logout ends more than four sessions, too', async () => {
      const sessions = await Promise.all(Array.from({ length: 6 }, (_, n) => signIn(`user-${n}`)));
      expect((await post('/here', cookiesOf(...sessions))).status).toBe(201);
      for (const session of sessions) expect(await stateOf(host, session)).toBe('logged_out');
    });

    it('P11: start() ends the other sessions of the request, and tells OneID of the first', async () => {
      const [first, second] = [await signIn(), await signIn()];
      const other = await signIn();
      const response = await post('/start', cookiesOf(first, second));
      expect(response.status).toBe(201);
      const hint = new URL(await response.text()).searchParams.get('id_token_hint') ?? '';
      expect(JSON.parse(Buffer.from(hint.split('.')[1] ?? '', 'base64url').toString())).toMatchObject({
        sid: first.sid,
      });
      expect(await stateOf(host, first)).toBe('logged_out');
      expect(await stateOf(host, second)).toBe('logged_out');
      expect(await stateOf(host, other)).toBe('alive');
    });

    it.each(['copy', 'copy-without-guard'])(
      'P11: respond() with a copy of a session ends the others of the request, too: /%s',
      async (path) => {
        const [first, second, other] = [await signIn(), await signIn(), await signIn()];
        const response = await post(`/${path}`, cookiesOf(first, second), {
          ...{ accept: 'application/json', 'sec-fetch-site': 'same-origin', 'x-session': JSON.stringify(first) },
        });
        const { url } = (await response.json()) as { url: string };
        const hint = new URL(url).searchParams.get('id_token_hint') ?? '';
        expect(JSON.parse(Buffer.from(hint.split('.')[1] ?? '', 'base64url').toString())).toMatchObject({
          sid: first.sid,
        });
        for (const session of [first, second]) expect(await stateOf(host, session)).toBe('logged_out');
        expect(await stateOf(host, other)).toBe('alive');
      },
    );

    it('P11: respond() ends the session that the app gives and, too, those that the request carries', async () => {
      const [given, carried] = [await signIn('alice'), await signIn('bob')];
      const response = await post('/copy-without-guard', cookiesOf(carried), {
        ...{ accept: 'application/json', 'sec-fetch-site': 'same-origin', 'x-session': JSON.stringify(given) },
      });
      expect(response.status).toBe(200);
      for (const session of [given, carried]) expect(await stateOf(host, session)).toBe('logged_out');
    });

    it('P11: a logout asks about sixteen values, ends the sessions among them, and the log says so', async () => {
      const [live, late] = [await signIn(), await signIn()];
      const made = Array.from({ length: 15 }, (_, n) => n.toString(16).padStart(64, 'a'));
      const log = jest.spyOn(Logger.prototype, 'warn').mockReturnValue();
      expect(await asked(() => post('/here', cookiesOf(...made, live, late)))).toBe(16);
      await post('/here', cookiesOf(...made, 'b'.repeat(64), late));
      const logged = log.mock.calls.map(([message]) => String(message));
      log.mockRestore();
      expect(await stateOf(host, live)).toBe('logged_out');
      expect(await stateOf(host, late)).toBe('alive');
      expect(logged).toEqual([
        'A logout came with more than 16 different session tokens of one resolver, and the library ended the sessions ' +
          'of the first 16. The guard refuses such requests. Set the session cookie with one path and domain.',
      ]);
    });

    it('P11: endHere() ends all sessions of the request, and a request without one records nothing', async () => {
      const [first, second] = [await signIn('alice'), await signIn('bob')];
      expect((await post('/here', cookiesOf(first, second))).status).toBe(201);
      expect(await stateOf(host, first)).toBe('logged_out');
      expect(await stateOf(host, second)).toBe('logged_out');
      const before = await storedIn(host);
      for (const cookie of ['', cookiesOf(first, second, 'x'), cookiesOf('f'.repeat(64))]) {
        expect((await post('/here', cookie)).status).toBe(201);
      }
      expect(await storedIn(host)).toEqual(before);
    });
  });

  describe('several resolvers', () => {
    it('P20: a live token does not make up for a dead cookie', async () => {
      const attacker = claimsOf('mallory');
      await expectRejection(await get('/id', cookiesOf(await signInDead()), attacker), 'logged_out');
      await expectRejection(await get('/id', cookiesOf('f'.repeat(64)), attacker), 'unknown');
      await expectRejection(await get('/id', cookiesOf('x'), attacker), 'unknown');
      await expectRejection(await get('/open', cookiesOf(await signInDead()), attacker), 'logged_out');
      expect(await (await get('/anonymous', cookiesOf(await signInDead()), attacker)).json()).toEqual({ sub: null });
      // not even of the same user
      await expectRejection(await get('/id', cookiesOf(await signInDead('alice')), claimsOf('alice')), 'logged_out');
      // a place that holds nothing does not count
      for (const cookie of [undefined, cookiesOf('')]) {
        expect(await (await get('/id', cookie, attacker)).json()).toEqual({ sub: 'mallory' });
      }
    });

    it('P20: a live cookie does not make up for a dead token', async () => {
      const live = await signIn();
      const token = { 'x-claims': JSON.stringify({ iss: 'https://other.example/', sub: 'alice', sid: 's', iat: 1 }) };
      const response = await get('/id', cookiesOf(live), token);
      expect(response.headers.get('www-authenticate')).toBe(
        'Bearer error="invalid_token", error_description="The token has no live session"',
      );
      await expectRejection(response, 'unknown');
    });

    it('P20: live sessions of different users are refused', async () => {
      const cookie = cookiesOf(await signIn('alice'));
      await expectRejection(await get('/id', cookie, claimsOf('mallory')), 'ambiguous');
      await expectRejection(await get('/open', cookie, claimsOf('mallory')), 'ambiguous');
      expect(await (await get('/anonymous', cookie, claimsOf('mallory'))).json()).toEqual({ sub: null });
      // the cookies are of different users, and the token is of one of them
      const both = cookiesOf(await signIn('alice'), await signIn('bob'));
      await expectRejection(await get('/id', both, claimsOf('alice')), 'ambiguous');
    });

    it('P20: live sessions of one user pass, and handlers get the session of the first resolver', async () => {
      const session = await signIn('alice');
      const response = await get('/id', cookiesOf(session), claimsOf('alice'));
      expect([response.status, await response.json()]).toEqual([200, { sub: 'alice' }]);
      // one dead cookie beside a live one, and a live token
      const cookie = cookiesOf(await signInDead('alice'), session);
      expect(await (await get('/id', cookie, claimsOf('alice'))).json()).toEqual({ sub: 'alice' });
    });

    it('P14: P20: a token without sub counts as the token of the user who has signed in with its sid', async () => {
      const [alice, phone, bob] = [await signIn('alice'), await signIn('alice'), await signIn('bob')];
      const token = (sid = '') => ({
        'x-claims': JSON.stringify({ iss: host.oneId.issuer, sid, iat: host.clock.seconds }),
      });
      expect((await get('/id', cookiesOf(alice), token(alice.sid))).status).toBe(200);
      expect((await get('/id', cookiesOf(alice), token(phone.sid))).status).toBe(200);
      await expectRejection(await get('/id', cookiesOf(bob), token(phone.sid)), 'ambiguous');
      await expectRejection(await get('/id', cookiesOf(alice), token('never-registered')), 'ambiguous');
    });

    it('P20: a logout ends both sessions of the request', async () => {
      const session = await signIn('alice');
      const token = claimsOf('alice', 'api-login');
      expect((await post('/start', cookiesOf(session), token)).status).toBe(201);
      expect(await stateOf(host, session)).toBe('logged_out');
      await expectRejection(await get('/id', undefined, token), 'logged_out');
    });

    it('P20: a logout ends the live session beside a dead one', async () => {
      const token = claimsOf('alice', 'beside-a-dead-one');
      expect((await post('/here', cookiesOf(await signInDead()), token)).status).toBe(201);
      await expectRejection(await get('/id', undefined, token), 'logged_out');
    });
  });
});

describe("an app's own resolver", () => {
  it('P11: may return a list of session tokens and claims', async () => {
    let found: unknown = [];
    const host = await Host.start({
      options: { sessionFrom: () => found as [] },
      controllers: [OwnController],
    });
    const [alice, bob] = [await host.signIn(host.oneId.signIn({ sub: 'alice' })), await host.signIn()];
    const claims = { iss: host.oneId.issuer, sub: 'alice', sid: 'api', iat: host.clock.seconds };
    const answerTo = async (list: unknown) => {
      found = list;
      const response = await host.fetch('/id');
      const { id, sub, reason } = (await response.json()) as Record<string, unknown>;
      return [response.status, reason ?? sub, typeof id];
    };
    const token = { sessionToken: alice.session };
    expect(await answerTo([])).toEqual([401, 'missing', 'undefined']);
    expect(await answerTo([token])).toEqual([200, 'alice', 'string']);
    expect(await answerTo([{ sessionToken: 'x' }, token])).toEqual([200, 'alice', 'string']);
    expect(await answerTo([{ claims }, token])).toEqual([200, 'alice', 'undefined']);
    expect(await answerTo([{ claims: { ...claims, iss: 'x' } }, token])).toEqual([200, 'alice', 'string']);
    expect(await answerTo([token, { sessionToken: bob.session }])).toEqual([401, 'ambiguous', 'undefined']);
    const five = Array.from({ length: 5 }, (_, n) => ({ claims: { ...claims, sid: `s${n}` } }));
    expect(await answerTo(five.slice(1))).toEqual([200, 'alice', 'undefined']);
    expect(await answerTo(five)).toEqual([401, 'ambiguous', 'undefined']);
    for (const wrong of [[null], [token, undefined], [[token]], [alice.session]]) {
      expect((await answerTo(wrong))[0]).toBe(500);
    }
    await host.stop();
  });
});
