import { randomUUID } from 'node:crypto';
import { afterEach, describe, expect, it } from '@jest/globals';
import {
  type LogoutEvent,
  type RegisteredSession,
  type Session,
  SessionEndedError,
  StoreUnavailableError,
} from 'nestjs-oneid-logout';
import { digest, targetOf } from '../libs/oneid-logout/src/rule/targets.js';
import { type NewSession } from '../libs/oneid-logout/src/store/session.repository.js';
import { databases, type TestDatabase } from './support/databases.js';
import { clientId, DAY, intercept, issuer, SessionStore } from './support/session-store.js';
import { TestClock } from './support/test-clock.js';

const HOUR = 60 * 60 * 1000;

/** The order of the sessions, the newest first. */
const byAge = (a: Pick<Session, 'id' | 'registeredAt'>, b: Pick<Session, 'id' | 'registeredAt'>) =>
  b.registeredAt - a.registeredAt || (a.id < b.id ? 1 : -1);
const idsOf = (sessions: readonly Pick<Session, 'id'>[]) => sessions.map(({ id }) => id);

describe.each(databases)('maxSessionsPerUser, on $name', (database) => {
  let testDatabase: TestDatabase;
  let stores: SessionStore[] = [];
  afterEach(async () => {
    for (const store of stores) await store.close();
    stores = [];
    await testDatabase.drop();
  });

  /** A replica; further ones are on the same database. */
  async function open(
    maxSessionsPerUser: number | undefined,
    clock = new TestClock(),
    maxIdleSeconds?: number,
  ): Promise<SessionStore> {
    if (stores.length === 0) testDatabase = await database.take();
    const store = await SessionStore.open(testDatabase, { clock, maxSessionsPerUser, maxIdleSeconds });
    stores.push(store);
    return store;
  }

  const signIn = (store: SessionStore, sub = 'alice', replaces?: string): Promise<RegisteredSession> =>
    store.registry.register({ idToken: store.idToken({ sub, sid: randomUUID() }), replaces });

  const aliveOf = async (store: SessionStore, sub = 'alice') =>
    idsOf(await store.registry.listAlive({ issuer, sub }, 5_000));

  /** Sessions of a time without the option, oldest first. */
  async function insertOld(store: SessionStore, count: number, facts: Partial<NewSession> = {}): Promise<string[]> {
    const ids = Array.from({ length: count }, (_, n) => digest(['old', n, randomUUID()]));
    const usual = { issuer, clientId, sub: 'alice', sid: 'old', iat: 1_790_000_000, lifetime: HOUR };
    for (const id of ids) await store.repository.insertSession({ ...usual, id, idTokenHash: id, ...facts });
    return ids;
  }

  it('off by default: a user may have any number of sessions', async () => {
    const store = await open(undefined);
    for (let n = 0; n < 5; n++) await signIn(store);
    expect(await aliveOf(store)).toHaveLength(5);
    expect(await store.rows('logout')).toEqual([]);
  });

  it('a sign-in ends the oldest session, for good, and the guard refuses it as logged out', async () => {
    const store = await open(2);
    const sessions = [await signIn(store), await signIn(store), await signIn(store)];
    const [first, second, third] = idsOf(sessions);
    expect(await aliveOf(store)).toEqual([third, second]);
    expect(await store.judge.judge({ sessionToken: sessions[0]?.sessionToken ?? '' })).toEqual({
      reason: 'logged_out',
    });
    expect(await store.rows('logout')).toEqual([
      expect.objectContaining({
        target: targetOf('session', issuer, first ?? ''),
        channel: 'replaced',
        registered_until: null,
        issued_until: null,
      }),
    ]);
  });

  it('counts neither ended nor expired sessions', async () => {
    const clock = new TestClock();
    const store = await open(2, clock);
    const first = await signIn(store);
    const short = await store.registry.register({
      idToken: store.idToken({ sub: 'alice', sid: 'short' }),
      expiresAt: new Date(clock.now() + HOUR),
    });
    clock.advance(2 * HOUR);
    const third = await signIn(store);
    expect(await aliveOf(store)).toEqual(idsOf([third, first]));
    await store.registry.end(third.id);
    const fourth = await signIn(store);
    expect(await aliveOf(store)).toEqual(idsOf([fourth, first]));
    expect(await store.rows('logout', 'channel = ?', 'replaced')).toEqual([]);
    expect((await store.repository.check(short.id))?.endedBy).toBeUndefined();
  });

  it('counts no idle session, so that a session in use does not end in its place', async () => {
    const clock = new TestClock();
    const store = await open(2, clock, 3_600);
    const [used, idle] = [await signIn(store), await signIn(store)];
    for (const passed of [HOUR / 2, HOUR / 2 + 1_000]) {
      clock.advance(passed);
      expect(await store.judge.judge({ sessionToken: used.sessionToken }, true)).toHaveProperty('alive');
      await store.activity?.wake();
    }
    const fresh = await signIn(store);
    expect(await aliveOf(store)).toEqual(idsOf([fresh, used]));
    expect(await store.judge.judge({ sessionToken: idle.sessionToken }, true)).toEqual({ reason: 'idle' });
    expect(await store.rows('logout')).toEqual([]);
  });

  it('counts the sessions of one issuer, user and client', async () => {
    const store = await open(1);
    const others = [
      ...(await insertOld(store, 2, { clientId: 'another app' })),
      ...(await insertOld(store, 2, { clientId: clientId.toUpperCase() })),
      ...(await insertOld(store, 2, { sub: 'ALICE' })),
      ...(await insertOld(store, 2, { issuer: 'https://other.example/' })),
    ];
    const own = await signIn(store);
    const alive = await Promise.all([...others, own.id].map(async (id) => (await store.repository.check(id))?.endedBy));
    expect(alive).toEqual([...others, own.id].map(() => undefined));
    // the issuer with and without the slash is the same
    const [slashless] = await insertOld(store, 1, { issuer: issuer.replace(/\/$/, '') });
    expect(await aliveOf(store)).toContain(slashless);
    const last = await signIn(store);
    const endedBy = async (id = '') => (await store.repository.check(id))?.endedBy;
    expect(await Promise.all([slashless, own.id, last.id].map(endedBy))).toEqual(['replaced', 'replaced', undefined]);
  });

  describe.each([1, 2])('on %d replicas', (replicas) => {
    it.each([
      { signIns: 2, limit: 1, before: 0 },
      { signIns: 2, limit: 1, before: 1 },
      { signIns: 2, limit: 3, before: 3 },
      { signIns: 10, limit: 1, before: 2 },
      { signIns: 10, limit: 3, before: 3 },
      { signIns: 10, limit: 12, before: 1 },
    ])(
      '$signIns sign-ins at once, at most $limit, $before before: once all have returned, the newest live',
      async ({ signIns, limit, before }) => {
        // a stopped clock puts sessions into the same millisecond
        for (const clock of [new TestClock(), new TestClock(Date.now())]) {
          for (let replica = 0; replica < replicas; replica++) await open(limit, clock);
          const at = (n: number) => stores.at(-1 - (n % replicas)) as SessionStore;
          for (let round = 0; round < 3; round++) {
            const sub = randomUUID();
            for (let n = 0; n < before; n++) await signIn(at(n), sub);
            const atOnce = Array.from({ length: signIns }, (_, n) => signIn(at(n), sub));
            const results = await Promise.allSettled(atOnce);
            // by its target: a sign-in that was refused keeps no sub
            const rows = (await at(0).rows('session', 'target_sub = ?', targetOf('sub', issuer, sub))).map((row) => ({
              id: String(row['id']),
              registeredAt: Number(row['registered_at']),
            }));
            expect(rows).toHaveLength(before + signIns);
            const expected = idsOf(rows.sort(byAge).slice(0, limit));
            // those of the newest sessions get them; others may end before their sign-in has returned
            for (const result of results) {
              if (result.status === 'rejected') expect(result.reason).toBeInstanceOf(SessionEndedError);
            }
            const got = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value.id] : []));
            expect(got).toEqual(expect.arrayContaining(expected.slice(0, Math.min(limit, signIns))));
            for (let n = 0; n < replicas; n++) expect(await aliveOf(at(n), sub)).toEqual(expected);
          }
        }
      },
    );
  });

  it('sessions of one millisecond: the id decides, on every replica', async () => {
    const [one, other] = [await open(3), await open(3)];
    const ids = (await insertOld(one, 9)).sort();
    await one.database.run('UPDATE oneid_session SET registered_at = 7');
    const [first, second] = await Promise.all([signIn(one), signIn(other)]);
    const expected = [...idsOf([first, second].sort(byAge)), ids.at(-1)];
    expect(await aliveOf(one)).toEqual(expected);
    expect(await aliveOf(other)).toEqual(expected);
  });

  it('the new session lives, also after the clock of the database has stepped back', async () => {
    const clock = new TestClock();
    const store = await open(1, clock);
    const first = await signIn(store);
    clock.databaseAhead = -HOUR;
    const second = await signIn(store);
    expect(second.registeredAt).toBe(first.registeredAt + 1);
    expect(await aliveOf(store)).toEqual([second.id]);
    clock.databaseAhead = 0;
    const third = await signIn(store);
    expect(await aliveOf(store)).toEqual([third.id]);
  });

  it('the same ID token again: the same session, and nothing ends', async () => {
    const store = await open(2);
    const other = await signIn(store);
    const idToken = store.idToken({ sub: 'alice', sid: 'again' });
    const all = [await store.registry.register({ idToken })];
    all.push(...(await Promise.all([1, 2, 3].map(() => store.registry.register({ idToken })))));
    const [first] = all;
    expect(new Set(idsOf(all))).toEqual(new Set([first?.id]));
    expect(await aliveOf(store)).toEqual([first?.id, other.id]);
    expect(await store.rows('logout')).toEqual([]);
  });

  it('an older ID token again ends no newer session', async () => {
    const store = await open(2);
    const idToken = store.idToken({ sub: 'alice', sid: 'first' });
    const first = await store.registry.register({ idToken });
    const second = await signIn(store);
    expect((await store.registry.register({ idToken })).id).toBe(first.id);
    expect(await aliveOf(store)).toEqual(idsOf([second, first]));
  });

  it('replaces: the session of the browser ends first, so the oldest one may stay', async () => {
    const store = await open(2);
    const [oldest, mine] = [await signIn(store), await signIn(store)];
    const fresh = await signIn(store, 'alice', mine.sessionToken);
    expect(await aliveOf(store)).toEqual(idsOf([fresh, oldest]));
    // the session of another user counts as that user's
    const bobs = await signIn(store, 'bob');
    const again = await signIn(store, 'alice', bobs.sessionToken);
    expect(await aliveOf(store)).toEqual(idsOf([again, fresh]));
    expect(await aliveOf(store, 'bob')).toEqual([]);
  });

  it.each([0, 1, 255, 256, 257, 600])(
    'switched on with %d old sessions of a user: ends them in pages, and the newest stay',
    async (count) => {
      const clock = new TestClock(Date.now());
      const store = await open(3, clock);
      const ids = await insertOld(store, count);
      // pages begin and end within a millisecond
      await store.database.run('UPDATE oneid_session SET registered_at = registered_at - 1 WHERE id < ?', [
        ids.toSorted()[Math.floor(count / 2)] ?? '',
      ]);
      const newest = (await store.registry.listAlive({ issuer, sub: 'alice' }, 5_000)).sort(byAge).slice(0, 2);
      const sizes: number[] = [];
      const endSessions = store.recorder.endSessions.bind(store.recorder);
      store.recorder.endSessions = (sessions, channel) => {
        sizes.push(sessions.length);
        return endSessions(sessions, channel);
      };
      const fresh = await signIn(store);
      expect(await aliveOf(store)).toEqual(idsOf([fresh, ...newest]));
      expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(Math.max(0, count - 2));
      expect(Math.max(...sizes)).toBeLessThanOrEqual(256);
      expect(await store.rows('logout')).toHaveLength(Math.max(0, count - 2));
    },
    60_000,
  );

  it('two sign-ins at once, on two replicas, right after the option is switched on: the newest stay', async () => {
    const [one, other] = [await open(2), await open(2)];
    await insertOld(one, 300);
    const fresh = await Promise.all([signIn(one), signIn(other)]);
    expect(await aliveOf(one)).toEqual(idsOf(fresh.sort(byAge)));
    expect(await one.rows('logout')).toHaveLength(300);
  }, 60_000);

  it('the store fails at any statement of a sign-in: 503, at most one session more, and the same call again ends it', async () => {
    const clock = new TestClock();
    const store = await open(2, clock);
    let failed = 0;
    for (let nth = 1; ; nth++) {
      const sub = `user ${nth}`;
      const before = [await signIn(store, sub), await signIn(store, sub)];
      const idToken = store.idToken({ sub, sid: randomUUID() });
      let count = 0;
      const restore = intercept(store.database, (run, sql, parameters) =>
        ++count === nth ? Promise.reject(new StoreUnavailableError(new Error('gone'))) : run(sql, parameters),
      );
      const result = await store.registry.register({ idToken }).catch((error: unknown) => error);
      restore();
      if (count < nth) break;
      failed += 1;
      expect(result).toBeInstanceOf(StoreUnavailableError);
      expect((result as StoreUnavailableError).getStatus()).toBe(503);
      expect((await aliveOf(store, sub)).length).toBeLessThanOrEqual(3);

      const again = await store.registry.register({ idToken });
      expect(await aliveOf(store, sub)).toEqual([again.id, before[1]?.id]);
    }
    // look up the login and the newest, remember, insert, tokens, check, find the oldest, end them
    expect(failed).toBeGreaterThanOrEqual(7);
  }, 60_000);

  it('the store fails between the new session and the end of the oldest: one session more, until the next sign-in', async () => {
    const store = await open(2);
    const before = [await signIn(store), await signIn(store)];
    const endSessions = store.recorder.endSessions.bind(store.recorder);
    store.recorder.endSessions = () => Promise.reject(new StoreUnavailableError(new Error('gone')));
    const error: unknown = await signIn(store).catch((error: unknown) => error);
    store.recorder.endSessions = endSessions;
    expect(error).toBeInstanceOf(StoreUnavailableError);
    const left = await aliveOf(store);
    expect(left).toHaveLength(3);
    expect(left).toEqual(expect.arrayContaining(idsOf(before)));

    const next = await signIn(store);
    // the session whose caller got the 503 is newer than the others: it counts
    expect(await aliveOf(store)).toEqual([next.id, left[0]]);
  });

  it('the app learns of each ended session over the channel `replaced`, as for `replaces`', async () => {
    const store = await open(1);
    const events: LogoutEvent[] = [];
    store.events.logouts.subscribe((event) => events.push(event));
    const first = await signIn(store);
    const closed: string[] = [];
    store.events
      .ended(first)
      .subscribe({ next: ({ channel }) => closed.push(channel), complete: () => closed.push('over') });
    const second = await signIn(store);
    expect(events.map(({ channel }) => channel)).toEqual(['replaced']);
    expect(events.map((event) => [event.ends(first), event.ends(second)])).toEqual([[true, false]]);
    expect(closed).toEqual(['replaced', 'over']);
  });

  it('a refused sign-in ends no session', async () => {
    const clock = new TestClock();
    const store = await open(1, clock);
    const own = await signIn(store);
    await store.recorder.recordBackchannel(store.logout({ sid: 'over' }));
    const ended = store.registry.register({
      idToken: store.idToken({ sub: 'alice', sid: 'over' }),
      refreshToken: 'to revoke',
    });
    await expect(ended).rejects.toMatchObject({ code: 'session_ended' });
    const expired = store.registry.register({
      idToken: store.idToken({ sub: 'alice', sid: 'new' }),
      expiresAt: new Date(clock.now() - DAY),
    });
    await expect(expired).rejects.toMatchObject({ code: 'session_expired' });
    expect(await aliveOf(store)).toEqual([own.id]);
  });
});
