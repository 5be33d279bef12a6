import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import {
  type RegisteredSession,
  SessionConnections,
  sessionFromClaims,
  sessionFromCookie,
  SessionRegistry,
  type TokenClaims,
} from 'nestjs-oneid-logout';
import { type BrowserLogin } from 'nestjs-oneid-logout/testing';
import { OpenConnections } from '../libs/oneid-logout/src/connections/open-connections.js';
import { SessionJudge } from '../libs/oneid-logout/src/guard/session-judge.js';
import { targetOf } from '../libs/oneid-logout/src/rule/targets.js';
import { LogoutRecorder } from '../libs/oneid-logout/src/sessions/logout-recorder.js';
import { SessionPurge } from '../libs/oneid-logout/src/store/session-purge.js';
import { delivered, logoutsOf, post, signIn, stateOf, storedIn } from './support/channel-requests.js';
import { databases, sqlite } from './support/databases.js';
import { clientId, Host, type HostSettings } from './support/host.js';
import { DAY } from './support/session-store.js';
import { shareAmongTests } from './support/share-among-tests.js';
import { until } from './support/until.js';
import { findAlive } from './support/find-alive.js';

/** The guard asks the database, or the replica's memory. */
const kinds = [
  ...databases.map((database) => ({ where: database.name, database, liveness: 'strict' as const })),
  {
    where: "SQLite and the replica's memory",
    database: sqlite,
    liveness: { maxStalenessMs: 60_000, answerAtOnce: true },
  },
];

const claimsOf = (request: { headers: Readonly<Record<string, unknown>> }): unknown => {
  const { 'x-claims': claims } = request.headers;
  return typeof claims === 'string' ? JSON.parse(decodeURIComponent(claims)) : undefined;
};

describe.each(kinds)('which sessions a logout ends, on $where', ({ database, liveness }) => {
  const settings = (client: HostSettings['client'] = {}, options: HostSettings['options'] = {}): HostSettings => ({
    database,
    client,
    options: { liveness, sessionFrom: [sessionFromCookie('session'), sessionFromClaims(claimsOf)], ...options },
  });

  let host: Host;
  let warned: jest.SpiedFunction<Logger['warn']>;
  beforeEach(() => {
    warned = jest.spyOn(Logger.prototype, 'warn').mockReturnValue();
    jest.spyOn(Logger.prototype, 'error').mockReturnValue();
  });
  afterEach(() => void jest.restoreAllMocks());

  /** The warnings since the last call. */
  const warnings = () => warned.mock.calls.splice(0).map(([message]) => String(message));

  const register = async (login: Partial<BrowserLogin>, claims: Record<string, unknown> = {}) => {
    const idToken = await host.oneId.idToken({ clientId, ...login, claims: { jti: randomUUID(), ...claims } });
    return host.app.get(SessionRegistry).register({ idToken });
  };
  const logOut = async (token: Parameters<Host['oneId']['logoutToken']>[0]) => {
    const logoutToken = await host.oneId.logoutToken(token);
    expect(await post(host, logoutToken)).toEqual(delivered);
    return logoutToken;
  };
  const states = async (...sessions: RegisteredSession[]) => {
    const found = [];
    for (const session of sessions) found.push(await stateOf(host, session));
    return found;
  };
  const bearer = (claims: TokenClaims) => ({ iss: host.oneId.issuer, iat: host.clock.seconds, ...claims });
  const stateOfClaims = async (claims: object) => {
    const response = await host.fetch('/me', { headers: { 'x-claims': encodeURIComponent(JSON.stringify(claims)) } });
    return response.status === 200 ? 'alive' : ((await response.json()) as { reason?: unknown }).reason;
  };
  const purge = async () => {
    await host.app.get(SessionPurge, { strict: false }).wake();
    warned.mockClear();
  };
  const users = async () => (await host.stored()).loginUsers.map((row) => [row['target_sid'], row['target_sub']]);

  describe('with the default options', () => {
    shareAmongTests(
      () => Host.start(settings()),
      (started) => void (host = started),
    );

    describe('P4: a session without sid', () => {
      /** In every test another user, and a logout token of a login that this app never saw. */
      const withoutSid = (sub: string) => register({ sub }, { sid: undefined });
      const tokenFor = (sub: string, claims = {}) => ({ clientId, sub, sid: randomUUID(), claims });

      it('P4: ends by a logout token that names its sub beside the sid of another login', async () => {
        const [sub, other] = [randomUUID(), randomUUID()];
        const sessions = [await withoutSid(sub), await withoutSid(sub), await withoutSid(other)];
        expect(sessions.map((session) => 'sid' in session)).toEqual([false, false, false]);
        expect(await states(...sessions)).toEqual(['alive', 'alive', 'alive']);

        await logOut(tokenFor(sub));
        expect(await states(...sessions)).toEqual(['logged_out', 'logged_out', 'alive']);
      });

      it('P4: the sessions of its user that have another sid live on', async () => {
        const sub = randomUUID();
        const [sidless, laptop, phone] = [
          await withoutSid(sub),
          await register({ sub, sid: `${sub} laptop` }),
          await register({ sub, sid: `${sub} phone` }),
        ];
        await logOut({ clientId, sub, sid: `${sub} laptop` });
        expect(await states(sidless, laptop, phone)).toEqual(['logged_out', 'logged_out', 'alive']);
      });

      it('P4: a later sign-in without sid lives; one in the second of the logout is refused', async () => {
        const sub = randomUUID();
        const { seconds } = host.clock;
        await logOut(tokenFor(sub, { iat: seconds }));

        await expect(register({ sub }, { sid: undefined, iat: seconds })).rejects.toMatchObject({
          code: 'session_ended',
        });
        expect(await states(await register({ sub }, { sid: undefined, iat: seconds + 1 }))).toEqual(['alive']);
      });

      it('P4: the same logout token again records nothing more, and another one with its jti is recorded, too', async () => {
        const [sub, jti, sid] = [randomUUID(), randomUUID(), randomUUID()];
        const recorded = async () => (await logoutsOf(host)).filter(({ target }) => mine.includes(String(target)));
        const mine = [targetOf('sidless', host.oneId.issuer, sub), targetOf('sid', host.oneId.issuer, sid)];
        const { seconds } = host.clock;
        const token = await logOut({ clientId, sub, sid, claims: { jti, iat: seconds } });
        const facts = (issuedUntil: number | null) => ({
          channel: 'backchannel',
          issuedUntil,
          registeredUntil: null,
          iat: expect.any(Number) as unknown,
        });
        expect(await recorded()).toHaveLength(2);
        expect(await recorded()).toEqual(
          expect.arrayContaining([
            { target: mine[0], ...facts(seconds) },
            { target: mine[1], ...facts(null) },
          ]),
        );
        expect(await post(host, token)).toEqual(delivered);
        expect(await recorded()).toHaveLength(2);
        await logOut({ clientId, sub, sid, claims: { jti, iat: seconds + 5 } });
        expect(new Set((await recorded()).map(({ issuedUntil }) => issuedUntil))).toEqual(
          new Set([null, seconds, seconds + 5]),
        );
        expect(await recorded()).toHaveLength(3);
      });

      it('P4: does not end by a logout of a sid alone, over the front-channel, or when its user ends another one', async () => {
        const sub = randomUUID();
        const [one, another] = [await withoutSid(sub), await withoutSid(sub)];
        await logOut({ clientId, sid: sub });
        for (const sid of [sub, 'undefined', 'null']) {
          const query = new URLSearchParams({ iss: host.oneId.issuer, sid }).toString();
          expect((await host.fetch(`/frontchannel_logout?${query}`)).status).toBe(200);
        }
        expect(await states(one, another)).toEqual(['alive', 'alive']);

        await host.app.get(LogoutRecorder, { strict: false }).endLogin(one);
        expect(await states(one, another)).toEqual(['logged_out', 'alive']);
      });

      it('P4: its open streams close', async () => {
        const sub = randomUUID();
        const session = await withoutSid(sub);
        const endings: string[] = [];
        host.app
          .get(SessionConnections)
          .over(session)
          .subscribe((ending) => endings.push(ending));
        await host.settled();
        expect(endings).toEqual([]);
        await logOut(tokenFor(sub));
        await until('the stream is closed', () => endings.length > 0);
        expect(endings).toEqual(['logged_out']);
      });
    });

    it('P21: a sign-in in the second of a logout by sub is refused, one in the next second lives', async () => {
      const login = host.oneId.signIn();
      const { seconds } = host.clock;
      await logOut({ clientId, sub: login.sub, claims: { iat: seconds } });

      await expect(register(login, { iat: seconds })).rejects.toMatchObject({ code: 'session_ended' });
      const sid = randomUUID();
      expect(await states(await register({ sub: login.sub, sid }, { iat: seconds + 1 }))).toEqual(['alive']);
    });

    it('P5: without the option, a sid that has ended stays over', async () => {
      const { login, session } = await signIn(host);
      await logOut({ clientId, login, claims: { iat: host.clock.seconds - 60 } });
      expect(await states(session)).toEqual(['logged_out']);
      await expect(register(login, { auth_time: host.clock.seconds - 5 })).rejects.toMatchObject({
        code: 'session_ended',
      });
    });

    it('P19: remembers who has signed in, as two hashes, also without sid', async () => {
      const [sub, sid] = [randomUUID(), randomUUID()];
      await register({ sub, sid });
      await register({ sub, sid });
      await register({ sub }, { sid: undefined });
      const { issuer } = host.oneId;
      const user = targetOf('sub', issuer, sub);
      expect((await users()).filter((row) => row.includes(user))).toHaveLength(2);
      expect(await users()).toEqual(
        expect.arrayContaining([
          [targetOf('sid', issuer, sid), user],
          [targetOf('sidless', issuer, sub), user],
        ]),
      );
    });

    describe('P14: a bearer token with sid and without sub', () => {
      it('P14: counts as the token of the user who has signed in with its sid', async () => {
        const { login } = await signIn(host);
        const claims = bearer({ sid: login.sid });
        for (const absent of [{}, { sub: null }, { sub: '' }]) {
          expect(await stateOfClaims({ ...claims, ...absent })).toBe('alive');
        }
        expect(warnings()).toEqual([]);
        await logOut({ clientId, sub: login.sub });
        expect(await stateOfClaims(claims)).toBe('logged_out');
        expect(await stateOfClaims({ ...claims, iat: host.clock.seconds + 1 })).toBe('alive');
      });

      it('P14: its open streams close by a logout of this user', async () => {
        const { login } = await signIn(host);
        const claims = bearer({ sid: login.sid });
        const session = await findAlive(host.app.get(SessionJudge, { strict: false }), { claims });
        if (session === undefined) throw new Error('The token is not alive');
        expect(session).not.toHaveProperty('sub');
        const endings: string[] = [];
        host.app
          .get(SessionConnections)
          .over(session)
          .subscribe((ending) => endings.push(ending));
        await host.settled();
        await logOut({ clientId, sub: login.sub });
        await until('the stream is closed', () => endings.length > 0);
        expect(endings).toEqual(['logged_out']);
      });

      it('P14: is let in when nobody has signed in with its sid, with one warning for each client', async () => {
        const of = (sid: string, claims = {}) => bearer({ sid, aud: ['api', clientId], ...claims });
        const sids = [randomUUID(), randomUUID()];
        for (const sid of sids) expect(await stateOfClaims(of(sid))).toBe('alive');
        expect(warnings()).toEqual([
          `The guard let in a verified token for app of '${host.oneId.issuer}' without sub, and nobody has signed in ` +
            'here with its sid. Only a logout of this sid can end it. Make OneID put the sub into the token, or ' +
            'register the sign-ins in this database.',
        ]);
        await logOut({ clientId, sid: sids[0] ?? '' });
        warnings();
        expect(await stateOfClaims(of(sids[0] ?? ''))).toBe('logged_out');
        expect(await stateOfClaims(of(sids[1] ?? ''))).toBe('alive');
        expect(warnings()).toEqual([]);
      });

      it('P14: becomes the token of a user who signs in with its sid later', async () => {
        const login = host.oneId.signIn();
        const claims = bearer({ sid: login.sid });
        expect(await stateOfClaims(claims)).toBe('alive');
        await register(login);
        expect(await stateOfClaims(claims)).toBe('alive');
        await logOut({ clientId, sub: login.sub });
        expect(await stateOfClaims(claims)).toBe('logged_out');
      });
    });
  });

  describe('with reusesSid', () => {
    shareAmongTests(
      () =>
        Host.start({
          ...settings(),
          options: {
            liveness,
            sessionFrom: [sessionFromCookie('session'), sessionFromClaims(claimsOf)],
          },
          client: { reusesSid: true, iatBackdatingSeconds: 10 },
        }),
      (started) => void (host = started),
    );

    /** The tolerance of 30 seconds, and the ten seconds of the client. */
    const ALLOWANCE = 40;

    it('P5: a later login with the same sid lives, and the next logout of the sid ends it', async () => {
      const { login, session } = await signIn(host);
      const { seconds } = host.clock;
      const token = await logOut({ clientId, login, claims: { iat: seconds - 60 } });
      expect(await states(session)).toEqual(['logged_out']);

      const again = await register(login, { auth_time: seconds - 60 + ALLOWANCE + 1 });
      expect(again.authTime).toBe(seconds - 60 + ALLOWANCE + 1);
      expect(await states(session, again)).toEqual(['logged_out', 'alive']);
      expect(await post(host, token)).toEqual(delivered);
      expect(await states(again)).toEqual(['alive']);

      await logOut({ clientId, login });
      expect(await states(session, again)).toEqual(['logged_out', 'logged_out']);
    });

    it.each<[string, (seconds: number) => unknown]>([
      ['missing', () => undefined],
      ['equal to the bound', (seconds) => seconds - 60 + ALLOWANCE],
      ["equal to the ID token's own iat", (seconds) => seconds],
      ['earlier', (seconds) => seconds - 61],
      ['null', () => null],
      ['a text', (seconds) => String(seconds - 5)],
      ['in milliseconds', (seconds) => (seconds - 5) * 1000],
      ['no time', () => 1e300],
      ['a list', (seconds) => [seconds - 5]],
    ])('P5: a sign-in with an auth_time that is %s is refused', async (_what, authTimeAt) => {
      const { login, session } = await signIn(host);
      const { seconds } = host.clock;
      await logOut({ clientId, login, claims: { iat: seconds - 60 } });
      const before = await storedIn(host);

      await expect(register(login, { iat: seconds, auth_time: authTimeAt(seconds) })).rejects.toMatchObject({
        code: 'session_ended',
      });
      expect((await storedIn(host)).sessions).toEqual(before.sessions);
      expect(await states(session)).toEqual(['logged_out']);
    });

    it('P5: a second logout of the sid counts, also when the provider uses the sid as jti', async () => {
      const { login, session } = await signIn(host);
      const { seconds } = host.clock;
      await logOut({ clientId, login, claims: { jti: login.sid, iat: seconds - 100 } });
      const again = await register(login, { auth_time: seconds - 50 });
      expect(await states(session, again)).toEqual(['logged_out', 'alive']);

      await logOut({ clientId, login, claims: { jti: login.sid, iat: seconds - 40 } });
      expect(await states(again)).toEqual(['logged_out']);
    });

    it('P5: never brings a bearer token back', async () => {
      const { login } = await signIn(host);
      const { seconds } = host.clock;
      await logOut({ clientId, login, claims: { iat: seconds - 60 } });
      await register(login, { auth_time: seconds - 5 });
      for (const claims of [{ sub: login.sub }, {}]) {
        const token = bearer({ sid: login.sid, auth_time: seconds - 5, iat: seconds, ...claims });
        expect(await stateOfClaims(token)).toBe('logged_out');
      }
    });

    it('P5: the front-channel ends the later login, and stores nothing for one that has ended', async () => {
      const { login } = await signIn(host);
      const { seconds } = host.clock;
      await logOut({ clientId, login, claims: { iat: seconds - 60 } });
      const query = new URLSearchParams({ iss: host.oneId.issuer, sid: login.sid }).toString();
      const before = await storedIn(host);
      expect((await host.fetch(`/frontchannel_logout?${query}`)).status).toBe(200);
      expect(await storedIn(host)).toEqual(before);

      const again = await register(login, { auth_time: seconds - 5 });
      expect((await host.fetch(`/frontchannel_logout?${query}`)).status).toBe(200);
      expect(await states(again)).toEqual(['logged_out']);
    });

    it('P5: lists the later login alone', async () => {
      const { login } = await signIn(host);
      const { seconds } = host.clock;
      await logOut({ clientId, login, claims: { iat: seconds - 60 } });
      const again = await register(login, { auth_time: seconds - 5 });
      const listed = await host.app.get(SessionRegistry).listAlive(again);
      expect(listed.map(({ id }) => id)).toEqual([again.id]);
    });
  });

  describe('with the scope "user"', () => {
    shareAmongTests(
      () => Host.start(settings({ logoutScope: 'user' })),
      (started) => void (host = started),
    );
    /** Milliseconds that a test has moved the clocks. */
    const later = (milliseconds: number) => host.clock.advance(milliseconds);

    it('P19: a logout of a login whose session is purged ends the other sessions of its user', async () => {
      const login = host.oneId.signIn();
      const idToken = await host.oneId.idToken({ clientId, login });
      const expiresAt = new Date(host.clock.now() + 60_000);
      await host.app.get(SessionRegistry).register({ idToken, expiresAt });
      const phone = await register({ sub: login.sub, sid: randomUUID() });
      const other = await register({});
      later(2 * DAY);
      await purge();
      expect((await host.stored()).sessions.map((row) => row['sid'])).not.toContain(login.sid);
      expect(await states(phone, other)).toEqual(['alive', 'alive']);

      await logOut({ clientId, login });
      expect(await states(phone, other)).toEqual(['logged_out', 'alive']);
      expect(warnings()).toEqual([]);
    });

    it('P19: a bearer token without sid is let in while its user is remembered, also when the sessions are purged', async () => {
      const login = host.oneId.signIn();
      const idToken = await host.oneId.idToken({ clientId, login });
      await host.app.get(SessionRegistry).register({ idToken, expiresAt: new Date(host.clock.now() + 60_000) });
      later(2 * DAY);
      await purge();
      const claims = bearer({ sub: login.sub });
      expect(await stateOfClaims(claims)).toBe('alive');
      expect(await stateOfClaims({ ...claims, sub: randomUUID() })).toBe('unknown');
      await logOut({ clientId, login });
      expect(await stateOfClaims(claims)).toBe('logged_out');
    });

    it.each(['before', 'after'])(
      'P14: streams of a token without sub close by a logout of a user who has signed in since, %s the sweep finds the user',
      async (when) => {
        const login = host.oneId.signIn();
        const claims = bearer({ sid: login.sid });
        const session = await findAlive(host.app.get(SessionJudge, { strict: false }), { claims });
        if (session === undefined) throw new Error('The token is not alive');
        const endings: string[] = [];
        const over = host.app.get(SessionConnections).over(session);
        const subscription = over.subscribe((ending) => endings.push(ending));
        const sweep = async () => {
          await host.app.get(OpenConnections, { strict: false }).wake();
          await host.settled();
        };
        await sweep();
        await register(login);
        const phone = await register({ sub: login.sub, sid: randomUUID() });
        if (when === 'after') await sweep();
        expect(endings).toEqual([]);
        await logOut({ clientId, sid: phone.sid ?? '' });
        if (when === 'before') await sweep();
        await until('the stream is closed', () => endings.length > 0);
        expect([await stateOfClaims(claims), endings]).toEqual(['logged_out', ['logged_out']]);
        subscription.unsubscribe();
      },
    );

    it('P14: a bearer token without sid is refused while its user has only signed in without sid', async () => {
      const { sub } = host.oneId.signIn();
      await register({ sub }, { sid: undefined });
      const claims = bearer({ sub });
      expect(await stateOfClaims(claims)).toBe('unknown');
      const { sid = '' } = await register({ sub, sid: randomUUID() });
      expect(await stateOfClaims(claims)).toBe('alive');
      await logOut({ clientId, sid });
      expect(await stateOfClaims(claims)).toBe('logged_out');
    });

    it.each([null, ''])('P38: a bearer token with the sid %j is one without sid', async (sid) => {
      const { login } = await signIn(host);
      const claims = bearer({ sub: login.sub, sid });
      expect(await stateOfClaims(claims)).toBe('alive');
      await logOut({ clientId, login });
      expect(await stateOfClaims(claims)).toBe('logged_out');
    });

    it('P19: forgets who has signed in when it forgets logouts, and not while they sign in again', async () => {
      const [once, often] = [host.oneId.signIn(), host.oneId.signIn()];
      await register(once);
      await register(often);
      const remembered = async () => {
        await purge();
        const known = (await users()).map(([sid]) => sid);
        return [once, often].map(({ sid }) => known.includes(targetOf('sid', host.oneId.issuer, sid)));
      };
      later(31 * DAY);
      expect(await remembered()).toEqual([true, true]);
      await register(often);
      later(DAY);
      expect(await remembered()).toEqual([false, true]);
      later(31 * DAY);
      expect(await remembered()).toEqual([false, false]);
    });
  });
});

describe('what the log says of logouts and tokens that match nothing', () => {
  let host: Host;
  let warned: jest.SpiedFunction<Logger['warn']>;
  let failed: jest.SpiedFunction<Logger['error']>;
  beforeEach(async () => {
    host = await Host.start({ options: { sessionFrom: sessionFromClaims(claimsOf) } });
    warned = jest.spyOn(Logger.prototype, 'warn').mockReturnValue();
    failed = jest.spyOn(Logger.prototype, 'error').mockReturnValue();
  });
  afterEach(async () => {
    jest.restoreAllMocks();
    await host.stop();
  });
  const warnings = () => warned.mock.calls.splice(0).map(([message]) => String(message));
  const reasonFor = async (claims: object) => {
    const response = await host.fetch('/me', { headers: { 'x-claims': encodeURIComponent(JSON.stringify(claims)) } });
    return response.status === 200 ? 'alive' : ((await response.json()) as { reason?: unknown }).reason;
  };

  it('P19: counts logout tokens that name a login and a user who never signed in here, once a minute', async () => {
    const { login } = await signIn(host);
    const ended = async (token: object) =>
      expect(await post(host, await host.oneId.logoutToken({ clientId, ...token }))).toEqual(delivered);
    const text = (count: number) =>
      `Logout tokens of OneID that ended nothing: ${count}. They name a sid or a sub that has not signed in here. If ` +
      'this goes on, check that the app registers every sign-in in this database, and that ID tokens and logout ' +
      'tokens of the same login have the same sid and sub.';

    await ended({ sid: 'secret-sid' });
    expect(warnings()).toEqual([text(1)]);
    await ended({ sub: 'secret-sub' });
    await ended({ sub: 'secret-sub', sid: 'another-secret-sid' });
    // these two have matched
    await ended({ login });
    await ended({ login, sub: 'secret-sub' });
    expect(warnings()).toEqual([]);
    host.clock.advance(60_000);
    expect(warnings()).toEqual([text(2)]);
    host.clock.advance(60_000);
    expect(warnings()).toEqual([]);
    await ended({ sid: 'one-more' });
    expect(warnings()).toEqual([text(1)]);
  });

  it("P19: OneID's second attempt at the same logout token is not counted", async () => {
    const token = await host.oneId.logoutToken({ clientId, sid: 'never-seen' });
    for (let n = 0; n < 3; n++) expect(await post(host, token)).toEqual(delivered);
    expect(warnings()).toHaveLength(1);
    host.clock.advance(60_000);
    expect(warnings()).toEqual([]);
  });

  it('P19: what is counted in the last minute is logged when the app stops', async () => {
    const another = await Host.start();
    warned.mockClear();
    for (const sid of ['one', 'two', 'three']) {
      expect(await post(another, await another.oneId.logoutToken({ clientId, sid }))).toEqual(delivered);
    }
    expect(warnings().map((text) => /nothing: \d+/.exec(text)?.[0])).toEqual(['nothing: 1']);
    await another.stop();
    expect(warnings().map((text) => /nothing: \d+/.exec(text)?.[0])).toEqual(['nothing: 2']);
    expect(another.clock.timers).toBe(0);
  });

  it('P4: registering without sid warns once for each client', async () => {
    const register = async () => {
      const idToken = await host.oneId.idToken({ clientId, claims: { sid: undefined, jti: randomUUID() } });
      return host.app.get(SessionRegistry).register({ idToken });
    };
    await signIn(host);
    expect(warnings()).toEqual([]);
    await register();
    await register();
    expect(warnings()).toEqual([
      `An ID token for app of ${host.oneId.issuer} has no sid. Its session ends only by logout tokens that name the ` +
        'sub. Make the provider put the sid into ID tokens: with most providers, register ' +
        'backchannel_logout_session_required as true.',
    ]);
  });

  it.each<[string, (claims: { iss: string; iat: number }) => object, string]>([
    [
      'another issuer',
      (claims) => ({ ...claims, iss: 'http://keycloak:8080/realms/x' }),
      "has the iss 'http://keycloak:8080/realms/x', which is not the issuer of any client",
    ],
    [
      'an issuer that would forge a line of the log',
      (claims) => ({ ...claims, iss: `https://x/\n\u202e\u001b[31m${'y'.repeat(500)}` }),
      `has the iss 'https://x/???[31m${'y'.repeat(83)}...', which is not the issuer of any client`,
    ],
    ['an issuer that is no text', (claims) => ({ ...claims, iss: null }), 'has no iss'],
    ['no iat', (claims) => ({ ...claims, iat: undefined }), 'of ISSUER has no iat, or no valid one'],
    ['a text as iat', (claims) => ({ ...claims, iat: '5' }), 'of ISSUER has no iat, or no valid one'],
    ['a number as sid', (claims) => ({ ...claims, sid: 5 }), 'of ISSUER has a sid that is not valid'],
    [
      'a sid that is too long',
      (claims) => ({ ...claims, sid: 'x'.repeat(256) }),
      'of ISSUER has a sid that is not valid',
    ],
    ['a number as sub', (claims) => ({ ...claims, sub: 5 }), 'of ISSUER has a sub that is not valid'],
  ])('P14: a bearer token with %s is refused, and the log gives the reason once', async (_what, change, fault) => {
    const claims = change({
      ...{ iss: host.oneId.issuer, iat: host.clock.seconds },
      ...{ sub: 'secret-sub', sid: 'secret-sid' },
    });
    for (let n = 0; n < 2; n++) expect(await reasonFor(claims)).toBe('unknown');
    expect(warnings()).toEqual([
      `The guard refused a verified token with session_unknown: it ${fault.replace('ISSUER', `'${host.oneId.issuer}'`)}.`,
    ]);
    expect(failed.mock.calls).toEqual([]);
  });

  it.each([undefined, null, ''])(
    'P38: a bearer token with the sid %j is refused, and the log says why once',
    async (sid) => {
      const claims = { iss: host.oneId.issuer, iat: host.clock.seconds, sub: 'secret-sub', sid };
      for (let n = 0; n < 2; n++) expect(await reasonFor(claims)).toBe('unknown');
      expect(failed.mock.calls.map(([message]) => String(message))).toEqual([
        'A request carried a token without sid. When a user logs out, OneID sends only the sid, so the guard could ' +
          'never reject this token. Make OneID put the sid into the token; or set logoutScope "user" for the client, and ' +
          'register the sign-ins of its users, with their sid, in this database.',
      ]);
      expect(warnings()).toEqual([]);
    },
  );
});

describe('P5: several clients at one issuer', () => {
  let host: Host;
  afterEach(() => host.stop());

  it('P5: the option of the client that the logout token is for decides about the sessions of all clients', async () => {
    const other = 'other';
    const client = (id: string, reusesSid: boolean) => ({
      ...{ issuer: '', clientId: id, postLogoutRedirectUri: 'https://app.example/logout/callback', reusesSid },
    });
    host = await Host.start({ registration: {} });
    const { issuer } = host.oneId;
    const { oneId } = host;
    oneId.registerClient({ clientId: other });
    const second = await Host.start({
      options: { clients: [client(clientId, true), client(other, false)].map((one) => ({ ...one, issuer })) },
    });
    const registry = second.app.get(SessionRegistry);
    const { seconds } = host.clock;
    const register = async (id: string, login: BrowserLogin) =>
      registry.register({
        idToken: await oneId.idToken({ clientId: id, login, claims: { auth_time: seconds - 5, jti: randomUUID() } }),
      });
    const logOut = async (id: string, login: BrowserLogin) =>
      expect(
        await post(second, await oneId.logoutToken({ clientId: id, login, claims: { iat: seconds - 60 } })),
      ).toEqual(delivered);

    const [reused, final] = [oneId.signIn(), oneId.signIn()];
    await logOut(clientId, reused);
    for (const id of [clientId, other]) expect(await stateOf(second, await register(id, reused))).toBe('alive');
    await logOut(other, final);
    for (const id of [clientId, other]) {
      await expect(register(id, final)).rejects.toMatchObject({ code: 'session_ended' });
    }
    await second.stop();
  });
});
