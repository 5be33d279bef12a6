import { describe, expect, it, jest } from '@jest/globals';
import { LogoutService, type RegisteredSession, SessionRejectedError, SessionRegistry } from 'nestjs-oneid-logout';
import { SessionDatabase } from '../libs/oneid-logout/src/database/session-database.js';
import { targetsByKind } from '../libs/oneid-logout/src/rule/session.js';
import { SessionRepository } from '../libs/oneid-logout/src/store/session.repository.js';
import { tokenHashOf } from '../libs/oneid-logout/src/rule/session-token.js';
import { TokenVault } from '../libs/oneid-logout/src/tokens/token-vault.js';
import { post, stateOf } from './support/channel-requests.js';
import { databases } from './support/databases.js';
import { clientId, Host } from './support/host.js';
import { DAY, factsOf, maxSessionLifetimeMs, SessionStore } from './support/session-store.js';
import { shareAmongTests } from './support/share-among-tests.js';

describe.each(databases)('session tokens, on $name', (database) => {
  let host: Host;
  let registry: SessionRegistry;
  shareAmongTests(
    () => Host.start({ database }),
    (started) => {
      host = started;
      registry = host.app.get(SessionRegistry);
    },
  );

  /** Registers one ID token three times, as an app does that has lost the first two answers. */
  async function signInWithRetries() {
    const login = host.oneId.signIn();
    const idToken = await host.oneId.idToken({ clientId, login });
    const refreshToken = host.oneId.refreshToken({ clientId, login });
    const sessions: RegisteredSession[] = [];
    for (let n = 0; n < 3; n++) sessions.push(await registry.register({ idToken, refreshToken }));
    const [session] = sessions.map(factsOf);
    if (session === undefined) throw new Error('no session');
    return { login, sessions, session, idToken, refreshToken };
  }

  const statesOf = (sessions: readonly RegisteredSession[]) =>
    Promise.all(sessions.map((session) => stateOf(host, session)));

  /** The hashes that the database holds for sessions. */
  async function storedHashes(): Promise<string[]> {
    const { rows } = await host.app
      .get(SessionDatabase, { strict: false })
      .run('SELECT id AS hash FROM oneid_session UNION ALL SELECT token_hash FROM oneid_session_alias');
    return rows.map((row) => String(row['hash']));
  }

  it('open one session, and each handler gets its one id', async () => {
    const { sessions, session } = await signInWithRetries();
    expect(sessions.map(factsOf)).toEqual([session, session, session]);
    expect(await statesOf(sessions)).toEqual(['alive', 'alive', 'alive']);
    expect(await registry.listAlive(session)).toEqual([session]);
  });

  it('callers that check one session at the same time get objects of their own', async () => {
    const { session } = await signInWithRetries();
    const repository = host.app.get(SessionRepository, { strict: false });
    const [first, second] = await Promise.all([repository.check(session.id), repository.check(session.id)]);
    expect(first?.session).toEqual(second?.session);
    expect(first?.session).not.toBe(second?.session);
    expect(first?.session).toEqual(session);
  });

  it('only the caller of register() gets the session token, also when a check gave others the same object', async () => {
    const { session, idToken } = await signInWithRetries();
    const repository = host.app.get(SessionRepository, { strict: false });
    const shared = await repository.check(session.id);
    const check = jest.spyOn(repository, 'check').mockImplementation(() => Promise.resolve(shared));
    const [one, other] = await Promise.all([registry.register({ idToken }), registry.register({ idToken })]);
    check.mockRestore();
    expect(shared?.session).toEqual(session);
    expect(one.sessionToken).not.toBe(other.sessionToken);
    expect(await statesOf([one, other])).toEqual(['alive', 'alive']);
    expect([factsOf(one), targetsByKind(one)]).toEqual([session, targetsByKind(shared?.session ?? session)]);
  });

  it('no hash in the database opens a session as a cookie', async () => {
    const { sessions } = await signInWithRetries();
    const hashes = await storedHashes();
    expect(hashes).toEqual(expect.arrayContaining(sessions.map(({ sessionToken }) => tokenHashOf(sessionToken))));
    for (const sessionToken of hashes) expect(await stateOf(host, { sessionToken })).toBe('unknown');
  });

  it('open nothing where an id belongs', async () => {
    const { sessions } = await signInWithRetries();
    for (const { sessionToken } of sessions) {
      await expect(registry.end(sessionToken)).rejects.toThrow(
        new TypeError('This is a session token. Pass the id of the session'),
      );
      await expect(registry.refresh(sessionToken, { refreshToken: 'another' })).rejects.toThrow(
        new SessionRejectedError('unknown'),
      );
    }
    expect(await statesOf(sessions)).toEqual(['alive', 'alive', 'alive']);
  });

  it.each<[string, (signedIn: Awaited<ReturnType<typeof signInWithRetries>>) => Promise<unknown>]>([
    ['OneID', async ({ login }) => post(host, await host.oneId.logoutToken({ clientId, sid: login.sid }))],
    [
      'the front-channel',
      ({ login }) =>
        host.fetch(
          `/frontchannel_logout?${new URLSearchParams({ iss: host.oneId.issuer, sid: login.sid }).toString()}`,
        ),
    ],
    ['the user', ({ session }) => host.app.get(LogoutService).start({ session })],
    ['an administrator', ({ session }) => registry.end(session.id)],
    ['an administrator, who ends all sessions of the user', ({ session }) => registry.endAll(session)],
    [
      'an administrator, who ends all sessions of everyone',
      ({ session: { issuer } }) => registry.endEveryone({ issuer }),
    ],
    [
      'the user, who signs out everywhere else',
      async ({ login }) => {
        const idToken = await host.oneId.idToken({ clientId, login: host.oneId.signIn({ sub: login.sub }) });
        return registry.endOthers(await registry.register({ idToken }));
      },
    ],
    [
      'a sign-in that replaces the session',
      async ({ sessions }) =>
        registry.register({
          idToken: await host.oneId.idToken({ clientId, login: host.oneId.signIn() }),
          replaces: sessions[1]?.sessionToken,
        }),
    ],
  ])('are all refused when a logout ends their session: %s', async (_who, logOut) => {
    const signedIn = await signInWithRetries();
    await logOut(signedIn);
    expect(await statesOf(signedIn.sessions)).toEqual(['logged_out', 'logged_out', 'logged_out']);
  });

  it("leave OneID's tokens bound to the session", async () => {
    const { session, idToken, refreshToken } = await signInWithRetries();
    const vault = host.app.get(TokenVault, { strict: false });
    expect(await vault.load(session.id)).toEqual({ idToken, refreshToken });
    const { tokens } = await host.stored();
    expect(tokens.map((row) => row['session_id'])).toContain(session.id);
  });

  it('add none when a logout has ended the session', async () => {
    const { login, sessions, idToken } = await signInWithRetries();
    await post(host, await host.oneId.logoutToken({ clientId, sid: login.sid }));
    const before = await storedHashes();
    await expect(registry.register({ idToken })).rejects.toMatchObject({ code: 'session_ended' });
    expect(await storedHashes()).toEqual(before);
    expect(await statesOf(sessions)).toEqual(['logged_out', 'logged_out', 'logged_out']);
  });

  it('are purged with their session', async () => {
    const testDatabase = await database.take();
    const store = await SessionStore.open(testDatabase);
    const idToken = store.idToken({ sub: 'alice' });
    const { id } = await store.registry.register({ idToken });
    await store.registry.register({ idToken });
    expect(await store.rows('session_alias')).toEqual([
      { token_hash: expect.stringMatching(/^[0-9a-f]{64}$/), session_id: id },
    ]);
    store.clock.databaseAhead = maxSessionLifetimeMs + 60_000;
    await store.purge(10);
    expect(await store.rows('session_alias')).toHaveLength(1);
    store.clock.databaseAhead += DAY;
    await store.purge(10);
    expect([await store.rows('session_alias'), await store.rows('session')]).toEqual([[], []]);
    await store.close();
    await testDatabase.drop();
  });
});

describe('session tokens, with bounded liveness', () => {
  it('open their session from memory, and are refused after its logout', async () => {
    const host = await Host.start({ options: { liveness: { maxStalenessMs: 60_000 } } });
    const registry = host.app.get(SessionRegistry);
    const login = host.oneId.signIn();
    const idToken = await host.oneId.idToken({ clientId, login });
    const sessions = [await registry.register({ idToken }), await registry.register({ idToken })];
    const states = async () => Promise.all(sessions.map((session) => stateOf(host, session)));
    let statements = 0;
    const database = host.app.get(SessionDatabase, { strict: false });
    const run = database.run.bind(database);
    database.run = (...args) => {
      if (args[0].includes('ended_by')) statements += 1;
      return run(...args);
    };

    expect(await states()).toEqual(['alive', 'alive']);
    expect(statements).toBe(2);
    for (let n = 0; n < 3; n++) expect(await states()).toEqual(['alive', 'alive']);
    // the hash of a remembered session is no session token either
    expect(await stateOf(host, { sessionToken: sessions[0]?.id ?? '' })).toBe('unknown');
    expect(statements).toBe(3);
    await registry.end(sessions[0]?.id ?? '');
    statements = 0;
    expect(await states()).toEqual(['logged_out', 'logged_out']);
    expect(statements).toBe(0);
    await host.stop();
  });
});
