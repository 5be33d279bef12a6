import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { type INestApplication, Logger } from '@nestjs/common';
import { type NestExpressApplication } from '@nestjs/platform-express';
import helmet from 'helmet';
import { ReplicaStatus, sessionFromCookie, SessionRegistry } from 'nestjs-oneid-logout';
import { endpointPaths } from 'nestjs-oneid-logout/testing';
import { RefreshTokenRevoker } from '../libs/oneid-logout/src/tokens/refresh-token-revoker.js';
import { BackchannelWatch } from '../libs/oneid-logout/src/sessions/backchannel-watch.js';
import { SessionDatabase } from '../libs/oneid-logout/src/database/session-database.js';
import { targetOf } from '../libs/oneid-logout/src/rule/targets.js';
import {
  answerOf,
  Cleanup,
  delivered,
  logoutsOf,
  post,
  signIn,
  stateOf,
  storedIn,
} from './support/channel-requests.js';
import { databases } from './support/databases.js';
import { clientId, Host } from './support/host.js';
import { failNext, intercept } from './support/session-store.js';
import { shareAmongTests } from './support/share-among-tests.js';

const html = (text: string) => `<!doctype html><meta charset="utf-8"><title>Logout</title><p>${text}</p>`;
const answer = (status: number, text: string, retryAfter: string | null = null) => ({
  status,
  contentType: 'text/html; charset=utf-8',
  cacheControl: 'no-store',
  retryAfter,
  body: html(text),
});
const loggedOut = answer(200, 'Logged out.');
const nothingDone = answer(200, 'Nothing was logged out: the request names no login. It needs iss and sid.');
const refused = answer(400, 'Give iss and sid once each, or give neither of them.');
const notRecorded = answer(503, 'The app could not record the logout.', '5');

/** `SameSite=None`, so that browsers that allow this send it in an iframe. */
const clearCookies = [
  { name: 'session', path: '/', secure: true, httpOnly: true, sameSite: 'none' as const, partitioned: true },
  { name: 'remember', path: '/account', domain: 'app.example' },
];
const cleared = [
  'session=; Max-Age=0; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; Secure; Partitioned; SameSite=None',
  'remember=; Max-Age=0; Domain=app.example; Path=/account; Expires=Thu, 01 Jan 1970 00:00:00 GMT',
];

const load = (host: Host, query: string, init: Parameters<Host['fetch']>[1] = {}) =>
  host.fetch(`/frontchannel_logout${query}`, init);
const get = async (host: Host, query: string, init: Parameters<Host['fetch']>[1] = {}) =>
  answerOf(await load(host, query, init));
const queryOf = (parameters: Record<string, string>) => `?${new URLSearchParams(parameters).toString()}`;

const cleanup = new Cleanup();
afterEach(() => cleanup.run());

describe.each(databases)('front-channel logout, on $name', (database) => {
  let host: Host;
  shareAmongTests(
    () => Host.start({ database, options: { clearCookies } }),
    (started) => void (host = started),
  );
  afterEach(() => void jest.restoreAllMocks());

  const iss = () => host.oneId.issuer;

  describe('FC-1: the request', () => {
    it('FC-1: accepts iss and sid', async () => {
      const { login, session } = await signIn(host);
      const url = host.oneId.frontchannelUrl(`${host.url}/frontchannel_logout`, { sid: login.sid });

      expect(await answerOf(await fetch(url))).toEqual(loggedOut);
      expect(await stateOf(host, session)).toBe('logged_out');
    });

    it('P8: FC-1: a prefetch ends nothing, and the iframe does', async () => {
      const { login, session } = await signIn(host);
      const query = queryOf({ iss: iss(), sid: login.sid });
      const before = await storedIn(host);
      for (const headers of [
        { 'Sec-Purpose': 'prefetch;prerender', 'Sec-Fetch-Dest': 'iframe' },
        { Purpose: 'prefetch' },
      ]) {
        const early = await load(host, query, { session: session.sessionToken, headers });
        expect([early.status, await early.text()]).toEqual([403, 'This address must not be prefetched.']);
        expect([early.headers.get('cache-control'), early.headers.getSetCookie()]).toEqual(['no-store', []]);
      }
      expect(await storedIn(host)).toEqual(before);
      expect(await get(host, query, { headers: { 'Sec-Fetch-Dest': 'iframe' } })).toEqual(loggedOut);
      expect(await stateOf(host, session)).toBe('logged_out');
    });

    it('P3, FC-1: accepts sid alone when one issuer is configured', async () => {
      const { login, session } = await signIn(host);

      expect(await get(host, queryOf({ sid: login.sid }))).toEqual(loggedOut);
      expect(await stateOf(host, session)).toBe('logged_out');
      const before = await storedIn(host);
      expect(await get(host, queryOf({ sid: login.sid }))).toEqual(loggedOut);
      expect(await get(host, queryOf({ sid: 'unknown' }))).toEqual(loggedOut);
      expect(await storedIn(host)).toEqual(before);
    });

    it('FC-1: refuses iss alone, and empty or repeated parameters', async () => {
      const { login, session } = await signIn(host);
      const i = `iss=${encodeURIComponent(iss())}`;
      const s = `sid=${login.sid}`;
      const queries = [i, `${i}&sid=`, `iss=&${s}`, 'iss=&sid=', `${i}&${s}&${s}`, `${i}&${i}&${s}`, `${i}&${i}`];
      queries.push(`${s}&${s}`, `${i}&${s}&sid=other`, `${i}&SID=${login.sid}`, `${i}&sid=${'x'.repeat(256)}`);
      queries.push('sid=', `sid=${'x'.repeat(256)}`, `${s}&iss=`);
      queries.push(`${i}&sid[]=${login.sid}`, `${i}&sid[a]=${login.sid}`);
      const before = await storedIn(host);

      for (const query of queries) expect([query, await get(host, `?${query}`)]).toEqual([query, refused]);
      expect(await storedIn(host)).toEqual(before);
      expect(await stateOf(host, session)).toBe('alive');
    });

    it('FC-1: ignores other parameters', async () => {
      const { login, session } = await signIn(host);

      expect(await get(host, queryOf({ iss: iss(), sid: login.sid, unknown: 'x' }))).toEqual(loggedOut);
      expect(await stateOf(host, session)).toBe('logged_out');
    });

    it('FC-1: refuses a POST', async () => {
      const { login, session } = await signIn(host);
      const query = queryOf({ iss: iss(), sid: login.sid });

      expect((await load(host, query, { method: 'POST' })).status).toBe(404);
      expect(await stateOf(host, session)).toBe('alive');
    });
  });

  describe('FC-2: iss and sid', () => {
    it('FC-2: iss and sid end the login without a cookie, and a later sign-in in the same login is alive', async () => {
      const login = host.oneId.signIn();
      const first = await signIn(host, login);
      const second = await signIn(host, login);
      const before = await logoutsOf(host);

      expect(await get(host, queryOf({ iss: iss(), sid: login.sid }))).toEqual(loggedOut);
      expect([await stateOf(host, first.session), await stateOf(host, second.session)]).toEqual([
        'logged_out',
        'logged_out',
      ]);
      const recorded = (await logoutsOf(host)).filter(({ target }) => !before.some((known) => known.target === target));
      expect(recorded).toEqual([
        {
          target: targetOf('sid', iss(), login.sid),
          channel: 'frontchannel',
          issuedUntil: null,
          registeredUntil: expect.any(Number) as unknown,
          iat: null,
        },
      ]);

      host.clock.advance(2_000);
      const again = await signIn(host, login);
      expect(await stateOf(host, again.session)).toBe('alive');
      expect(await stateOf(host, first.session)).toBe('logged_out');
    });

    it('FC-2: store nothing for a login that is unknown, ended or expired, or of another issuer', async () => {
      const { login, session } = await signIn(host);
      expect(await get(host, queryOf({ iss: iss(), sid: login.sid }))).toEqual(loggedOut);
      const expired = host.oneId.signIn();
      await host.app.get(SessionRegistry).register({
        idToken: await host.oneId.idToken({ clientId, login: expired }),
        expiresAt: new Date(host.clock.now() + 1000),
      });
      host.clock.advance(2000);
      const before = await storedIn(host);

      for (const query of [
        { iss: iss(), sid: login.sid },
        { iss: iss(), sid: 'unknown' },
        { iss: iss(), sid: expired.sid },
        { iss: iss(), sid: session.id },
        { iss: 'https://other.example/', sid: login.sid },
        { iss: 'x', sid: 'y' },
      ]) {
        expect(await get(host, queryOf(query))).toEqual(loggedOut);
      }
      expect(await storedIn(host)).toEqual(before);
    });

    it('FC-2: a back-channel logout of the same login still counts after a front-channel logout', async () => {
      const { login, session } = await signIn(host);
      await get(host, queryOf({ iss: iss(), sid: login.sid }));

      expect(await post(host, await host.oneId.logoutToken({ clientId, login }))).toEqual(delivered);
      expect(await stateOf(host, session)).toBe('logged_out');
      await expect(signIn(host, login)).rejects.toMatchObject({ code: 'session_ended' });
    });

    it('FC-2: accepts the issuer with or without its trailing slash', async () => {
      const { login, session } = await signIn(host);

      expect(await get(host, queryOf({ iss: iss().slice(0, -1), sid: login.sid }))).toEqual(loggedOut);
      expect(await stateOf(host, session)).toBe('logged_out');
    });

    it('FC-2: answers 503 and stores nothing when the store fails', async () => {
      const { login, session } = await signIn(host);
      failNext(host.app.get(SessionDatabase, { strict: false }));

      expect(await get(host, queryOf({ iss: iss(), sid: login.sid }))).toEqual(notRecorded);
      expect(await stateOf(host, session)).toBe('alive');
      expect(await get(host, queryOf({ iss: iss(), sid: login.sid }))).toEqual(loggedOut);
      expect(await stateOf(host, session)).toBe('logged_out');
    });
  });

  it('P39, FC-3: without iss and sid, ends nothing and says so, even with a cookie in an iframe', async () => {
    const { session } = await signIn(host);
    const before = await storedIn(host);

    expect(await get(host, '', { session: session.sessionToken, headers: { 'Sec-Fetch-Dest': 'iframe' } })).toEqual(
      nothingDone,
    );
    expect(await get(host, '?unknown=x', { session: session.sessionToken })).toEqual(nothingDone);
    expect(await storedIn(host)).toEqual(before);
    expect(await stateOf(host, session)).toBe('alive');
  });

  it('FC-4: never revokes tokens', async () => {
    const login = host.oneId.signIn();
    const refreshToken = host.oneId.refreshToken({ clientId, login });
    const idToken = await host.oneId.idToken({ clientId, login });
    const session = await host.app.get(SessionRegistry).register({ idToken, refreshToken });

    expect(await get(host, queryOf({ iss: iss(), sid: login.sid }))).toEqual(loggedOut);
    await host.app.get(RefreshTokenRevoker).wake();
    expect(await stateOf(host, session)).toBe('logged_out');
    expect(host.oneId.revoked).toEqual([]);
    expect(host.oneId.count(endpointPaths.revocation)).toBe(0);
  });

  describe('FC-5: the answer', () => {
    it('FC-5: the answer is never cached, and only OneID may frame it', async () => {
      for (const query of ['', queryOf({ iss: iss(), sid: 'unknown' }), '?iss=only']) {
        const { headers } = await load(host, query);
        expect([
          headers.get('cache-control'),
          headers.get('content-security-policy'),
          headers.get('x-frame-options'),
          headers.get('cross-origin-resource-policy'),
        ]).toEqual(['no-store', `default-src 'none'; frame-ancestors ${new URL(iss()).origin}`, null, 'cross-origin']);
      }
    });

    it("FC-5: clears the cookies of a browser whose session has ended, with the cookies' own attributes", async () => {
      const { login, session } = await signIn(host);
      const query = queryOf({ iss: iss(), sid: login.sid });

      expect((await load(host, query, { session: session.sessionToken })).headers.getSetCookie()).toEqual(cleared);
      expect((await load(host, '', { session: session.sessionToken })).headers.getSetCookie()).toEqual(cleared);
    });

    it('P11: FC-5: clears no cookies while one of several sessions of the request is alive', async () => {
      const [ended, alive] = [await signIn(host), await signIn(host)];
      const cookies = `${ended.session.sessionToken}; session=${alive.session.sessionToken}`;
      const query = queryOf({ iss: iss(), sid: ended.login.sid });

      expect((await load(host, query, { session: cookies })).headers.getSetCookie()).toEqual([]);
      expect(await stateOf(host, ended.session)).toBe('logged_out');
      expect(await stateOf(host, alive.session)).toBe('alive');
    });

    it('P11: FC-5: clears no cookies, and asks the store nothing, with more values than the guard asks about', async () => {
      const dead = Array.from({ length: 5 }, (_, n) => n.toString(16).padStart(64, 'a'));
      let asked = 0;
      const restore = intercept(host.app.get(SessionDatabase, { strict: false }), (run, sql, parameters) => {
        asked += 1;
        return run(sql, parameters);
      });
      const five = await load(host, '', { session: dead.join('; session=') });
      expect([five.headers.getSetCookie(), asked]).toEqual([[], 0]);
      const four = await load(host, '', { session: dead.slice(1).join('; session=') });
      restore();
      expect([four.headers.getSetCookie(), asked > 0]).toEqual([cleared, true]);
    });

    it('FC-5: clears no cookies when the request ended another session', async () => {
      const [mine, theirs] = [await signIn(host), await signIn(host)];
      const query = queryOf({ iss: iss(), sid: theirs.login.sid });

      expect((await load(host, query, { session: mine.session.sessionToken })).headers.getSetCookie()).toEqual([]);
      expect(await stateOf(host, mine.session)).toBe('alive');
      expect((await load(host, query)).headers.getSetCookie()).toEqual([]);
    });

    it('FC-5: does not answer 304 to a conditional request', async () => {
      const response = await load(host, '', { headers: { 'If-None-Match': '*' } });

      expect([response.status, response.headers.get('etag')]).toEqual([200, null]);
    });
  });

  it('attack 7: answers do not tell known logins from unknown ones', async () => {
    const { login } = await signIn(host);
    const shown = async (sid: string) => {
      const response = await load(host, queryOf({ iss: iss(), sid }));
      const { date, ...headers } = Object.fromEntries(response.headers.entries());
      return { status: response.status, headers, body: await response.text(), dated: date !== undefined };
    };

    expect(await shown(login.sid)).toEqual(await shown('unknown'));
    expect(await shown(login.sid)).toEqual(await shown(login.sid));
  });

  it('attack 4: the page repeats no part of the request', async () => {
    const response = await load(host, queryOf({ iss: '<script>alert(1)</script>', sid: '"><img src=x>' }));

    expect(await response.text()).toBe(html('Logged out.'));
  });

  it('P42, FC-3: an iframe without iss and sid, as in the real suite, ends nothing', async () => {
    const { session } = await signIn(host);
    const iframe = await host.fetch('/frontchannel_logout', {
      session: session.sessionToken,
      headers: { 'Sec-Fetch-Dest': 'iframe', 'Sec-Fetch-Site': 'cross-site' },
    });

    expect([iframe.status, iframe.headers.get('cache-control')]).toEqual([200, 'no-store']);
    expect(await stateOf(host, session)).toBe('alive');
  });
});

describe('front-channel logout with sid alone', () => {
  const clientsOf = (...issuers: string[]) =>
    issuers.map((issuer, n) => ({
      issuer,
      clientId: n === 0 ? clientId : `other-${n}`,
      postLogoutRedirectUri: 'https://app.example/logout/callback',
    }));

  it('P3, FC-1: is accepted when several clients have one issuer, with or without its trailing slash', async () => {
    const oneId = await cleanup.oneId();
    const slash = oneId.issuer.replace(/\/$/, '');
    const host = await cleanup.host({ options: { clients: clientsOf(`${slash}/`, slash) } });
    const warned = jest.spyOn(Logger.prototype, 'warn').mockReturnValue();

    expect(await get(host, '?sid=unknown')).toEqual(loggedOut);
    expect(warned.mock.calls).toEqual([]);
    warned.mockRestore();
  });

  it('P3, FC-1: is refused when the clients have several issuers, and the log says why', async () => {
    const [one, two] = [await cleanup.oneId(), await cleanup.oneId()];
    const host = await cleanup.host({ options: { clients: clientsOf(one.issuer, two.issuer) } });
    const idToken = await one.idToken({ clientId, login: one.signIn() });
    const session = await host.app.get(SessionRegistry).register({ idToken });
    const before = await storedIn(host);
    const warned = jest.spyOn(Logger.prototype, 'warn').mockReturnValue();

    expect(await get(host, queryOf({ sid: session.sid ?? '' }))).toEqual(refused);
    expect(warned.mock.calls.map(([message]) => String(message))).toEqual([
      'Refused a front-channel logout that gives sid without iss: the clients of this app have several issuers, so the ' +
        'sid does not say which login to end',
    ]);
    warned.mockRestore();
    expect(await storedIn(host)).toEqual(before);
    expect(await get(host, queryOf({ iss: one.issuer, sid: session.sid ?? '' }))).toEqual(loggedOut);
    expect(await stateOf(host, session)).toBe('logged_out');
  });
});

describe('front-channel logout of the session that the request carries', () => {
  let host: Host;
  shareAmongTests(
    () => Host.start({ options: { frontchannelEndsCarriedSession: true, clearCookies } }),
    (started) => void (host = started),
  );

  it('FC-3: ends the session of the request in an iframe when the option is on', async () => {
    const { session } = await signIn(host);
    const response = await load(host, '', { session: session.sessionToken, headers: { 'Sec-Fetch-Dest': 'iframe' } });

    expect(response.headers.getSetCookie()).toEqual(cleared);
    expect(await answerOf(response)).toEqual(loggedOut);
    expect(await stateOf(host, session)).toBe('logged_out');
    expect((await logoutsOf(host)).map(({ channel }) => channel)).toEqual(['frontchannel']);
  });

  it.each([undefined, 'document', 'image', 'empty', 'IFRAME', 'embed'])(
    'FC-3: does not end the session of the request with Sec-Fetch-Dest %s',
    async (dest) => {
      const { session } = await signIn(host);
      const headers = dest === undefined ? {} : { 'Sec-Fetch-Dest': dest };

      expect(await get(host, '', { session: session.sessionToken, headers })).toEqual(nothingDone);
      expect(await stateOf(host, session)).toBe('alive');
    },
  );

  it('P11: FC-3: ends all sessions that the request carries', async () => {
    const [one, two] = [await signIn(host), await signIn(host)];
    const cookies = `unknown; session=${one.session.sessionToken}; session=${two.session.sessionToken}`;
    const response = await load(host, '', { session: cookies, headers: { 'Sec-Fetch-Dest': 'iframe' } });

    expect(response.headers.getSetCookie()).toEqual(cleared);
    expect(await stateOf(host, one.session)).toBe('logged_out');
    expect(await stateOf(host, two.session)).toBe('logged_out');
  });

  it('FC-3: ends a session without sid, and no other session', async () => {
    const login = { sub: 'nobody-else', sid: 'left-out' };
    const idToken = () => host.oneId.idToken({ clientId, ...login, claims: { sid: undefined, jti: randomUUID() } });
    const registry = host.app.get(SessionRegistry);
    const [session, other] = [
      await registry.register({ idToken: await idToken() }),
      await registry.register({ idToken: await idToken() }),
    ];
    expect(session.sid).toBeUndefined();
    await load(host, '', { session: session.sessionToken, headers: { 'Sec-Fetch-Dest': 'iframe' } });

    expect(await stateOf(host, session)).toBe('logged_out');
    expect(await stateOf(host, other)).toBe('alive');
  });

  it('FC-3: stores nothing for a request without an alive session', async () => {
    const before = await storedIn(host);
    const headers = { 'Sec-Fetch-Dest': 'iframe' };
    expect(await get(host, '', { headers })).toEqual(nothingDone);
    for (const session of ['x', 'f'.repeat(64)]) {
      expect(await get(host, '', { session, headers })).toEqual(loggedOut);
    }
    expect(await storedIn(host)).toEqual(before);
  });
});

it("FC-3: answers 503 when the host's resolver fails, and the log says why", async () => {
  const sessionFrom = () => {
    throw new Error('the resolver is broken');
  };
  const host = await cleanup.host({ options: { frontchannelEndsCarriedSession: true, sessionFrom } });
  const log = jest.spyOn(Logger.prototype, 'error').mockReturnValue();
  expect(await get(host, '', { headers: { 'Sec-Fetch-Dest': 'iframe' } })).toEqual(notRecorded);
  const logged = log.mock.calls.map(([message]) => String(message));
  log.mockRestore();
  expect(logged).toEqual(['Could not process a front-channel logout: server_error: the resolver is broken']);
});

describe('front-channel logouts that name no login', () => {
  it('P39: the log says so at once, counts the others, and says which value to register', async () => {
    const host = await cleanup.host();
    const { login, session } = await signIn(host);
    const warned = jest.spyOn(Logger.prototype, 'warn').mockReturnValue();
    const text = (count: number) =>
      `Front-channel logouts without iss and sid: ${count}. The library did nothing, because they name no login. ` +
      'Register frontchannel_logout_session_required as true at the provider, so that it sends both.';
    const said = () => warned.mock.calls.splice(0).map(([message]) => String(message));

    expect(await get(host, '')).toEqual(nothingDone);
    expect(said()).toEqual([text(1)]);
    for (let n = 0; n < 3; n++) expect(await get(host, `?secret=${n}`)).toEqual(nothingDone);
    expect(said()).toEqual([]);
    host.clock.advance(60_000);
    expect(said()).toEqual([text(3)]);
    host.clock.advance(60_000);
    expect(await get(host, queryOf({ iss: host.oneId.issuer, sid: login.sid }))).toEqual(loggedOut);
    expect(await stateOf(host, session)).toBe('logged_out');
    expect(said()).toEqual([]);
  });
});

describe('front-channel logout in a host with its own policies', () => {
  it("FC-5: replaces helmet's default headers", async () => {
    const host = await cleanup.host({
      configure: (app: INestApplication) => void (app as NestExpressApplication).use(helmet()),
    });
    const { headers } = await load(host, '');

    expect(headers.get('content-security-policy')).toBe(
      `default-src 'none'; frame-ancestors ${new URL(host.oneId.issuer).origin}`,
    );
    expect(headers.get('x-frame-options')).toBeNull();
    expect(headers.get('cross-origin-resource-policy')).toBe('cross-origin');
    expect((await host.fetch('/home')).headers.get('x-frame-options')).toBe('SAMEORIGIN');
  });

  it('FC-5: allows the origin of the end-session endpoint too', async () => {
    const host = await cleanup.host();
    host.oneId.setMetadata({ end_session_endpoint: 'https://login.example/oauth2/sessions/logout?x=1' });

    expect((await load(host, '')).headers.get('content-security-policy')).toBe(
      `default-src 'none'; frame-ancestors ${new URL(host.oneId.issuer).origin} https://login.example`,
    );
  });

  it("FC-5: ends the login also when OneID's configuration is not available", async () => {
    const host = await cleanup.host();
    const { login, session } = await signIn(host);
    host.clock.advance(2 * 60 * 60 * 1000);
    host.oneId.fail('*', { reset: true });

    expect(await get(host, queryOf({ iss: host.oneId.issuer, sid: login.sid }))).toEqual(loggedOut);
    expect(await stateOf(host, session)).toBe('logged_out');
  });

  it("FC-2: ends the login also when the host's resolver fails", async () => {
    const byCookie = sessionFromCookie('session');
    const host = await cleanup.host({
      options: {
        clearCookies,
        sessionFrom: (request) => {
          if (request.headers['x-broken'] !== undefined) throw new Error('the resolver is broken');
          return byCookie(request);
        },
      },
    });
    const { login, session } = await signIn(host);

    const query = queryOf({ iss: host.oneId.issuer, sid: login.sid });
    expect(await get(host, query, { headers: { 'X-Broken': '1' } })).toEqual(loggedOut);
    expect(await stateOf(host, session)).toBe('logged_out');
  });
});

describe.each(databases)('a back-channel that OneID does not reach, on $name', (database) => {
  let host: Host;
  beforeEach(async () => {
    host = await cleanup.host({ database });
  });
  afterEach(() => void jest.restoreAllMocks());

  const missed = () => host.app.get(ReplicaStatus, { strict: false }).read().missingBackchannelLogouts;
  const logOut = async () => {
    const { login } = await signIn(host);
    expect(await get(host, queryOf({ iss: host.oneId.issuer, sid: login.sid }))).toEqual(loggedOut);
    return login;
  };
  const look = () => host.app.get(BackchannelWatch, { strict: false }).wake();
  const lookAfter = async (ms: number) => {
    // a statement under way would meet its time limit
    await host.settled();
    host.clock.advance(ms);
    await look();
  };
  const afterAMinute = () => lookAfter(60_000);

  it('is counted for each front-channel logout without its back-channel logout, and logged once', async () => {
    const warned = jest.spyOn(Logger.prototype, 'warn').mockReturnValue();
    await logOut();
    await lookAfter(59_000);
    expect(missed()).toBe(0);
    await afterAMinute();
    expect(missed()).toBe(1);
    await Promise.all([logOut(), logOut()]);
    await afterAMinute();
    expect(missed()).toBe(3);
    const warnings = warned.mock.calls.map(([message]) => String(message));
    expect(warnings.filter((warning) => warning.includes('front-channel'))).toEqual([
      'A front-channel logout has ended a login, but its back-channel logout has not come within a minute. If both ' +
        'channels are registered at OneID, OneID probably does not reach POST /backchannel_logout: check the ' +
        'registered URI, the firewall, and what answers before the route (npx nestjs-oneid-logout doctor asks the ' +
        'route). Until then, a user whose browser loads no iframe stays signed in here. This is logged once; ' +
        'ReplicaStatus.read().missingBackchannelLogouts counts them.',
    ]);
  });

  it('is not counted when the back-channel logout comes before, within the minute, or names only the sub', async () => {
    const login = await logOut();
    host.clock.advance(30_000);
    await post(host, await host.oneId.logoutToken({ clientId, login }));
    const second = await signIn(host);
    await post(host, await host.oneId.logoutToken({ clientId, login: second.login }));
    await get(host, queryOf({ iss: host.oneId.issuer, sid: second.login.sid }));
    const { sub } = await logOut();
    await post(host, await host.oneId.logoutToken({ clientId, sub, shape: 'spec' }));
    await afterAMinute();
    expect(missed()).toBe(0);
  });

  it('is not counted for a request that ends nothing', async () => {
    expect(await get(host, queryOf({ iss: host.oneId.issuer, sid: 'unknown' }))).toEqual(loggedOut);
    await afterAMinute();
    expect(missed()).toBe(0);
  });

  it('is counted when the store is back, if it failed after the minute', async () => {
    await logOut();
    await host.settled();
    host.clock.advance(60_000);
    failNext(host.app.get(SessionDatabase, { strict: false }));
    await look();
    expect(missed()).toBe(0);
    await look();
    expect(missed()).toBe(1);
  });
});
