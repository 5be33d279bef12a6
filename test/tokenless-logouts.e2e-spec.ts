import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { databases, type TestDatabase } from './support/databases.js';
import { intercept, SessionStore } from './support/session-store.js';

describe.each(databases)('logouts without tokens to revoke, on $name', (database) => {
  let testDatabase: TestDatabase;
  let store: SessionStore;
  let statements: number;
  beforeAll(async () => {
    testDatabase = await database.take();
    store = await SessionStore.open(testDatabase);
    intercept(store.database, (run, sql, parameters) => {
      statements += 1;
      return run(sql, parameters);
    });
  });
  beforeEach(async () => {
    await store.clear();
    statements = 0;
  });
  afterAll(async () => {
    await store.close();
    await testDatabase.drop();
  });

  const signIn = (sid: string) => {
    const idToken = store.idToken({ sub: 'alice', sid });
    return store.registry.register({ idToken, refreshToken: `token of ${sid}` });
  };
  const logOut = (sid: string) => store.recorder.recordBackchannel(store.logout({ sid }));
  const forgetTokens = (id: string) =>
    store.database.run('DELETE FROM oneid_session_tokens WHERE session_id = ?', [id]);
  const dueOf = async () => (await store.revocations.findDue(99)).map(({ id }) => id).sort();

  it('are closed together, and other logouts are not changed', async () => {
    for (const sid of ['a', 'b']) await signIn(sid);
    for (const sid of ['a', 'b', 'c', 'd', 'e', 'f']) await logOut(sid);
    await forgetTokens((await signIn('g')).id);
    await logOut('g');
    const all = await dueOf();
    statements = 0;
    expect(await store.revocations.closeLogoutsWithoutTokens(50)).toBe(2);
    expect(statements).toBeLessThanOrEqual(5);
    expect([all.length, (await dueOf()).length, await store.revocations.countDue()]).toEqual([7, 2, 2]);
  });

  it('are checked up to a limit, the oldest first, and not at all when there is only one', async () => {
    for (const sid of ['a', 'b', 'c']) await logOut(sid);
    const [first, second] = (await store.revocations.findDue(9)).map(({ id }) => id);
    expect(await store.revocations.closeLogoutsWithoutTokens(2)).toBe(0);
    const [left, ...none] = await dueOf();
    expect(none).toEqual([]);
    expect([first, second]).not.toContain(left);
    expect(await store.revocations.closeLogoutsWithoutTokens(2)).toBe(0);
    expect(await dueOf()).toEqual([left]);
  });

  it('stay open when tokens are stored during the check', async () => {
    for (let n = 1; ; n++) {
      await store.clear();
      const session = await signIn('late');
      await forgetTokens(session.id);
      for (const sid of ['late', 'other', 'another']) await logOut(sid);
      let seen = 0;
      const restore = intercept(store.database, async (run, sql, parameters) => {
        if (++seen === n) {
          restore();
          await store.registry.refresh(session.id, { refreshToken: 'late' }).catch(() => undefined);
        }
        return run(sql, parameters);
      });
      await store.revocations.closeLogoutsWithoutTokens(50);
      restore();
      const late = seen < n;
      if (late) await store.registry.refresh(session.id, { refreshToken: 'late' }).catch(() => undefined);
      const stored = (await store.rows('session_tokens', 'refresh_token IS NOT NULL')).length > 0;
      // tokens that are stored for an ended session must be due for revocation
      expect([stored, await store.revocations.countDue()]).toEqual([true, 1]);
      if (late) return;
    }
  });
});
