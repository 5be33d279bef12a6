import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  InvalidLogoutRequestError,
  type LogoutEvent,
  LogoutService,
  type RegisteredSession,
  SessionEvents,
  SessionRegistry,
  StoreUnavailableError,
} from 'nestjs-oneid-logout';
import { RefreshTokenRevoker } from '../libs/oneid-logout/src/tokens/refresh-token-revoker.js';
import { SessionDatabase } from '../libs/oneid-logout/src/database/session-database.js';
import { digest, targetOf } from '../libs/oneid-logout/src/rule/targets.js';
import { databases } from './support/databases.js';
import { clientId, type Host } from './support/host.js';
import { logOut, pathOf, reasonAtMe, sharedWith, signIn, start, startHost } from './support/logout-host.js';
import { factsOf, intercept, without } from './support/session-store.js';

describe.each(databases)('on $name', (database) => {
  let host: Host;
  beforeEach(async () => {
    host = await startHost({ database });
  });
  afterEach(() => host.stop());

  it('RPI-4: every replica can redeem a state, and only one does', async () => {
    const replica = await startHost({ database: sharedWith(host), client: { issuer: host.oneId.issuer } });
    try {
      const { browser } = await signIn(host);
      const path = pathOf(await logOut(browser, { returnTo: '/goodbye' }));
      const { cookieHeader: cookie } = browser;
      const answers = await Promise.all(
        [host, replica, host, replica].map((there) => there.fetch(path, { headers: { cookie } })),
      );
      expect(answers.map(({ status }) => status)).toEqual([303, 303, 303, 303]);
      expect(answers.map(({ headers }) => headers.get('location')).sort()).toEqual(['/', '/', '/', '/goodbye']);
      expect((await host.stored()).logouts).toEqual([expect.objectContaining({ returned_at: expect.anything() })]);
    } finally {
      await replica.stop();
    }
  });

  it('RPI-3: a logout on one replica counts on all replicas', async () => {
    const replica = await startHost({ database: sharedWith(host), client: { issuer: host.oneId.issuer } });
    try {
      const { browser, session } = await signIn(host);
      expect((await replica.fetch('/me', { session: session.sessionToken })).status).toBe(200);
      await start(browser);
      expect((await replica.fetch('/me', { session: session.sessionToken })).status).toBe(401);
    } finally {
      await replica.stop();
    }
  });

  it('RPI-3: a logout ends the other sessions of the same browser login, and no other login of the user', async () => {
    const { browser, session, login } = await signIn(host);
    // another app in the same browser, which shares the database
    const sibling = await host.app
      .get(SessionRegistry)
      .register({ idToken: await host.oneId.idToken({ clientId, login }) });
    const elsewhere = await signIn(host);
    await start(browser);
    expect((await host.fetch('/me', { session: session.sessionToken })).status).toBe(401);
    expect((await host.fetch('/me', { session: sibling.sessionToken })).status).toBe(401);
    expect(await reasonAtMe(elsewhere.browser)).toBe('alive');
  });

  it('end() ends one session, and no other session of the same login', async () => {
    const sessions = host.app.get(SessionRegistry);
    const { session, login } = await signIn(host);
    const sibling = await host.app
      .get(SessionRegistry)
      .register({ idToken: await host.oneId.idToken({ clientId, login }) });

    expect(await sessions.end(session.id)).toBe(true);
    expect(await sessions.end(session.id)).toBe(true);
    expect((await host.stored()).logouts).toEqual([
      expect.objectContaining({
        target: targetOf('session', host.oneId.issuer, session.id),
        channel: 'admin',
        issued_until: null,
        registered_until: null,
      }),
    ]);
    expect((await host.fetch('/me', { session: session.sessionToken })).status).toBe(401);
    expect((await host.fetch('/me', { session: sibling.sessionToken })).status).toBe(200);
  });

  it('end() returns false for an unknown session and stores nothing', async () => {
    const sessions = host.app.get(SessionRegistry);
    for (const id of ['0'.repeat(64), '', 'x', "' OR 1=1 --"]) expect(await sessions.end(id)).toBe(false);
    // a JavaScript caller may pass a list: a text of a request's body
    const { session } = await signIn(host);
    for (const id of [undefined, null, 7, [session.id]]) expect(await sessions.end(id as never)).toBe(false);
    expect((await host.stored()).logouts).toEqual([]);
  });

  it('endAll() ends every session that the user has now, and no later session and no session of other users', async () => {
    const sessions = host.app.get(SessionRegistry);
    const mine = [await signIn(host), await signIn(host), await signIn(host)];
    const other = await signIn(host, { sub: 'ALICE' });
    await sessions.endAll({ sub: 'alice' });
    expect((await host.stored()).logouts).toEqual([
      expect.objectContaining({
        target: targetOf('sub', host.oneId.issuer, 'alice'),
        channel: 'admin',
        issued_until: null,
        registered_until: expect.anything(),
      }),
    ]);
    for (const { browser } of mine) expect(await reasonAtMe(browser)).toBe('logged_out');
    expect(await reasonAtMe(other.browser)).toBe('alive');
    expect(await reasonAtMe((await signIn(host)).browser)).toBe('alive');
    for (const { browser } of mine) expect(await reasonAtMe(browser)).toBe('logged_out');
  });

  it('endEveryone() ends every session that everyone has now, and no later session', async () => {
    const sessions = host.app.get(SessionRegistry);
    const [alice, bob] = [await signIn(host), await signIn(host, { sub: 'bob' })];
    await sessions.endEveryone({ issuer: host.oneId.issuer });
    expect((await host.stored()).logouts).toEqual([
      expect.objectContaining({
        target: targetOf('issuer', host.oneId.issuer, ''),
        channel: 'admin',
        issued_until: null,
        registered_until: expect.anything(),
      }),
    ]);
    const later = await signIn(host);
    for (const { browser } of [alice, bob]) expect(await reasonAtMe(browser)).toBe('logged_out');
    expect(await reasonAtMe(later.browser)).toBe('alive');
    expect(await sessions.listAlive(alice.session)).toEqual([expect.objectContaining({ id: later.session.id })]);
  });

  describe('endOthers()', () => {
    it('ends all other sessions of the user, no session of other users, and returns their number', async () => {
      const sessions = host.app.get(SessionRegistry);
      const mine = await signIn(host);
      const inSameLogin = await host.app
        .get(SessionRegistry)
        .register({ idToken: await host.oneId.idToken({ clientId, login: mine.login }) });
      const others = [await signIn(host), await signIn(host)];
      const stranger = await signIn(host, { sub: 'ALICE' });
      const seen: LogoutEvent[] = [];
      host.app.get(SessionEvents).logouts.subscribe((event) => seen.push(event));

      expect(await sessions.endOthers(mine.session)).toBe(3);
      const ended = [inSameLogin, ...others.map(({ session }) => session)];
      const { logouts } = await host.stored();
      expect(logouts.map((row) => row['target']).sort()).toEqual(
        ended.map(({ id }) => targetOf('session', host.oneId.issuer, id)).sort(),
      );
      for (const row of logouts) {
        expect(row).toMatchObject({ channel: 'admin', issued_until: null, registered_until: null });
      }
      for (const { browser } of others) expect(await reasonAtMe(browser)).toBe('logged_out');
      expect((await host.fetch('/me', { session: inSameLogin.sessionToken })).status).toBe(401);
      expect(await reasonAtMe(mine.browser)).toBe('alive');
      expect(await reasonAtMe(stranger.browser)).toBe('alive');
      expect(await host.app.get(SessionRegistry).listAlive(mine.session)).toEqual([factsOf(mine.session)]);
      expect(seen.map(({ channel }) => channel)).toEqual(['admin', 'admin', 'admin']);
      expect(ended.map((session) => seen.filter((event) => event.ends(session)).length)).toEqual([1, 1, 1]);
      expect(seen.some((event) => event.ends(mine.session))).toBe(false);
      // all sessions are ended once, and a later sign-in is alive
      expect(await sessions.endOthers(mine.session)).toBe(0);
      expect((await host.stored()).logouts).toHaveLength(3);
      expect(await reasonAtMe((await signIn(host)).browser)).toBe('alive');
    });

    it('BC-15: the refresh tokens of the ended sessions are revoked, and not the one of the alive session', async () => {
      const registry = host.app.get(SessionRegistry);
      const signInWithToken = async () => {
        const { session, login } = await signIn(host);
        const refreshToken = host.oneId.refreshToken({ clientId, login });
        await registry.refresh(session.id, { refreshToken });
        return { session, refreshToken };
      };
      const [mine, ...others] = [await signInWithToken(), await signInWithToken(), await signInWithToken()];
      await host.app.get(SessionRegistry).endOthers(mine.session);
      await host.app.get(RefreshTokenRevoker, { strict: false }).wake();
      expect(host.oneId.revoked.map(({ token }) => token).sort()).toEqual(
        others.map(({ refreshToken }) => refreshToken).sort(),
      );
      // the copies stay until OneID has said twice that they are gone
      host.clock.advance(61_000);
      await host.app.get(RefreshTokenRevoker, { strict: false }).wake();
      expect((await host.stored()).tokens.map((row) => row['session_id'])).toEqual([mine.session.id]);
    });

    describe('with very many sessions', () => {
      const idOf = (n: number) => digest(['one of many', n]);

      /** Almost all sessions get the same time, because a page of results must not lose sessions with equal times. */
      async function signInOften(count: number): Promise<RegisteredSession> {
        const { session } = await signIn(host);
        const { issuer, clientId, sub } = session;
        const database = host.app.get(SessionDatabase);
        const targetSub = targetOf('sub', issuer, sub);
        const rows = Array.from({ length: count }, (_, n) => [
          ...[idOf(n), issuer, clientId, null, sub, 1, null, n < 3 ? n : session.registeredAt, session.expiresAt],
          ...[
            targetOf('session', issuer, idOf(n)),
            targetOf('sidless', issuer, sub),
            targetSub,
            digest(['token', n]),
            null,
          ],
        ]);
        const values = rows.map((row) => `(${row.map(() => '?').join(', ')})`).join(', ');
        await database.run(`INSERT INTO oneid_session VALUES ${values}`, rows.flat());
        return session;
      }

      it('ends some hundreds of sessions per statement', async () => {
        const session = await signInOften(1_000);
        const statements: string[] = [];
        const restore = intercept(host.app.get(SessionDatabase), (run, sql, parameters) => {
          statements.push(sql.trim().split(' ')[0] ?? '');
          return run(sql, parameters);
        });
        const ended = await host.app.get(SessionRegistry).endOthers(session);
        restore();
        expect(ended).toBe(1_000);
        expect(statements.filter((verb) => verb === 'INSERT')).toHaveLength(4);
        expect(await host.app.get(SessionRegistry).listAlive(session, 9)).toEqual([factsOf(session)]);
        expect((await host.stored()).logouts).toHaveLength(1_000);
      });

      it('continues after the store was not available', async () => {
        const session = await signInOften(600);
        const sessions = host.app.get(SessionRegistry);
        let inserts = 0;
        const restore = intercept(host.app.get(SessionDatabase), (run, sql, parameters) => {
          if (sql.startsWith('INSERT') && (inserts += 1) === 2) return Promise.reject(new StoreUnavailableError(null));
          return run(sql, parameters);
        });
        await expect(sessions.endOthers(session)).rejects.toMatchObject({ code: 'store_unavailable' });
        const before = (await host.stored()).logouts.length;
        expect(before).toBeGreaterThan(200);
        expect(before).toBeLessThan(300);
        expect(await sessions.endOthers(session)).toBe(600 - before);
        restore();
        expect(await host.app.get(SessionRegistry).listAlive(session, 9)).toEqual([factsOf(session)]);
      });
    });

    it('works twice at the same time on the same sessions', async () => {
      const { session } = await signIn(host);
      for (let n = 0; n < 20; n++) await signIn(host);
      const replica = await startHost({ database: sharedWith(host), client: { issuer: host.oneId.issuer } });
      const counts = await Promise.all([host, replica].map(({ app }) => app.get(SessionRegistry).endOthers(session)));
      await replica.stop();
      expect(counts.reduce((sum, count) => sum + count)).toBe(20);
      expect((await host.stored()).logouts).toHaveLength(20);
      expect(await host.app.get(SessionRegistry).listAlive(session)).toEqual([factsOf(session)]);
    });

    it('refuses a session that comes from a bearer token, and ends nothing', async () => {
      const { session, browser } = await signIn(host);
      // an anonymous request has no session
      const none = [undefined, null] as unknown as [typeof session, typeof session];
      for (const facts of [without(factsOf(session), 'id'), without(factsOf(session), 'sub'), ...none]) {
        const refused: unknown = await host.app
          .get(SessionRegistry)
          .endOthers(facts)
          .catch((error: unknown) => error);
        expect(refused).toBeInstanceOf(InvalidLogoutRequestError);
        expect((refused as InvalidLogoutRequestError).getResponse()).toEqual({
          statusCode: 400,
          error: 'session_not_registered',
          message: 'This session is not registered, so the library cannot tell it from the other sessions of its user',
        });
      }
      expect((await host.stored()).logouts).toEqual([]);
      expect(await reasonAtMe(browser)).toBe('alive');
    });
  });

  it('end(), endOthers(), endAll() and endEveryone() fail with store_unavailable when the store is down', async () => {
    const [logout, sessions] = [host.app.get(LogoutService), host.app.get(SessionRegistry)];
    const { session } = await signIn(host);
    const { dataSource } = host.app.get(SessionDatabase);
    await dataSource.destroy();
    const down = { code: 'store_unavailable', message: 'The session store is not available, try again' };
    await expect(sessions.end(session.id)).rejects.toMatchObject(down);
    await expect(sessions.endOthers(session)).rejects.toMatchObject(down);
    await expect(sessions.endAll({ sub: 'alice' })).rejects.toMatchObject(down);
    await expect(sessions.endEveryone({ issuer: session.issuer })).rejects.toMatchObject(down);
    await expect(logout.start({ session })).rejects.toMatchObject(down);
    await dataSource.initialize();
    // for a moment after a failed connection, the library does not try to connect
    host.clock.advance(100);
    expect((await host.fetch('/me', { session: session.sessionToken })).status).toBe(200);
  });
});
