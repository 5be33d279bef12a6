import { randomUUID } from 'node:crypto';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import {
  InvalidIdTokenError,
  OneIdLogoutError,
  type RegisteredSession,
  type Session,
  SessionEndedError,
  SessionEvents,
  SessionRegistry,
  SessionRejectedError,
} from 'nestjs-oneid-logout';
import { SessionRepository } from '../libs/oneid-logout/src/store/session.repository.js';
import { type BrowserLogin } from 'nestjs-oneid-logout/testing';
import { SessionDatabase } from '../libs/oneid-logout/src/database/session-database.js';
import { targetOf } from '../libs/oneid-logout/src/rule/targets.js';
import { LogoutRecorder } from '../libs/oneid-logout/src/sessions/logout-recorder.js';
import { RevocationQueue } from '../libs/oneid-logout/src/store/revocation-queue.js';
import { TokenRepository } from '../libs/oneid-logout/src/store/token.repository.js';
import { RefreshTokenRevoker } from '../libs/oneid-logout/src/tokens/refresh-token-revoker.js';
import { TokenVault } from '../libs/oneid-logout/src/tokens/token-vault.js';
import { databases, sqlite } from './support/databases.js';
import { clientId, Host, secrets } from './support/host.js';
import { tokenHashOf } from '../libs/oneid-logout/src/rule/session-token.js';
import { DAY, factsOf, maxSessionLifetimeMs, SessionStore } from './support/session-store.js';
import { shareAmongTests } from './support/share-among-tests.js';

const tooOld =
  "The ID token is too old for a sign-in: its iat may lie 300 seconds back. For a provider that dates iat back, set the client's iatBackdatingSeconds";

async function failure(work: Promise<unknown>): Promise<OneIdLogoutError> {
  const error: unknown = await work.catch((error: unknown) => error);
  expect(error).toBeInstanceOf(OneIdLogoutError);
  return error as OneIdLogoutError;
}

describe.each(databases)('SessionRegistry, on $name', (database) => {
  let host: Host;
  let registry: SessionRegistry;
  shareAmongTests(
    () => Host.start({ database }),
    (started) => {
      host = started;
      registry = host.app.get(SessionRegistry);
    },
  );
  afterEach(() => {
    host.clock.ahead = host.clock.databaseAhead = 0;
  });

  const service = <T>(type: abstract new (...args: never[]) => T): T => host.app.get<T>(type, { strict: false });
  const idToken = (login: BrowserLogin, claims = {}) => host.oneId.idToken({ clientId, login, claims });
  const status = async (session: RegisteredSession) =>
    (await host.fetch('/me', { session: session.sessionToken })).status;
  const logOut = async (login: BrowserLogin) => {
    const token = await host.oneId.logoutToken({ clientId, login });
    expect((await host.oneId.deliver(`${host.url}/backchannel_logout`, token)).delivered).toBe(true);
  };
  /** By their target: a sign-in that was refused keeps no sub. */
  const sessionsOf = async ({ sub }: BrowserLogin) =>
    (await host.stored()).sessions.filter((row) => row['target_sub'] === targetOf('sub', host.oneId.issuer, sub));

  describe('register', () => {
    it('accepts a new ID token and returns a session with its facts', async () => {
      const login = host.oneId.signIn();
      const before = Date.now();
      const session = await registry.register({ idToken: await idToken(login) });
      expect(session).toEqual({
        id: tokenHashOf(session.sessionToken),
        sessionToken: expect.stringMatching(/^[0-9a-f]{64}$/),
        issuer: host.oneId.issuer,
        clientId,
        sid: login.sid,
        sub: login.sub,
        iat: expect.any(Number),
        registeredAt: expect.any(Number),
        expiresAt: expect.any(Number),
      });
      expect(session.registeredAt).toBeGreaterThan(before - 2_000);
      expect(Math.abs(session.expiresAt - session.registeredAt - maxSessionLifetimeMs)).toBeLessThan(1_000);
      expect(await status(session)).toBe(200);
    });

    it('refuses an ID token that is too old, and stores nothing', async () => {
      const login = host.oneId.signIn();
      const token = await idToken(login);
      host.clock.advance(331_000);
      const error = await failure(registry.register({ idToken: token }));
      expect(error).toBeInstanceOf(InvalidIdTokenError);
      expect([error.code, error.getStatus(), error.message]).toEqual([...['id_token_invalid', 401, tooOld]]);
      expect(await sessionsOf(login)).toEqual([]);
    });

    it.each([
      [
        'another client',
        { aud: ['other'] },
        "The ID token is not for a client of this app: its aud is 'other', expected 'app', and beside it only the client's trustedAudiences",
      ],
      [
        'another party of the same audience',
        { azp: 'other' },
        "The ID token has an azp of another client: it is 'other', expected 'app', or one of the client's authorizedParties",
      ],
      [
        'A9: another issuer',
        { iss: 'https://other.example/' },
        "The ID token is not for a client of this app: its iss is 'https://other.example/', expected 'ISSUER'",
      ],
      ['no user', { sub: undefined }, 'The ID token has no valid sub'],
      ['an invalid sid', { sid: 5 }, 'The ID token has an invalid sid'],
      ['a logout', { events: {} }, 'The ID token is a security event token'],
    ])('refuses an ID token for %s', async (_what, claims, message) => {
      const login = host.oneId.signIn();
      const error = await failure(registry.register({ idToken: await idToken(login, claims) }));
      expect([error.code, error.message]).toEqual(['id_token_invalid', message.replace('ISSUER', host.oneId.issuer)]);
      expect(await sessionsOf(login)).toEqual([]);
    });

    it('accepts an iat with a fraction', async () => {
      const login = host.oneId.signIn();
      const iat = host.clock.seconds - 0.5;
      const session = await registry.register({ idToken: await idToken(login, { iat }) });
      expect(session.iat).toBe(Math.floor(iat));
      await service(LogoutRecorder).recordBackchannel({
        ...{
          issuer: host.oneId.issuer,
          clientId,
          jti: login.sid,
          iat: Math.floor(iat),
          sub: login.sub,
          scope: 'session',
        },
      });
      expect(await status(session)).toBe(401);
    });

    it('checks the nonce when the app gives one', async () => {
      const login = host.oneId.signIn();
      const token = await host.oneId.idToken({ clientId, login, nonce: 'n-1' });
      expect((await failure(registry.register({ idToken: token, nonce: 'n-2' }))).message).toBe(
        'The ID token does not have the expected nonce',
      );
      expect((await registry.register({ idToken: token, nonce: 'n-1' })).sub).toBe(login.sub);
    });

    it('returns the same session with one more session token for the same ID token, also at the same time', async () => {
      const login = host.oneId.signIn();
      const token = await idToken(login);
      const atOnce = await Promise.all([1, 2].map(() => registry.register({ idToken: token })));
      host.clock.advance(60_000);
      const all = [...atOnce, await registry.register({ idToken: token })];
      const [first] = all.map(factsOf);
      expect(all.map(factsOf)).toEqual([first, first, first]);
      expect(new Set(all.map(({ sessionToken }) => sessionToken)).size).toBe(3);
      expect(await Promise.all(all.map(status))).toEqual([200, 200, 200]);
      expect(await sessionsOf(login)).toHaveLength(1);
      expect(await registry.listAlive(first as Session)).toEqual([first]);
      await logOut(login);
      expect(await Promise.all(all.map(status))).toEqual([401, 401, 401]);
    });

    it('refuses an ID token that comes too often, and its earlier session tokens stay valid', async () => {
      const login = host.oneId.signIn();
      const token = await idToken(login);
      const all: RegisteredSession[] = [];
      for (let n = 0; n < 16; n++) all.push(await registry.register({ idToken: token }));
      const error = await failure(registry.register({ idToken: token }));
      expect(error).toBeInstanceOf(InvalidIdTokenError);
      expect([error.code, error.getStatus(), error.message]).toEqual([
        ...['id_token_invalid', 401, 'The ID token has been registered too often'],
      ]);
      expect(new Set(await Promise.all(all.map(status)))).toEqual(new Set([200]));
      const [first] = all;
      const aliases = await host.app
        .get(SessionDatabase, { strict: false })
        .run('SELECT token_hash FROM oneid_session_alias WHERE session_id = ?', [first?.id ?? '']);
      expect(aliases.rows).toHaveLength(15);
    });

    it('refuses an ID token whose session was ended here', async () => {
      const login = host.oneId.signIn();
      const token = await idToken(login);
      await service(LogoutRecorder).endLogin(await registry.register({ idToken: token }));
      expect(await failure(registry.register({ idToken: token }))).toBeInstanceOf(SessionEndedError);
      const later = await registry.register({ idToken: await idToken(login) });
      expect(await status(later)).toBe(200);
    });

    it('attack 5: refuses a sign-in whose sid has ended, with the code session_ended', async () => {
      const login = host.oneId.signIn();
      await logOut(login);
      const error = await failure(registry.register({ idToken: await idToken(login), refreshToken: 'r' }));
      expect(error).toBeInstanceOf(SessionEndedError);
      expect(error.getStatus()).toBe(401);
      expect(error.getResponse()).toEqual({
        statusCode: 401,
        error: 'session_ended',
        message: 'A logout has ended the session',
        reason: 'logged_out',
      });
      const anew = await registry.register({ idToken: await idToken(host.oneId.signIn({ sub: login.sub })) });
      expect(await status(anew)).toBe(200);
    });

    it('stores nothing of a sign-in whose sid has ended, except a refresh token to revoke', async () => {
      const login = host.oneId.signIn();
      await logOut(login);
      await failure(registry.register({ idToken: await idToken(login) }));
      expect(await sessionsOf(login)).toEqual([]);
      await failure(registry.register({ idToken: await idToken(login), refreshToken: 'r', label: 'phone' }));
      expect(await sessionsOf(login)).toMatchObject([{ sid: '', sub: '', label: null }]);
    });

    it('accepts expiresAt, and limits it to `maxSessionLifetimeSeconds`', async () => {
      const lifetimeFor = async (expiresAt: Date) => {
        const { registeredAt, expiresAt: end } = await registry.register({
          idToken: await idToken(host.oneId.signIn()),
          expiresAt,
        });
        return end - registeredAt;
      };
      expect(Math.abs((await lifetimeFor(new Date(Date.now() + DAY))) - DAY)).toBeLessThan(60_000);
      expect(Math.abs((await lifetimeFor(new Date(Date.now() + 400 * DAY))) - maxSessionLifetimeMs)).toBeLessThan(
        60_000,
      );
      const past = registry.register({ idToken: await idToken(host.oneId.signIn()), expiresAt: new Date(0) });
      expect((await failure(past)).code).toBe('session_expired');
      const invalid = registry.register({ idToken: await idToken(host.oneId.signIn()), expiresAt: new Date(NaN) });
      await expect(invalid).rejects.toThrow(new RangeError('expiresAt is not a valid date'));
    });

    it('session_expiry: the claim limits the absolute end of the session', async () => {
      const inAnHour = host.clock.seconds + 3600;
      const endFor = async (session_expiry: unknown, expiresAt?: Date) => {
        const token = await idToken(host.oneId.signIn(), { session_expiry });
        return (await registry.register({ idToken: token, expiresAt })).expiresAt;
      };

      const minute = new Date((inAnHour - 3540) * 1000);
      expect(Math.abs((await endFor(inAnHour)) - inAnHour * 1000)).toBeLessThan(1_000);
      expect(Math.abs((await endFor(inAnHour, new Date((inAnHour + 60) * 1000))) - inAnHour * 1000)).toBeLessThan(
        1_000,
      );
      expect(Math.abs((await endFor(inAnHour, minute)) - minute.getTime())).toBeLessThan(1_000);
      const longest = host.clock.now() + maxSessionLifetimeMs;
      for (const none of [undefined, null, '', inAnHour * 1000]) {
        expect(Math.abs((await endFor(none)) - longest)).toBeLessThan(5_000);
      }
      const past = await failure(endFor(host.clock.seconds - 1));
      expect([past.code, past.getStatus()]).toEqual(['session_expired', 401]);
      const malformed = await failure(endFor(String(inAnHour)));
      expect([malformed.code, malformed.message]).toEqual([
        'id_token_invalid',
        'The ID token has a session_expiry that is not a whole number of seconds',
      ]);
    });

    it('P23: an ID token with an empty sid says that the login has ended: no session, and the refresh token is revoked', async () => {
      const login = host.oneId.signIn();
      const other = await registry.register({ idToken: await idToken({ ...host.oneId.signIn(), sub: login.sub }) });
      const refreshToken = host.oneId.refreshToken({ clientId, login });
      const token = await idToken(login, { sid: '' });
      const error = await failure(registry.register({ idToken: token, refreshToken }));
      expect(error).toBeInstanceOf(SessionEndedError);
      expect([error.code, error.getStatus()]).toEqual(['session_ended', 401]);
      expect(await failure(registry.register({ idToken: token }))).toBeInstanceOf(SessionEndedError);
      await host.settled();
      await service(RefreshTokenRevoker).wake();
      const revoked = host.oneId.revoked.map(({ token: one }) => one).filter((one) => one === refreshToken);
      expect(new Set(revoked)).toEqual(new Set([refreshToken]));
      expect((await registry.listAlive(other)).map(({ id }) => id)).toEqual([other.id]);
      expect(await status(other)).toBe(200);
    });

    it('P23: without a refresh token, an ID token with an empty sid leaves nothing behind', async () => {
      const login = host.oneId.signIn();
      const before = await host.stored();
      const error = await failure(registry.register({ idToken: await idToken(login, { sid: '' }) }));

      expect(error).toBeInstanceOf(SessionEndedError);
      expect(await host.stored()).toEqual(before);
    });

    describe('label', () => {
      const listed = async (label: string | undefined) => {
        const login = host.oneId.signIn({ sub: randomUUID() });
        const session = await registry.register({ idToken: await idToken(login), label });
        expect(session).not.toHaveProperty('label');
        const [found, ...others] = await registry.listAlive(session);
        expect(others).toEqual([]);
        expect((await sessionsOf(login)).map((row) => row['label'])).toEqual([found?.label ?? null]);
        return found;
      };

      it.each([
        ['unchanged', 'Firefox trên Linux 😀', 'Firefox trên Linux 😀'],
        ['with its markup', '<script>alert("1")</script>', '<script>alert("1")</script>'],
        ['with its first 255 characters', 'x'.repeat(256), 'x'.repeat(255)],
        ['without half of a character', `${'x'.repeat(254)}😀😀`, `${'x'.repeat(254)}😀`],
        ['with 255 characters, also when each has two code units', '😀'.repeat(10_000), '😀'.repeat(255)],
        ['without NUL, which PostgreSQL refuses', 'a\0b\0', 'ab'],
      ])('is listed %s', async (_how, label, expected) => {
        expect((await listed(label))?.label).toBe(expected);
      });

      it.each([undefined, '', '\0'])('is empty for %j', async (label) => {
        expect(await listed(label)).not.toHaveProperty('label');
      });

      it('is empty when a JavaScript app gives another type', async () => {
        for (const label of [null, 7, ['x'], { x: 1 }]) {
          expect(await listed(label as unknown as string)).not.toHaveProperty('label');
        }
      });

      it('does not change when the same ID token comes again', async () => {
        const token = await idToken(host.oneId.signIn({ sub: 'labelled once' }));
        const session = await registry.register({ idToken: token, label: 'first' });
        await registry.register({ idToken: token, label: 'second' });
        await registry.register({ idToken: token });
        expect(await registry.listAlive(session)).toEqual([{ ...factsOf(session), label: 'first' }]);
      });
    });

    describe('replaces', () => {
      it('ends the session that the browser had before, and no other', async () => {
        const sub = host.oneId.signIn().sub;
        const signIn = async (replaces?: string) =>
          registry.register({ idToken: await idToken(host.oneId.signIn({ sub })), replaces });
        const [old, other] = [await signIn(), await signIn()];
        const fresh = await signIn(old.sessionToken);
        expect(await Promise.all([old, other, fresh].map(status))).toEqual([401, 200, 200]);
      });

      it('P11: ends the sessions of all cookies that the browser sent', async () => {
        const signIn = async (replaces: readonly string[] = []) =>
          registry.register({ idToken: await idToken(host.oneId.signIn()), replaces });
        const [one, two, other] = [await signIn(), await signIn(), await signIn()];
        const fresh = await signIn(['', one.sessionToken, 'x', two.sessionToken, one.sessionToken]);
        expect(await Promise.all([one, two, other, fresh].map(status))).toEqual([401, 401, 200, 200]);
      });

      it('ends the session by any of its session tokens', async () => {
        const token = await idToken(host.oneId.signIn());
        const [first, second] = [
          await registry.register({ idToken: token }),
          await registry.register({ idToken: token }),
        ];
        await registry.register({ idToken: await idToken(host.oneId.signIn()), replaces: second.sessionToken });
        expect(await Promise.all([first, second].map(status))).toEqual([401, 401]);
      });

      it('ends no session by its id, which is no secret', async () => {
        const session = await registry.register({ idToken: await idToken(host.oneId.signIn()) });
        await registry.register({ idToken: await idToken(host.oneId.signIn()), replaces: session.id });
        expect(await status(session)).toBe(200);
      });

      it('does not end the session when it is the same session', async () => {
        const token = await idToken(host.oneId.signIn());
        const session = await registry.register({ idToken: token });
        const again = await registry.register({ idToken: token, replaces: session.sessionToken });
        await registry.register({ idToken: token, replaces: again.sessionToken });
        expect(await Promise.all([session, again].map(status))).toEqual([200, 200]);
      });

      it.each(['', 'x', 'a'.repeat(64), '\0', '😀', "' OR 1=1 --", 'A'.repeat(10_000)])(
        'accepts any old cookie value: %j',
        async (replaces) => {
          const session = await registry.register({ idToken: await idToken(host.oneId.signIn()), replaces });
          expect(await status(session)).toBe(200);
        },
      );
    });
  });

  describe('listAlive', () => {
    const signInAs = async (sub: string, label?: string) =>
      registry.register({ idToken: await idToken(host.oneId.signIn({ sub })), label });

    it("lists the user's alive sessions, the newest first, and no sessions of other users", async () => {
      const names = ['first', 'second', 'third', 'ended', 'logged out'];
      const sessions: Session[] = [];
      for (const name of names) {
        host.clock.databaseAhead += 1_000;
        sessions.push(factsOf(await signInAs('lister', name)));
      }
      await signInAs('LISTER');
      await service(LogoutRecorder).endSession(sessions[3] as Session, 'admin');
      await service(LogoutRecorder).endLogin(sessions[4] as Session);
      const expected = [2, 1, 0].map((n) => ({ ...sessions[n], label: names[n] }));
      expect(await registry.listAlive({ issuer: host.oneId.issuer, sub: 'lister' })).toEqual(expected);
      // the issuer with and without the slash is the same
      expect(await registry.listAlive({ issuer: host.oneId.issuer.replace(/\/$/, ''), sub: 'lister' })).toEqual(
        expected,
      );
      expect(await registry.listAlive({ issuer: 'https://other.example', sub: 'lister' })).toEqual([]);
      host.clock.databaseAhead += maxSessionLifetimeMs;
      expect(await registry.listAlive({ issuer: host.oneId.issuer, sub: 'lister' })).toEqual([]);
    });

    it('lists the sessions of all clients, with their client ids', async () => {
      const session = await signInAs('of two clients');
      const other = { ...session, id: 'e'.repeat(64), idTokenHash: 'other', clientId: 'another app', lifetime: DAY };
      host.clock.databaseAhead = 1_000;
      await service(SessionRepository).insertSession(other);
      const clients = (await registry.listAlive(session)).map((listed) => listed.clientId);
      expect(clients).toEqual(['another app', clientId]);
    });

    it('lists a hundred sessions, or as many as `limit` says', async () => {
      const session = await signInAs('often');
      for (let n = 0; n < 100; n++) {
        const { idTokenHash, id } = { idTokenHash: `often ${n}`, id: n.toString(16).padStart(64, '0') };
        await service(SessionRepository).insertSession({ ...session, id, idTokenHash, lifetime: DAY });
      }
      expect(await registry.listAlive(session)).toHaveLength(100);
      expect(await registry.listAlive(session, 101)).toHaveLength(101);
      expect(await registry.listAlive(session, 1)).toHaveLength(1);
    });

    it.each([0, -1, 1.5, NaN, Infinity, '1; DROP TABLE oneid_session', null])(
      'refuses the limit %p before it asks the database',
      async (limit) => {
        const listing = registry.listAlive({ issuer: host.oneId.issuer, sub: 'x' }, limit as number);
        await expect(listing).rejects.toThrow(new RangeError('limit must be a whole number above 0'));
      },
    );

    it('refuses a user without sub, because a bearer token may have no sub', async () => {
      const facts = { issuer: host.oneId.issuer } as Session;
      for (const user of [facts, undefined as never])
        await expect(registry.listAlive(user)).rejects.toThrow(new TypeError('The user has no sub'));
    });

    it('fails with store_unavailable when the store is down', async () => {
      const { dataSource } = host.app.get(SessionDatabase, { strict: false });
      await dataSource.destroy();
      const error = await failure(registry.listAlive({ issuer: host.oneId.issuer, sub: 'x' }));
      await dataSource.initialize();
      // for a moment after a failed connection, the library does not try to connect
      host.clock.advance(100);
      expect([error.code, error.getStatus()]).toEqual(['store_unavailable', 503]);
    });
  });

  describe('refresh', () => {
    it('stores new tokens and does not change the facts', async () => {
      const login = host.oneId.signIn();
      const session = await registry.register({ idToken: await idToken(login), refreshToken: 'first' });
      const [row] = await sessionsOf(login);
      host.clock.advance(3_600_000);
      const refreshed = await idToken(login);
      expect(await registry.refresh(session.id, { idToken: refreshed, refreshToken: 'second' })).toEqual(
        factsOf(session),
      );
      expect(await sessionsOf(login)).toEqual([row]);
      expect(await service(TokenVault).load(session.id)).toEqual({ idToken: refreshed, refreshToken: 'second' });
      await registry.refresh(session.id, { refreshToken: 'third' });
      expect(await service(TokenVault).load(session.id)).toEqual({ idToken: refreshed, refreshToken: 'third' });
    });

    it.each([
      ['another user', { sub: 'somebody else' }],
      ['another login', { sid: 'another' }],
    ])('refuses an ID token of %s, and keeps the stored tokens', async (_what, claims) => {
      const login = host.oneId.signIn();
      const token = await idToken(login);
      const session = await registry.register({ idToken: token, refreshToken: 'first' });
      const other = await idToken(login, claims);
      const error = await failure(registry.refresh(session.id, { idToken: other, refreshToken: 'second' }));
      expect([error.code, error.message]).toEqual(['id_token_invalid', 'The ID token belongs to another session']);
      expect(await service(TokenVault).load(session.id)).toEqual({ idToken: token, refreshToken: 'first' });
      expect(await status(session)).toBe(200);
    });

    it('attack 5: keeps an ended session ended, and the new refresh token is revoked', async () => {
      const login = host.oneId.signIn();
      const session = await registry.register({ idToken: await idToken(login) });
      await logOut(login);
      host.oneId.fail('/oauth2/revoke', { status: 503 });
      const refreshing = registry.refresh(session.id, { refreshToken: 'rotated' });
      expect(await failure(refreshing)).toBeInstanceOf(SessionEndedError);
      expect(await status(session)).toBe(401);
      const tokens = service(TokenRepository);
      const revocations = service(RevocationQueue);
      await service(RefreshTokenRevoker).stop();
      host.clock.databaseAhead = 3_600_000;
      const due = await revocations.findDue(99);
      const reached = await Promise.all(due.map(({ id }) => tokens.findEndedBy(id, '', 99)));
      expect(reached.flat().map(({ sessionId }) => sessionId)).toContain(session.id);
      host.oneId.heal();
    });

    it('refuses an unknown session and an expired session', async () => {
      expect((await failure(registry.refresh('f'.repeat(64), {}))).code).toBe('session_unknown');
      expect((await failure(registry.refresh('no id', {}))).code).toBe('session_unknown');
      const session = await registry.register({ idToken: await idToken(host.oneId.signIn()), refreshToken: 'first' });
      host.clock.databaseAhead = maxSessionLifetimeMs + 1_000;
      const error = await failure(registry.refresh(session.id, { refreshToken: 'second' }));
      expect(error).toBeInstanceOf(SessionRejectedError);
      expect(error.code).toBe('session_expired');
      expect((await service(TokenVault).load(session.id))?.refreshToken).toBe('first');
    });
  });

  it('S15: an ID token of 69 kB is kept, or the log says so', async () => {
    const warned = jest.spyOn(Logger.prototype, 'warn').mockReturnValue();
    const login = host.oneId.signIn();
    const long = await idToken(login, { padding: 'x'.repeat(51_000) });
    expect(long.length).toBeGreaterThan(68_000);
    const session = await registry.register({ idToken: long, refreshToken: 'the refresh token' });
    const stored = await service(TokenVault).load(session.id);
    const messages = warned.mock.calls.map(([message]) => String(message));
    warned.mockRestore();
    expect(stored?.refreshToken).toBe('the refresh token');
    if (host.app.get(SessionDatabase, { strict: false }).dataSource.options.type === 'mariadb') {
      expect(stored?.idToken).toBeUndefined();
      expect(messages).toEqual([
        expect.stringMatching(/^Could not store an ID token, because it is too long .* at most 65535\. /),
      ]);
    } else {
      expect([stored?.idToken, messages]).toEqual([long, []]);
    }
  });

  it('attack 7: no row holds a token in clear', async () => {
    const token = await idToken(host.oneId.signIn());
    await registry.register({ idToken: token, refreshToken: 'a-very-secret-refresh-token' });
    const rows = JSON.stringify(await host.stored());
    expect(rows).not.toContain('a-very-secret-refresh-token');
    for (const part of token.split('.')) expect(rows).not.toContain(part);
    for (const secret of secrets) expect(rows).not.toContain(secret);
  });
});

describe('tokens at rest', () => {
  const older = 'an older secret that is long enough';
  const newer = 'a newer secret that is long enough too';

  it('are decrypted with an older secret and encrypted with the newest one', async () => {
    const testDatabase = await sqlite.create();
    const [old, both, fresh] = await Promise.all(
      [[older], [newer, older], [newer]].map((secrets) => SessionStore.open(testDatabase, { secrets })),
    );
    if (!old || !both || !fresh) throw new Error('not opened');
    const idToken = old.idToken({ sub: 'alice', sid: 'sid-1' });
    const { id } = await old.registry.register({ idToken, refreshToken: 'first' });
    expect(await both.vault.load(id)).toEqual({ idToken, refreshToken: 'first' });
    expect(await fresh.vault.load(id)).toEqual({ idToken: undefined, refreshToken: undefined });
    await both.registry.refresh(id, { refreshToken: 'second' });
    // each token was encrypted with the newest secret of its time: a token that is not given again is not changed
    expect(await both.vault.load(id)).toEqual({ idToken, refreshToken: 'second' });
    expect(await fresh.vault.load(id)).toEqual({ idToken: undefined, refreshToken: 'second' });
    expect(await old.vault.load(id)).toEqual({ idToken, refreshToken: undefined });
    for (const store of [old, both, fresh]) await store.close();
    await testDatabase.drop();
  });

  it('can be decrypted only for their own session', async () => {
    const testDatabase = await sqlite.create();
    const store = await SessionStore.open(testDatabase);
    const [alice, bob] = await Promise.all(
      ['alice', 'bob'].map((sub) => store.registry.register({ idToken: store.idToken({ sub }), refreshToken: sub })),
    );
    const stored = await store.tokens.find(alice?.id ?? '');
    expect(await store.vault.open(alice?.id ?? '', stored?.refreshToken ?? null)).toBe('alice');
    expect(await store.vault.open(bob?.id ?? '', stored?.refreshToken ?? null)).toBeUndefined();
    await store.close();
    await testDatabase.drop();
  });

  it('are not stored without secrets, and no revocation is due', async () => {
    const testDatabase = await sqlite.create();
    const store = await SessionStore.open(testDatabase, { secrets: [] });
    const { id } = await store.registry.register({
      idToken: store.idToken({ sub: 'alice', sid: 's' }),
      refreshToken: 'r',
    });
    await store.registry.refresh(id, { refreshToken: 'r2' });
    await store.recorder.recordBackchannel(store.logout({ sid: 's' }));
    const refused = store.registry.refresh(id, { refreshToken: 'r3' });
    await expect(refused).rejects.toThrow(SessionEndedError);
    expect(await store.rows('session_tokens')).toEqual([]);
    expect(await store.revocations.findDue(9)).toEqual([]);
    await store.close();
    await testDatabase.drop();
  });
});

describe.each(databases)('BC-10: logout scope "user", late, on $name', (database) => {
  it('a sign-in whose sid has ended ends all sessions of the user up to that logout', async () => {
    const testDatabase = await database.take();
    const store = await SessionStore.open(testDatabase, { scope: 'user' });
    const signIn = (sid: string) => store.registry.register({ idToken: store.idToken({ sub: 'alice', sid }) });
    const elsewhere = await signIn('laptop');
    store.clock.advance(5_000);
    await store.recorder.recordBackchannel(store.logout({ sid: 'phone' }));
    expect(await store.isAlive(elsewhere.id)).toBe(true);
    store.clock.advance(5_000);
    const after = await signIn('tablet');
    const ended: string[] = [];
    store.events.ended(elsewhere).subscribe(({ channel }) => ended.push(channel));
    await expect(signIn('phone')).rejects.toThrow(SessionEndedError);
    expect(await store.isAlive(elsewhere.id)).toBe(false);
    expect(await store.isAlive(after.id)).toBe(true);
    expect(ended).toEqual(['backchannel']);
    await expect(signIn('phone')).rejects.toThrow(SessionEndedError);
    expect(await store.rows('logout')).toHaveLength(2);
    await store.close();
    await testDatabase.drop();
  });

  it('each such sign-in ends the sessions up to the logout of its own sid', async () => {
    const testDatabase = await database.take();
    const store = await SessionStore.open(testDatabase, { scope: 'user' });
    const signIn = (sid: string) => store.registry.register({ idToken: store.idToken({ sub: 'alice', sid }) });
    await store.recorder.recordBackchannel(store.logout({ sid: 'phone' }));
    await expect(signIn('phone')).rejects.toThrow(SessionEndedError);
    store.clock.advance(5_000);
    const between = await signIn('laptop');
    await store.recorder.recordBackchannel(store.logout({ sid: 'watch' }));
    expect(await store.isAlive(between.id)).toBe(true);
    await expect(signIn('watch')).rejects.toThrow(SessionEndedError);
    expect(await store.isAlive(between.id)).toBe(false);
    expect(await store.rows('logout')).toHaveLength(4);
    await store.close();
    await testDatabase.drop();
  });

  it('ends the sessions of all known users of the sid', async () => {
    const testDatabase = await database.take();
    const store = await SessionStore.open(testDatabase, { scope: 'user' });
    const signIn = (sub: string, sid: string) => store.registry.register({ idToken: store.idToken({ sub, sid }) });
    const sessions = [await signIn('a', '1'), await signIn('A', '1'), await signIn('a', '2'), await signIn('A', '3')];
    const other = await signIn('b', '4');
    const token = store.logout({ sid: '1' });
    await store.recorder.recordBackchannel(token);
    await store.recorder.recordBackchannel(token);
    for (const { id } of sessions) expect(await store.isAlive(id)).toBe(false);
    expect(await store.isAlive(other.id)).toBe(true);
    expect(await store.rows('logout')).toHaveLength(3);
    await store.close();
    await testDatabase.drop();
  });
});

describe('SessionEvents in an app', () => {
  it('publishes the logouts of the recorder', async () => {
    const host = await Host.start();
    const seen: string[] = [];
    host.app.get(SessionEvents).logouts.subscribe(({ channel }) => seen.push(channel));
    await host.app.get(LogoutRecorder, { strict: false }).endUser(host.oneId.issuer, 'alice');
    await host.stop();
    expect(seen).toEqual(['admin']);
  });
});
