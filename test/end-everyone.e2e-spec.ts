import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ClocksDifferError, type RegisteredSession, type TokenClaims } from 'nestjs-oneid-logout';
import { digest, targetOf } from '../libs/oneid-logout/src/rule/targets.js';
import { databases, type TestDatabase } from './support/databases.js';
import { clientId, DAY, issuer, numberOf, SessionStore } from './support/session-store.js';
import { TestClock } from './support/test-clock.js';

const SECOND = 1_000;
const other = { issuer: 'https://other.example/', clientId: 'another app' };

describe.each(databases)('the end of everyone, on $name', (database) => {
  let testDatabase: TestDatabase;
  let clock: TestClock;
  let store: SessionStore;
  beforeEach(async () => {
    testDatabase = await database.take();
    // it stands still, so that two steps are in one instant
    clock = new TestClock(Date.now());
    store = await SessionStore.open(testDatabase, { clock });
  });
  afterEach(async () => {
    await store.close();
    await testDatabase.drop();
  });

  let made = 0;
  const signIn = (facts: { issuer?: string; clientId?: string; sub?: string; sid?: string } = {}) => {
    made += 1;
    const login = { sub: `user-${made}`, sid: `sid-${made}` };
    return store.registry.register({ idToken: store.idToken({ ...login, ...facts }), refreshToken: `refresh-${made}` });
  };
  const areAlive = (...sessions: readonly RegisteredSession[]) =>
    Promise.all(sessions.map(({ id }) => store.isAlive(id)));
  const untilOf = async () => numberOf((await store.rows('logout')).at(-1), 'registered_until');

  it('ends all sessions at the issuer with one row, and no sessions of another issuer', async () => {
    const sessions = [await signIn(), await signIn({ clientId: 'another app' }), await signIn(other)];
    // OneID's slash has changed between versions
    const spelled = await signIn({ issuer: issuer.replace(/\/$/, '') });
    await store.recorder.endEveryone(issuer);
    expect(await areAlive(...sessions, spelled)).toEqual([false, false, true, false]);
    const rows = await store.rows('logout');
    expect(rows).toMatchObject([{ target: targetOf('issuer', issuer, ''), channel: 'admin', issued_until: null }]);
    expect(numberOf(rows[0], 'registered_until')).toBe(
      Math.max(...[...sessions, spelled].map((one) => one.registeredAt)),
    );
  });

  it('ends the sessions of one client only', async () => {
    const sessions = [await signIn(), await signIn({ clientId: 'another app' }), await signIn({ ...other, clientId })];
    await store.recorder.endEveryone(issuer, clientId);
    expect(await areAlive(...sessions)).toEqual([false, true, true]);
    expect(await store.rows('logout')).toMatchObject([{ target: targetOf('client', issuer, clientId) }]);
  });

  it('a sign-in of the same instant lives if it comes after, and the next end of everyone ends it', async () => {
    const before = await signIn();
    await store.recorder.endEveryone(issuer);
    const after = await signIn({ sub: before.sub });
    expect(await areAlive(before, after)).toEqual([false, true]);
    expect(after.registeredAt).toBe(Number(await untilOf()) + 1);
    await store.recorder.endEveryone(issuer, clientId);
    const last = await signIn();
    expect(await areAlive(before, after, last)).toEqual([false, false, true]);
    expect(last.registeredAt).toBe(after.registeredAt + 1);
  });

  it("ends sessions that were registered before the database's clock stepped back, and no later sign-in", async () => {
    clock.databaseAhead = 50 * SECOND;
    const before = await signIn();
    clock.databaseAhead = -9 * SECOND;
    await store.recorder.endEveryone(issuer);
    const after = await signIn();
    expect(await areAlive(before, after)).toEqual([false, true]);
    expect(after.registeredAt).toBe(before.registeredAt + 1);
  });

  it.each([61 * SECOND, -61 * SECOND, 40 * DAY])(
    "fails while the database's clock is %d ms ahead of this host's, and stores nothing",
    async (ahead) => {
      const session = await signIn();
      clock.databaseAhead = ahead;
      const ending = store.recorder.endEveryone(issuer);
      await expect(ending).rejects.toBeInstanceOf(ClocksDifferError);
      await expect(ending).rejects.toMatchObject({
        code: 'clocks_differ',
        message:
          `No session has ended: the database's clock is ${Math.abs(ahead) / 1000} s ` +
          `${ahead > 0 ? 'ahead of' : 'behind'} this host's clock. Set the wrong clock right`,
      });
      expect(await store.rows('logout')).toEqual([]);
      clock.databaseAhead = 60 * SECOND;
      await store.recorder.endEveryone(issuer);
      expect(await areAlive(session)).toEqual([false]);
    },
  );

  it('ends the sessions of a clock that was days ahead one by one, and refuses no bearer token until then', async () => {
    const now = await signIn();
    clock.databaseAhead = 2 * DAY;
    const ahead = [await signIn(), await signIn({ clientId: 'another app' }), await signIn(other)];
    clock.databaseAhead = 0;
    await store.recorder.endEveryone(issuer, clientId);
    expect(await areAlive(now, ...ahead)).toEqual([false, false, true, true]);
    expect(await verdictOf({ iat: clock.seconds + 1, azp: clientId })).toBe('alive');
    await store.recorder.endEveryone(issuer);
    expect(await areAlive(now, ...ahead)).toEqual([false, false, false, true]);
    const later = await signIn();
    expect(await areAlive(later)).toEqual([true]);
  });

  const verdictOf = async (claims: TokenClaims) => {
    const judged = await store.judge.judge({ claims: { iss: issuer, sub: 'a user', sid: 'a sid', ...claims } });
    return 'alive' in judged ? 'alive' : judged.reason;
  };

  it('ends bearer tokens whose iat is not later, and no token that is issued later', async () => {
    const iat = clock.seconds;
    expect(await verdictOf({ iat })).toBe('alive');
    await store.recorder.endEveryone(issuer);
    expect(await verdictOf({ iat })).toBe('logged_out');
    expect(await verdictOf({ iat: iat + 1 })).toBe('alive');
    expect(await verdictOf({ iat, iss: other.issuer })).toBe('alive');
  });

  it('ends the bearer tokens that name the client', async () => {
    const iat = clock.seconds;
    await store.recorder.endEveryone(issuer, 'api');
    const verdicts = [
      await verdictOf({ iat, client_id: 'api' }),
      await verdictOf({ iat, azp: 'api', aud: 'app' }),
      await verdictOf({ iat, aud: ['api', 'app'] }),
      await verdictOf({ iat, client_id: 'app', azp: 'api' }),
      await verdictOf({ iat }),
      await verdictOf({ iat: iat + 1, client_id: 'api' }),
    ];
    expect(verdicts).toEqual(['logged_out', 'logged_out', 'logged_out', 'alive', 'alive', 'alive']);
  });

  it('BC-15: finds the refresh tokens page by page, also behind many tokens of another client', async () => {
    const count = 1_100;
    await insertSessions(count, 'another app');
    const mine = [await signIn(), await signIn(), await signIn()].map(({ id }) => id).sort();
    await store.recorder.endEveryone(issuer, clientId);
    const later = await signIn();
    const [due, ...others] = await store.revocations.findDue(9);
    expect(due).toMatchObject({ id: expect.stringMatching(/^everyone[0-9a-f]{56}$/), channel: 'admin' });
    expect(others).toEqual([]);
    expect(await store.revocations.closeLogoutsWithoutTokens(9)).toBe(0);
    const found: string[] = [];
    for (let page = await pageAfter(''); page.length > 0; page = await pageAfter(found.at(-1) ?? ''))
      found.push(...page);
    expect(found).toEqual(mine);
    expect(found).not.toContain(later.id);

    async function pageAfter(id: string): Promise<string[]> {
      const tokens = await store.tokens.findEndedWithEveryone(due?.id ?? '', id, 2);
      return tokens.map(({ sessionId }) => sessionId);
    }
  });

  /** Sessions with tokens, made faster than by sign-ins. */
  async function insertSessions(count: number, client: string): Promise<void> {
    await store.repository.rememberClient(issuer, client);
    const insert = async (table: string, rows: readonly (string | number)[][]) => {
      const values = rows.map((row) => `(${row.map(() => '?').join(', ')})`).join(', ');
      await store.database.run(`INSERT INTO oneid_${table} VALUES ${values}`, rows.flat());
    };
    const ids = Array.from({ length: count }, (_, n) => digest(['id', n]));
    await insert(
      `session (id, issuer, client_id, sub, issued_at, registered_at, expires_at, target_session, target_sid,
        target_sub, id_token_hash)`,
      ids.map((id) => [id, issuer, client, 'user', 1, 1, 9e12, `session ${id}`, id, 'user', id].map(cut)),
    );
    await insert(
      'session_tokens (session_id, refresh_token)',
      ids.map((id) => [id, 'sealed']),
    );
  }

  const cut = (value: string | number) => (typeof value === 'string' ? value.slice(0, 64) : value);

  it('the front-channel finds no live session afterwards, and stores nothing', async () => {
    const session = await signIn();
    await store.recorder.endEveryone(issuer);
    expect(await store.recorder.recordFrontchannel(issuer, session.sid ?? '')).toBe(false);
    expect(await store.rows('logout')).toHaveLength(1);
  });

  it('P27: a refresh token waits while the user is back under the same sid', async () => {
    const before = await signIn({ sub: 'alice', sid: 'login' });
    await store.recorder.endEveryone(issuer);
    const [tokens] = await tokensOf(before);
    if (tokens === undefined) throw new Error('no tokens');
    expect(await store.tokens.hasAliveSibling(tokens)).toBe(false);
    const back = await signIn({ sub: 'alice', sid: 'login' });
    expect(await store.tokens.hasAliveSibling(tokens)).toBe(true);
    await store.recorder.endEveryone(issuer);
    expect(await areAlive(back)).toEqual([false]);
    expect(await store.tokens.hasAliveSibling(tokens)).toBe(false);
  });

  const tokensOf = async ({ id }: RegisteredSession) => {
    const [due] = await store.revocations.findDue(1);
    const found = await store.tokens.findEndedWithEveryone(due?.id ?? '', '', 99);
    return found.filter(({ sessionId }) => sessionId === id);
  };
});
