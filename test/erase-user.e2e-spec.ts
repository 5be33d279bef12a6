import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { type INestApplication } from '@nestjs/common';
import { type OneIdLogoutOptions, type RegisteredSession, type Session, SessionRegistry } from 'nestjs-oneid-logout';
import { type BrowserLogin, endpointPaths, OneIdTestProvider } from 'nestjs-oneid-logout/testing';
import { type SqlParameter } from '../libs/oneid-logout/src/database/sql.js';
import { placeholders } from '../libs/oneid-logout/src/store/sql-conditions.js';
import { SessionDatabase } from '../libs/oneid-logout/src/database/session-database.js';
import { LogoutRecorder } from '../libs/oneid-logout/src/sessions/logout-recorder.js';
import { digest, targetOf } from '../libs/oneid-logout/src/rule/targets.js';
import { OldRows } from '../libs/oneid-logout/src/store/old-rows.js';
import { PurgeProgress } from '../libs/oneid-logout/src/store/purge-progress.js';
import { SessionRepository } from '../libs/oneid-logout/src/store/session.repository.js';
import { ERASED_AT_ONCE } from '../libs/oneid-logout/src/store/user-data.js';
import { RefreshTokenRevoker } from '../libs/oneid-logout/src/tokens/refresh-token-revoker.js';
import { TokenVault } from '../libs/oneid-logout/src/tokens/token-vault.js';
import { databases, type TestDatabase } from './support/databases.js';
import { dump } from './support/dump.js';
import { clientId, clientSecret, secrets } from './support/host.js';
import { DAY, failNext, intercept } from './support/session-store.js';
import { startReplica } from './support/replica.js';
import { suiteKey } from './support/suite-key.js';
import { TestClock } from './support/test-clock.js';

const MINUTE = 60_000;
const author = { by: 'admin-of-this-test', reason: 'reason-of-this-test' };

describe.each(databases)('eraseUser(), on $name', (kind) => {
  let clock: TestClock;
  let testDatabase: TestDatabase;
  let oneId: OneIdTestProvider;
  let app: INestApplication;
  let sessions: SessionRegistry;
  const apps: INestApplication[] = [];
  beforeEach(async () => {
    clock = new TestClock();
    testDatabase = await kind.take();
    oneId = await OneIdTestProvider.start({
      clients: [{ clientId, clientSecret }],
      signingKey: await suiteKey(),
      now: () => clock.now(),
    });
    app = await start();
    sessions = app.get(SessionRegistry);
  });
  afterEach(async () => {
    for (const one of apps.splice(0)) await one.close();
    await oneId.close();
    await testDatabase.drop();
  });

  async function start(
    options: Partial<OneIdLogoutOptions> = {},
    client: Partial<OneIdLogoutOptions['clients'][number]> = {},
  ): Promise<INestApplication> {
    const one = { issuer: oneId.issuer, clientId, clientAuthentication: { clientSecret } };
    const postLogoutRedirectUri = 'https://app.example/logout/callback';
    const clients = [{ ...one, postLogoutRedirectUri, ...client }];
    const started = await startReplica({ clients, database: testDatabase.options, secrets, ...options }, clock);
    apps.push(started);
    return started;
  }

  const at = <T>(type: new (...parameters: never[]) => T): T => app.get<T>(type, { strict: false });
  const database = () => app.get(SessionDatabase, { strict: false });
  const rows = async (sql: string) => (await database().run(sql)).rows;

  interface SignedIn {
    readonly session: RegisteredSession;
    readonly login: BrowserLogin;
    readonly idToken: string;
    readonly refreshToken: string;
    /** What must be gone after the erasure. */
    readonly clear: readonly string[];
  }

  async function signIn(sub: string, login = oneId.signIn({ sub }), claims = {}): Promise<SignedIn> {
    const refreshToken = oneId.refreshToken({ clientId, login });
    const idToken = await oneId.idToken({ clientId, login, claims });
    const label = `phone of ${sub}`;
    const session = await sessions.register({ idToken, refreshToken, label });
    const clear = [sub, login.sid, label, idToken, ...idToken.split('.'), refreshToken];
    return { session, login, idToken, refreshToken, clear };
  }

  async function foundInClear(...secret: readonly string[]): Promise<string[]> {
    const values = await dump(database());
    const found = values.filter(({ value }) => secret.some((part) => value.includes(part)));
    return [...new Set(found.map(({ column }) => column))].sort();
  }

  const revoke = () => at(RefreshTokenRevoker).wake();
  /** Revokes, and confirms a minute later. */
  const revokeAll = async () => {
    await revoke();
    clock.advance(MINUTE + 1_000);
    await revoke();
  };
  const revoked = () => oneId.revoked.filter(({ effective }) => effective).map(({ token }) => token);
  const reasonFor = async ({ id }: Session) => (await at(SessionRepository).check(id))?.endedBy ?? 'alive';
  const backchannel = (token: { sid: string }, scope: 'session' | 'user' = 'session') =>
    at(LogoutRecorder).recordBackchannel({
      ...{ issuer: oneId.issuer, clientId, jti: token.sid, iat: clock.seconds, sid: token.sid, scope },
    });

  it('ends the sessions, revokes the tokens, and leaves nothing of the user in clear; other users keep all', async () => {
    const alive = await signIn('user-alice');
    const again = await sessions.register({ idToken: alive.idToken });
    const withoutSid = await signIn('user-alice', oneId.signIn({ sub: 'user-alice' }), { sid: undefined });
    const endedByAdmin = await signIn('user-alice');
    await sessions.end(endedByAdmin.session.id, author);
    const endedByOneId = await signIn('user-alice');
    await backchannel(endedByOneId.login);
    await sessions.endAll({ sub: 'user-alice' }, author);
    clock.advance(1);
    const newest = await signIn('user-alice');
    const bob = await signIn('user-bob');
    const bobs = async () => {
      const of = (table: string, column: string) =>
        rows(`SELECT * FROM oneid_${table} WHERE ${column} = '${bob.session.id}'`);
      return [await of('session', 'id'), await of('session_tokens', 'session_id')];
    };
    const before = await bobs();
    const mine = [alive, withoutSid, endedByAdmin, endedByOneId, newest];
    const clear = mine.flatMap((one) => one.clear);
    expect(await foundInClear(...clear, author.by, author.reason)).toEqual([
      'oneid_logout.author',
      'oneid_logout.reason',
      'oneid_session.label',
      'oneid_session.sid',
      'oneid_session.sub',
    ]);

    // OneID is not asked during the call: the revoker does it
    expect(await sessions.eraseUser({ sub: 'user-alice' })).toEqual({ pendingTokens: 5 });
    expect(await foundInClear(...clear, author.by, author.reason)).toEqual([]);
    const ids = mine.map(({ session }) => session.id);
    for (const one of mine) expect(await reasonFor(one.session)).not.toBe('alive');
    expect(await at(SessionRepository).check(again.id)).toMatchObject({ endedBy: 'admin' });
    await expect(rows('SELECT * FROM oneid_session_alias')).resolves.toEqual([]);
    await expect(rows('SELECT session_id FROM oneid_session_tokens WHERE id_token IS NOT NULL')).resolves.toEqual([
      { session_id: bob.session.id },
    ]);
    await revokeAll();
    expect(revoked().sort()).toEqual(mine.map(({ refreshToken }) => refreshToken).sort());
    expect(await rows('SELECT session_id FROM oneid_session_tokens')).toEqual([{ session_id: bob.session.id }]);
    expect(await sessions.countPendingRevocations()).toBe(0);
    expect(await foundInClear(...clear, author.by, author.reason)).toEqual([]);

    expect(await reasonFor(bob.session)).toBe('alive');
    expect(await bobs()).toEqual(before);
    expect(await sessions.listAlive(bob.session)).toMatchObject([{ sub: 'user-bob', label: 'phone of user-bob' }]);

    // the same user signs in again
    const later = await signIn('user-alice');
    expect(ids).not.toContain(later.session.id);
    expect(await sessions.listAlive(later.session)).toMatchObject([{ id: later.session.id, sub: 'user-alice' }]);
    expect(await foundInClear(...later.clear)).toEqual([
      'oneid_session.label',
      'oneid_session.sid',
      'oneid_session.sub',
    ]);
  });

  it('is idempotent: a second call has the same result, and a call for an unknown user stores no name', async () => {
    const alice = await signIn('user-alice');
    expect(await sessions.eraseUser({ sub: 'user-alice' })).toEqual({ pendingTokens: 1 });
    const [first] = await rows('SELECT * FROM oneid_session');
    expect(await sessions.eraseUser({ sub: 'user-alice', issuer: oneId.issuer })).toEqual({ pendingTokens: 1 });
    expect(await rows('SELECT * FROM oneid_session')).toEqual([first]);
    await revokeAll();
    expect(await sessions.eraseUser({ sub: 'user-alice' })).toEqual({ pendingTokens: 0 });
    expect(revoked()).toEqual([alice.refreshToken]);
    expect(await rows('SELECT * FROM oneid_session_tokens')).toEqual([]);
    expect(await sessions.eraseUser({ sub: 'user-unknown' })).toEqual({ pendingTokens: 0 });
    expect(await foundInClear(...alice.clear, 'user-unknown')).toEqual([]);
  });

  it('while OneID is down: all is erased at once but the encrypted refresh token, which goes when OneID is back', async () => {
    const alice = await signIn('user-alice');
    oneId.fail(endpointPaths.revocation, { status: 503 });
    expect(await sessions.eraseUser({ sub: 'user-alice' })).toEqual({ pendingTokens: 1 });
    await revoke();
    expect(await reasonFor(alice.session)).toBe('admin');
    expect(await foundInClear(...alice.clear)).toEqual([]);
    expect(await rows('SELECT session_id, id_token FROM oneid_session_tokens')).toEqual([
      { session_id: alice.session.id, id_token: null },
    ]);
    clock.advance(3 * 60 * MINUTE);
    await revoke();
    expect(await sessions.countPendingRevocations()).toBe(1);

    oneId.heal(endpointPaths.revocation);
    clock.advance(6 * 60 * MINUTE);
    await revokeAll();
    expect(revoked()).toEqual([alice.refreshToken]);
    expect(await rows('SELECT * FROM oneid_session_tokens')).toEqual([]);
    expect(await sessions.countPendingRevocations()).toBe(0);
  });

  it('while a revocation is pending: another replica finishes it', async () => {
    const alice = await signIn('user-alice');
    oneId.fail(endpointPaths.revocation, { status: 503 });
    await sessions.end(alice.session.id, author);
    await revoke();
    expect(await sessions.countPendingRevocations()).toBe(1);
    await sessions.eraseUser({ sub: 'user-alice' });
    expect(await foundInClear(...alice.clear, author.by, author.reason)).toEqual([]);
    oneId.heal(endpointPaths.revocation);
    clock.advance(10 * MINUTE);
    app = await start();
    await revokeAll();
    expect(revoked()).toEqual([alice.refreshToken]);
    expect(await rows('SELECT * FROM oneid_session_tokens')).toEqual([]);
  });

  it('fails with store_unavailable when the store fails at any of its statements, and the next call finishes', async () => {
    // its statements would mix with those of the call
    const revoking = jest.spyOn(at(RefreshTokenRevoker), 'wake').mockResolvedValue();
    for (let n = 1, statements = n; statements >= n; n++) {
      const alice = await signIn('user-alice');
      await sessions.end(alice.session.id, author);
      const other = await signIn('user-alice');
      statements = 0;
      const restore = intercept(database(), (run, sql, parameters) => {
        statements += 1;
        return statements === n ? run('SELECT * FROM no_such_table', []) : run(sql, parameters);
      });
      const outcome = await sessions.eraseUser({ sub: 'user-alice' }).then(
        () => 'erased',
        (error: unknown) => error,
      );
      restore();
      const failed = statements >= n;
      expect(outcome).toEqual(failed ? expect.objectContaining({ code: 'store_unavailable', status: 503 }) : 'erased');
      if (failed) await sessions.eraseUser({ sub: 'user-alice' });
      else expect(n).toBeGreaterThan(8);
      expect(await foundInClear(...alice.clear, ...other.clear, author.by, author.reason)).toEqual([]);
    }
    revoking.mockRestore();
    await revokeAll();
    expect(await rows('SELECT * FROM oneid_session_tokens')).toEqual([]);
  });

  it('erases more sessions than one statement does, also of the same time, and no session of another issuer', async () => {
    const repository = at(SessionRepository);
    const insert = (n: number, issuer: string) =>
      repository.insertSession({
        ...{ id: digest(['id', issuer, n]), issuer, clientId, sid: `sid-${n}-alice`, sub: 'user-alice' },
        ...{ iat: 1, lifetime: n % 3 === 0 ? 1 : DAY, idTokenHash: digest([issuer, n]), label: `label-${n}-alice` },
      });
    for (let n = 0; n < ERASED_AT_ONCE * 2 + 3; n++) await insert(n, oneId.issuer);
    await insert(0, 'https://other.example/');
    await database().run('UPDATE oneid_session SET registered_at = registered_at - 5 WHERE registered_at % 2 = 0');
    clock.advance(10);
    await sessions.eraseUser({ sub: 'user-alice' });
    expect(
      await rows(`SELECT sub, sid, label, issuer FROM oneid_session WHERE sub <> '' OR sid <> '' OR label <> ''`),
    ).toEqual([{ sub: 'user-alice', sid: 'sid-0-alice', label: 'label-0-alice', issuer: 'https://other.example/' }]);
  });

  it('a sign-in that ends after the call is a new session and keeps its data', async () => {
    const alice = await signIn('user-alice');
    const newer: SignedIn[] = [];
    const restore = intercept(database(), async (run, sql, parameters) => {
      const result = await run(sql, parameters);
      if (/^\s*INSERT (IGNORE )?INTO \S*oneid_logout\b/.test(sql) && newer.length === 0) {
        clock.advance(1);
        restore();
        newer.push(await signIn('user-alice'));
      }
      return result;
    });
    expect(await sessions.eraseUser({ sub: 'user-alice' })).toEqual({ pendingTokens: 1 });
    const [signedIn] = newer;
    expect(await sessions.listAlive({ issuer: oneId.issuer, sub: 'user-alice' })).toMatchObject([
      { id: signedIn?.session.id, sid: signedIn?.login.sid, label: 'phone of user-alice' },
    ]);
    expect(await reasonFor(alice.session)).toBe('admin');
    expect(await foundInClear(alice.login.sid)).toEqual([]);
  });

  /** The next session to be stored is committed only after the erasure of its user; its time is from before. */
  function commitAfterErasure(sub: string, then: () => void = () => undefined): void {
    const restore = intercept(database(), async (run, sql, parameters) => {
      if (!/INTO \S*oneid_session\W? \(/.test(sql)) return run(sql, parameters);
      restore();
      const result = await run(sql, parameters);
      const [row = {}] = await rows('SELECT * FROM oneid_session');
      await run('DELETE FROM oneid_session', []);
      expect(await sessions.eraseUser({ sub })).toEqual({ pendingTokens: 0 });
      const columns = Object.keys(row);
      const values = Object.values(row) as SqlParameter[];
      await run(`INSERT INTO oneid_session (${columns.join(', ')}) VALUES (${placeholders(columns)})`, values);
      then();
      return result;
    });
  }

  it('a sign-in that is committed after the look for sessions is refused, and erases its own data', async () => {
    const login = oneId.signIn({ sub: 'user-alice' });
    const [idToken, refreshToken] = [await oneId.idToken({ clientId, login }), oneId.refreshToken({ clientId, login })];
    commitAfterErasure('user-alice');
    const label = 'phone of user-alice';
    await expect(sessions.register({ idToken, refreshToken, label })).rejects.toMatchObject({ code: 'session_ended' });
    expect(await rows('SELECT sub, sid, label FROM oneid_session')).toEqual([{ sub: '', sid: '', label: null }]);
    expect(await foundInClear('user-alice', login.sid)).toEqual([]);
    await revokeAll();
    expect(revoked()).toEqual([refreshToken]);
    expect(await rows('SELECT * FROM oneid_session_tokens')).toEqual([]);
    expect(await sessions.countPendingRevocations()).toBe(0);
  });

  it('a sign-in whose process crashes right after that leaves its data, and the next call erases them', async () => {
    const login = oneId.signIn({ sub: 'user-alice' });
    const idToken = await oneId.idToken({ clientId, login });
    commitAfterErasure('user-alice', () => failNext(database(), 99));
    await expect(sessions.register({ idToken, label: 'phone of user-alice' })).rejects.toMatchObject({
      code: 'store_unavailable',
    });
    app = await start();
    sessions = app.get(SessionRegistry);
    const [row] = await rows('SELECT id FROM oneid_session');
    expect((await at(SessionRepository).check(String(row?.['id'])))?.endedBy).toBe('admin');
    expect(await foundInClear('user-alice', login.sid)).toEqual([
      'oneid_session.label',
      'oneid_session.sid',
      'oneid_session.sub',
    ]);
    await sessions.eraseUser({ sub: 'user-alice' });
    expect(await foundInClear('user-alice', login.sid)).toEqual([]);
  });

  it('a sign-in whose login OneID has ended is stored to revoke its token, without data of the user', async () => {
    const login = oneId.signIn({ sub: 'user-alice' });
    const idToken = await oneId.idToken({ clientId, login, claims: { sid: '' } });
    const refreshToken = oneId.refreshToken({ clientId, login });
    await expect(sessions.register({ idToken, refreshToken })).rejects.toMatchObject({ code: 'session_ended' });
    expect(await foundInClear('user-alice')).toEqual([]);
    await revokeAll();
    expect(revoked()).toEqual([refreshToken]);
  });

  it('the same ID token and a refresh bring nothing back: refused with session_ended, and their tokens are revoked', async () => {
    const alice = await signIn('user-alice');
    await sessions.eraseUser({ sub: 'user-alice' });
    const { login, idToken } = alice;
    const stolen = oneId.refreshToken({ clientId, login });
    await expect(sessions.register({ idToken, refreshToken: stolen, label: 'user-alice' })).rejects.toMatchObject({
      code: 'session_ended',
    });
    const rotated = oneId.refreshToken({ clientId, login });
    const refreshed = { idToken: await oneId.idToken({ clientId, login }), refreshToken: rotated };
    await expect(sessions.refresh(alice.session.id, refreshed)).rejects.toMatchObject({ code: 'session_ended' });
    expect(await foundInClear(...alice.clear)).toEqual([]);
    await revokeAll();
    expect(revoked()).toContain(rotated);
    expect(await rows('SELECT * FROM oneid_session_tokens')).toEqual([]);
    await expect(
      sessions.refresh(alice.session.id, { idToken: (await signIn('user-bob')).idToken }),
    ).rejects.toMatchObject({ code: 'id_token_invalid' });
  });

  it('a logout of OneID still ends what it named: a sid of the erased user that comes later', async () => {
    const alice = await signIn('user-alice');
    await sessions.eraseUser({ sub: 'user-alice' });
    await backchannel(alice.login, 'user');
    const targets = (await rows('SELECT target FROM oneid_logout')).map((row) => row['target']);
    expect(targets).toContain(targetOf('sid', oneId.issuer, alice.login.sid));
    // the remembered hash of the user leads from the sid to the user, as before the erasure
    expect(targets.filter((target) => target === targetOf('sub', oneId.issuer, 'user-alice'))).toHaveLength(2);
    const sameLogin = { idToken: await oneId.idToken({ clientId, login: alice.login }) };
    await expect(sessions.register(sameLogin)).rejects.toMatchObject({ code: 'session_ended' });
    expect(await foundInClear(...alice.clear)).toEqual([]);
  });

  it('P27: a token waits while the user is back under the same sid, and is revoked and erased after it', async () => {
    const alice = await signIn('user-alice');
    oneId.fail(endpointPaths.revocation, { status: 503 });
    await sessions.eraseUser({ sub: 'user-alice' });
    await revoke();
    clock.advance(MINUTE);
    oneId.heal(endpointPaths.revocation);
    const back = await signIn('user-alice', alice.login);
    await revokeAll();
    expect(revoked()).toEqual([]);
    expect(await sessions.eraseUser({ sub: 'user-alice' })).toEqual({ pendingTokens: 2 });
    await revokeAll();
    await revokeAll();
    expect(revoked().sort()).toEqual([alice.refreshToken, back.refreshToken].sort());
    expect(await rows('SELECT * FROM oneid_session_tokens')).toEqual([]);
  });

  it('keepOfflineTokens: erases the refresh tokens without revoking them', async () => {
    app = await start({}, { keepOfflineTokens: true });
    sessions = app.get(SessionRegistry);
    await signIn('user-alice');
    await sessions.eraseUser({ sub: 'user-alice' });
    await revoke();
    expect(oneId.count(endpointPaths.revocation)).toBe(0);
    expect(await rows('SELECT * FROM oneid_session_tokens')).toEqual([]);
  });

  it('without secrets, erases stored tokens at once: no replica could revoke them', async () => {
    const alice = await signIn('user-alice');
    expect(await at(TokenVault).load(alice.session.id)).toMatchObject({ refreshToken: alice.refreshToken });
    app = await start({ secrets: [] });
    expect(await app.get(SessionRegistry).eraseUser({ sub: 'user-alice' })).toEqual({ pendingTokens: 0 });
    expect(await rows('SELECT * FROM oneid_session_tokens')).toEqual([]);
    expect(await foundInClear(...alice.clear)).toEqual([]);
  });

  it('refuses a user whose issuer or sub is missing, and erases nothing', async () => {
    const alice = await signIn('user-alice');
    const refusals = [
      [{ sub: '' }, 'user_invalid'],
      [{ sub: undefined as never }, 'user_invalid'],
      [{ sub: ['user-alice'] as never }, 'user_invalid'],
      [undefined as never, 'user_invalid'],
      [null as never, 'user_invalid'],
      ['user-alice' as never, 'user_invalid'],
      [{ sub: 'user-alice', issuer: 7 as never }, 'client_unknown'],
      [{ sub: 'user-alice', issuer: 'https://other.example/' }, 'client_unknown'],
    ] as const;
    for (const [user, code] of refusals)
      await expect(sessions.eraseUser(user)).rejects.toMatchObject({ code, status: 400 });
    expect(await reasonFor(alice.session)).toBe('alive');
    expect(await foundInClear('user-alice')).toEqual(['oneid_session.label', 'oneid_session.sub']);
  });

  it('a purged session takes its author along: nothing would tell later whose data it is', async () => {
    const alice = await signIn('user-alice');
    await sessions.end(alice.session.id, author);
    await revokeAll();
    const lifetime = alice.session.expiresAt - clock.now();
    clock.advance(lifetime + DAY - MINUTE);
    const purge = async () => at(OldRows).purge(25, new PurgeProgress(), await at(SessionRepository).findNow());
    await purge();
    expect(await foundInClear(author.by)).toEqual(['oneid_logout.author']);
    clock.advance(2 * MINUTE);
    await purge();
    expect(await rows('SELECT author, reason FROM oneid_logout')).toEqual([{ author: null, reason: null }]);
    expect(await foundInClear(author.by, author.reason)).toEqual([]);
  });
});
