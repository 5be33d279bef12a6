import { type NewLogout } from '../libs/oneid-logout/src/rule/logout.js';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { PurgeProgress } from '../libs/oneid-logout/src/store/purge-progress.js';
import { type SqlRow } from '../libs/oneid-logout/src/database/sql.js';
import { digest, targetOf } from '../libs/oneid-logout/src/rule/targets.js';
import { type NewSession, type SessionRepository } from '../libs/oneid-logout/src/store/session.repository.js';
import { type DueLogout } from '../libs/oneid-logout/src/store/revocation-queue.js';
import { databases, type TestDatabase } from './support/databases.js';
import {
  clientId,
  DAY,
  intercept,
  issuer,
  logoutRetention,
  maxSessionLifetimeMs,
  numberOf,
  SessionStore,
  without,
} from './support/session-store.js';
import { TestClock } from './support/test-clock.js';

const HOUR = 60 * 60 * 1000;

let made = 0;
const newId = () => digest(['id', ++made]);

const newSession = (changes: Partial<NewSession> = {}): NewSession => ({
  id: newId(),
  issuer,
  clientId,
  sid: 'sid-1',
  sub: 'alice',
  iat: 1_790_000_000,
  lifetime: HOUR,
  idTokenHash: newId(),
  ...changes,
});

const newLogout = (changes: Partial<NewLogout> = {}): NewLogout => ({
  id: newId(),
  kind: 'sid',
  target: targetOf('sid', issuer, 'sid-1'),
  channel: 'app',
  bound: { registeredUntil: 0 },
  ...changes,
});

const ofUser = { kind: 'sub', target: targetOf('sub', issuer, 'alice') } as const;

describe.each(databases)('SessionRepository, on $name', (database) => {
  const clock = new TestClock();
  let testDatabase: TestDatabase;
  let store: SessionStore;
  let repository: SessionRepository;
  beforeAll(async () => {
    testDatabase = await database.take();
    store = await SessionStore.open(testDatabase, { clock });
    repository = store.repository;
  });
  beforeEach(async () => {
    clock.ahead = clock.databaseAhead = 0;
    await store.clear();
  });
  afterAll(async () => {
    await store.close();
    await testDatabase.drop();
  });

  /** The logout that is due the longest. */
  async function firstDue(): Promise<DueLogout> {
    const [due] = await store.revocations.findDue(1);
    if (due === undefined) throw new Error('no logout is due');
    return due;
  }

  /** What a replica does with a due logout whose tokens need no more work. */
  async function settle(due: DueLogout): Promise<void> {
    expect(await store.revocations.claim(due)).toBe(true);
    expect(await store.revocations.release(due, null)).toBe(true);
  }

  const registeredAt = async (id: string) => (await repository.check(id))?.session.registeredAt ?? NaN;

  describe('insertSession', () => {
    it("returns the stored values in the right types, with times of the database's clock", async () => {
      const session = newSession({ lifetime: 40 * DAY });
      clock.databaseAhead = 5 * DAY;
      const before = Date.now() + 5 * DAY - 50;
      expect(await repository.insertSession(session)).toBe(true);
      const checked = await repository.check(session.id);
      const { lifetime } = session;
      const facts = without(session, 'idTokenHash', 'lifetime');
      const { registeredAt, expiresAt } = checked?.session ?? { registeredAt: NaN, expiresAt: NaN };
      expect(checked).toEqual({ session: { ...facts, registeredAt, expiresAt }, expired: false });
      expect(registeredAt).toBeGreaterThan(before);
      expect(registeredAt).toBeLessThan(before + 60_000);
      expect(expiresAt - registeredAt).toBeGreaterThanOrEqual(lifetime);
      expect(expiresAt - registeredAt).toBeLessThan(lifetime + 50);
    });

    it('stores a session without sid', async () => {
      const session = newSession({ sid: undefined });
      await repository.insertSession(session);
      expect((await repository.check(session.id))?.session).not.toHaveProperty('sid');
      expect(await store.row('session', session.id)).toMatchObject({
        sid: null,
        target_sid: targetOf('sidless', issuer, session.sub),
      });
    });

    it('stores the same ID token once, also when it comes twice at the same time', async () => {
      const first = newSession();
      const again = { ...newSession({ sub: 'mallory' }), idTokenHash: first.idTokenHash };
      const results = await Promise.all([repository.insertSession(first), repository.insertSession(again)]);
      expect(results.sort()).toEqual([false, true]);
      expect(await repository.insertSession({ ...first, id: newId() })).toBe(false);
      expect(await store.rows('session')).toHaveLength(1);
      const known = await repository.checkByIdToken(first.idTokenHash);
      expect([first.id, again.id]).toContain(known?.session.id);
    });

    it.each([
      ['of its sid', {}],
      ['of its user', ofUser],
    ])(
      'registers a session after its recorded logout, also when the clock steps back: a logout %s',
      async (_what, kind) => {
        const logout = newLogout({ ...kind, channel: 'admin' });
        const [created] = await repository.insertLogouts([logout]);
        const { registeredUntil = NaN } = created ?? {};
        clock.databaseAhead = -10 * DAY;
        const session = newSession();
        await repository.insertSession(session);
        expect(await registeredAt(session.id)).toBe(registeredUntil + 1);
        expect((await repository.check(session.id))?.endedBy).toBeUndefined();
      },
    );

    it("is not delayed by logouts of other sessions, or by logouts with a bound on the provider's clock", async () => {
      clock.databaseAhead = DAY;
      await repository.insertLogouts([
        newLogout({ target: targetOf('sid', issuer, 'sid-2') }),
        newLogout({ ...ofUser, target: targetOf('sub', 'https://other.example', 'alice') }),
        newLogout({ ...ofUser, bound: { issuedUntil: 1_780_000_000 }, channel: 'backchannel' }),
      ]);
      clock.databaseAhead = 0;
      const session = newSession();
      await repository.insertSession(session);
      expect(await registeredAt(session.id)).toBeLessThan(Date.now() + HOUR);
    });

    it('stores unusual and long names unchanged, and distinguishes case and spaces', async () => {
      const names = [
        'alice',
        'Alice',
        'alice ',
        'ålice',
        'a\u0301lice',
        '\u00e1lice',
        '日本',
        '😀',
        `"'\\%_?$1;--`,
        'é'.repeat(255),
        // characters of two code units each
        '😀'.repeat(255),
      ];
      const sessions = names.map((sub) => newSession({ sub, sid: sub, clientId: sub }));
      for (const session of sessions) await repository.insertSession(session);
      for (const { id, sub } of sessions) {
        expect((await repository.check(id))?.session).toMatchObject({ sub, sid: sub, clientId: sub });
        const alive = await repository.findAlive('sub', targetOf('sub', issuer, sub), 99);
        expect(alive.map((session) => session.id)).toEqual([id]);
      }
      for (const session of sessions) await repository.rememberUser(session);
      expect(await repository.findUsers(targetOf('sid', issuer, 'alice'))).toEqual([targetOf('sub', issuer, 'alice')]);
    });

    it('stores 255 characters of a label unchanged, also with two code units each', async () => {
      const labels = [`"'\\%_?$1;--`, 'é'.repeat(255), '😀'.repeat(255), ' ', undefined];
      for (const label of labels) {
        const session = newSession({ sub: String(label), label });
        await repository.insertSession(session);
        const [found] = await repository.findAlive('sub', targetOf('sub', issuer, session.sub), 1);
        expect([found?.id, found?.label]).toEqual([session.id, label]);
        expect(await store.row('session', session.id)).toMatchObject({ label: label ?? null });
      }
    });

    it.each([`https://oneid.example/${'t'.repeat(232)}/`, `https://oneid.example/${'é'.repeat(232)}/`])(
      'accepts an issuer of 255 characters',
      async (long) => {
        expect(long).toHaveLength(255);
        const session = newSession({ issuer: long });
        await repository.insertSession(session);
        expect((await repository.check(session.id))?.session.issuer).toBe(long);
        await repository.insertLogouts([newLogout({ target: targetOf('sid', long, 'sid-1'), bound: undefined })]);
        expect((await repository.check(session.id))?.endedBy).toBe('app');
      },
    );

    it.each([
      ['2038', Date.UTC(2038, 0, 19, 3, 14, 7)],
      ['2106', Date.UTC(2106, 1, 7, 6, 28, 15)],
    ])('stores times after %s', async (_year, end) => {
      clock.databaseAhead = end - Date.now() - HOUR;
      const iat = Math.floor(end / 1000);
      const sessions = [-3600, 0, 1, 3600].map((seconds) => newSession({ iat: iat + seconds, lifetime: 2 * HOUR }));
      for (const session of sessions) await repository.insertSession(session);
      const endedBy = async () =>
        Promise.all(sessions.map(async ({ id }) => (await repository.check(id))?.endedBy ?? 'alive'));
      const [first] = await repository.findAlive('sub', ofUser.target, 1);
      expect(Math.abs((first?.registeredAt ?? NaN) - (end - HOUR))).toBeLessThan(60_000);
      await repository.insertLogouts([newLogout({ ...ofUser, channel: 'backchannel', bound: { issuedUntil: iat } })]);
      expect(await endedBy()).toEqual(['backchannel', 'backchannel', 'alive', 'alive']);
      clock.databaseAhead += 1.5 * HOUR;
      await repository.insertLogouts([newLogout({ ...ofUser, channel: 'admin' })]);
      expect(await endedBy()).not.toContain('alive');
      clock.databaseAhead += HOUR;
      expect((await repository.check(sessions[0]?.id ?? ''))?.expired).toBe(true);
      clock.databaseAhead += 2 * logoutRetention;
      await repository.insertLogouts([newLogout({ target: newId(), bound: undefined })]);
      const due = await store.revocations.findDue(9);
      for (const logout of due) await settle(logout);
      while ((await store.purge(10)) > 0);
      expect([await store.rows('session'), (await store.rows('logout')).length]).toEqual([[], 1]);
    });

    it('finds both users of one sid whose names differ only in case', async () => {
      for (const sub of ['alice', 'Alice', 'alice ']) await repository.rememberUser(newSession({ sub }));
      const expected = ['alice', 'Alice', 'alice '].map((sub) => targetOf('sub', issuer, sub)).sort();
      expect(await repository.findUsers(targetOf('sid', issuer, 'sid-1'))).toEqual(expected);
    });
  });

  describe('check', () => {
    it.each(['', 'x', 'A'.repeat(64), 'a'.repeat(63), 'a'.repeat(65), `${'a'.repeat(63)}\0`, `${'a'.repeat(64)}\n`])(
      'answers unknown for an id of another form, without a query: %j',
      async (id) => {
        const restore = intercept(store.database, () => Promise.reject(new Error('asked')));
        expect(await repository.check(id)).toBeUndefined();
        restore();
      },
    );

    it('does not read the label', async () => {
      const session = newSession({ label: 'Firefox on Linux' });
      await repository.insertSession(session);
      const statements: string[] = [];
      const restore = intercept(store.database, (run, sql, parameters) => {
        statements.push(sql);
        return run(sql, parameters);
      });
      expect((await repository.check(session.id))?.session).not.toHaveProperty('label');
      restore();
      expect(statements).toEqual([expect.not.stringContaining('label')]);
    });

    it('does not find a session by its id in upper case', async () => {
      const session = newSession();
      await repository.insertSession(session);
      expect(await repository.check(session.id.toUpperCase())).toBeUndefined();
    });

    it("expires by the database's clock, at the exact millisecond", async () => {
      const session = newSession({ lifetime: 0 });
      await repository.insertSession(session);
      expect((await repository.check(session.id))?.expired).toBe(true);
      clock.databaseAhead = -1_000;
      expect((await repository.check(session.id))?.expired).toBe(false);
    });
  });

  describe('insertLogouts', () => {
    it('ends the sessions that are registered now, also one whose time is later than now', async () => {
      clock.databaseAhead = 3 * DAY;
      const session = newSession();
      await repository.insertSession(session);
      clock.databaseAhead = 0;
      for (const logout of [newLogout(), newLogout(ofUser)]) {
        const created = await repository.insertLogouts([logout]);
        expect(created).toMatchObject([{ registeredUntil: await registeredAt(session.id) }]);
        expect(await repository.findLogouts([logout.id])).toEqual(
          new Map([[logout.id, { target: logout.target, bound: { registeredUntil: created[0]?.registeredUntil } }]]),
        );
        expect((await repository.check(session.id))?.endedBy).toBe('app');
        await store.database.run('DELETE FROM oneid_logout');
      }
    });

    it('keeps a given bound that is later than now, for tokens whose clock is ahead', async () => {
      const future = Date.now() + DAY;
      const logout = newLogout({ bound: { registeredUntil: future } });
      expect(await repository.insertLogouts([logout])).toMatchObject([{ registeredUntil: future }]);
    });

    it('records several logouts in one statement, each once, also when repeated', async () => {
      const facts = [
        newLogout({ channel: 'backchannel', bound: undefined, iat: 1_790_000_000 }),
        newLogout({
          channel: 'backchannel',
          ...ofUser,
          bound: { issuedUntil: 1_790_000_000 },
          iat: 1_790_000_000,
        }),
      ];
      expect(await repository.insertLogouts(facts)).toHaveLength(2);
      const stored = await store.rows('logout', '1 = 1 ORDER BY id');
      clock.databaseAhead = HOUR;
      expect(await repository.insertLogouts(facts)).toEqual([]);
      expect(await repository.insertLogouts([...facts, newLogout()])).toHaveLength(1);
      expect(await store.rows('logout', 'channel = ? ORDER BY id', 'backchannel')).toEqual(stored);
    });

    it('records a logout once when it comes many times at the same time', async () => {
      const fact = newLogout({ channel: 'backchannel', bound: undefined });
      const other = newLogout({ channel: 'backchannel', ...ofUser, bound: { issuedUntil: 5 } });
      // in both orders: a deadlock loses no row
      const recorded = await Promise.all(
        Array.from({ length: 8 }, (_, n) => repository.insertLogouts(n % 2 === 0 ? [fact, other] : [other, fact])),
      );
      expect(recorded.flat()).toHaveLength(2);
      expect(await store.rows('logout')).toHaveLength(2);
    });

    it('stores the logout, the end of its retention, and whether tokens are due', async () => {
      const facts = {
        none: newLogout({ channel: 'backchannel', bound: undefined, iat: 1_790_000_000 }),
        issued: newLogout({ channel: 'backchannel', ...ofUser, bound: { issuedUntil: 1_790_000_000 } }),
        registered: newLogout({ channel: 'frontchannel' }),
      };
      await repository.insertLogouts(Object.values(facts));
      const [none, issued, registered] = await Promise.all(
        Object.values(facts).map((fact) => store.row('logout', fact.id)),
      );
      for (const row of [none, issued, registered]) {
        const recordedAt = numberOf(row, 'recorded_at') ?? NaN;
        expect(Math.abs(recordedAt - Date.now())).toBeLessThan(60_000);
        expect(Math.abs((numberOf(row, 'keep_until') ?? NaN) - recordedAt - logoutRetention)).toBeLessThan(50);
        expect(row?.['returned_at']).toBeNull();
      }
      expect([numberOf(none, 'issued_until'), numberOf(none, 'registered_until')]).toEqual([null, null]);
      expect([numberOf(issued, 'issued_until'), numberOf(issued, 'registered_until')]).toEqual([1_790_000_000, null]);
      expect(numberOf(registered, 'issued_until')).toBeNull();
      expect(numberOf(none, 'issued_at')).toBe(1_790_000_000);
      const dueIn = (row: SqlRow | undefined) =>
        (numberOf(row, 'revocation_due_at') ?? NaN) - (numberOf(row, 'recorded_at') ?? NaN);
      expect(dueIn(none)).toBeLessThan(50);
      expect(Math.abs(dueIn(registered) - HOUR)).toBeLessThan(50);
    });

    it('has no tokens due when no tokens are stored', async () => {
      const tokenless = await SessionStore.open(testDatabase, { clock, secrets: [] });
      const logout = newLogout();
      await tokenless.repository.insertLogouts([logout]);
      await tokenless.close();
      expect((await store.row('logout', logout.id))?.['revocation_due_at']).toBeNull();
    });
  });

  it('endedBy: finds the logout of a session from its facts, registered or not', async () => {
    const facts = { issuer, sid: 'sid-1', sub: 'alice', iat: 100, registeredAt: 100_000 };
    expect(await repository.endedBy(facts)).toBeUndefined();
    await repository.insertLogouts([newLogout({ ...ofUser, channel: 'backchannel', bound: { issuedUntil: 100 } })]);
    expect(await repository.endedBy(facts)).toBe('backchannel');
    expect(await repository.endedBy({ ...facts, iat: 101 })).toBeUndefined();
    expect(await repository.endedBy({ ...facts, sub: 'Alice' })).toBeUndefined();
    expect(await repository.endedBy(without(facts, 'sub'))).toBeUndefined();
  });

  it('findLogoutIat: returns the latest logout without a bound', async () => {
    const { target } = newLogout();
    expect(await repository.findLogoutIat(target)).toBeUndefined();
    await repository.insertLogouts([newLogout({ iat: 300 }), newLogout({ bound: { issuedUntil: 400 }, iat: 400 })]);
    expect(await repository.findLogoutIat(target)).toBeUndefined();
    await repository.insertLogouts([
      newLogout({ bound: undefined, iat: 100 }),
      newLogout({ bound: undefined, iat: 200 }),
    ]);
    expect(await repository.findLogoutIat(target)).toBe(200);
  });

  it('findLogouts: returns target and bound by id', async () => {
    const none = newLogout({ bound: undefined });
    const issued = newLogout({ ...ofUser, bound: { issuedUntil: 1_790_000_000 } });
    await repository.insertLogouts([none, issued]);
    expect(await repository.findLogouts([none.id, issued.id, newId()])).toEqual(
      new Map([
        [none.id, { target: none.target, bound: undefined }],
        [issued.id, { target: issued.target, bound: { issuedUntil: 1_790_000_000 } }],
      ]),
    );
  });

  it('findAlive: returns the newest sessions first, up to the limit', async () => {
    const sessions = [newSession(), newSession(), newSession()];
    for (const [index, session] of sessions.entries()) {
      clock.databaseAhead = index * 1_000;
      await repository.insertSession(session);
    }
    const found = await repository.findAlive('sub', ofUser.target, 2);
    expect(found.map(({ id }) => id)).toEqual([sessions[2]?.id, sessions[1]?.id]);
    const [newest, second] = found;
    const pages = [await repository.findAlive('sub', ofUser.target, 9, { before: newest })];
    pages.push(await repository.findAlive('sub', ofUser.target, 9, { before: second }));
    pages.push(await repository.findAlive('sub', ofUser.target, 9, { skip: 1 }));
    const [third] = sessions;
    expect(pages.map((page) => page.map(({ id }) => id))).toEqual([
      [second?.id, third?.id],
      [third?.id],
      [second?.id, third?.id],
    ]);
    expect(await repository.findAlive('sub', ofUser.target, 9, { clientId: 'another' })).toEqual([]);
    expect(await repository.findAlive('sub', ofUser.target, 9, { clientId })).toHaveLength(3);
  });

  it('findAlive: the id decides between sessions of the same millisecond, and a page goes on within it', async () => {
    const sessions = Array.from({ length: 5 }, () => newSession());
    for (const session of sessions) await repository.insertSession(session);
    await store.database.run('UPDATE oneid_session SET registered_at = 7');
    const ids = sessions
      .map(({ id }) => id)
      .sort()
      .reverse();
    const page = await repository.findAlive('sub', ofUser.target, 2, { skip: 1 });
    expect(page.map(({ id }) => id)).toEqual(ids.slice(1, 3));
    const next = await repository.findAlive('sub', ofUser.target, 9, { before: page.at(-1) });
    expect(next.map(({ id }) => id)).toEqual(ids.slice(3));
  });

  it('insertSession: the session is newer than `registeredAfter`, also after the clock has stepped back', async () => {
    const inAnHour = (await repository.findNow()) + 3_600_000;
    const session = newSession();
    await repository.insertSession({ ...session, registeredAfter: inAnHour });
    expect(numberOf(await store.row('session', session.id), 'registered_at')).toBe(inAnHour + 1);
  });

  it('noteReturn: succeeds once, also when the browser comes twice at the same time, and never for an unknown logout', async () => {
    const logout = newLogout();
    await repository.insertLogouts([logout]);
    const noted = await Promise.all([1, 2, 3].map(() => repository.noteReturn(logout.id, 60_000)));
    expect(noted.filter(Boolean)).toHaveLength(1);
    expect(await repository.noteReturn(newId(), 60_000)).toBe(false);
    expect(await store.rows('logout')).toHaveLength(1);
  });

  it('noteReturn: fails when the logout is too old', async () => {
    const logout = newLogout();
    await repository.insertLogouts([logout]);
    store.clock.advance(60_001);
    expect(await repository.noteReturn(logout.id, 60_000)).toBe(false);
    store.clock.advance(-10_000);
    expect(await repository.noteReturn(logout.id, 60_000)).toBe(true);
  });

  it('several writers on their own connections lose no row, and store no row twice', async () => {
    const others = await Promise.all([1, 2, 3].map(() => SessionStore.open(testDatabase, { clock })));
    const stores = [store, ...others];
    const sessions = Array.from({ length: 20 }, (_, n) => newSession({ sid: `sid-${n}` }));
    const logouts = sessions.map(({ sid = '' }) =>
      newLogout({ target: targetOf('sid', issuer, sid), bound: undefined }),
    );
    const inserted = await Promise.all(
      stores.map(async (writer) => {
        let count = 0;
        for (const [n, session] of sessions.entries()) {
          if (await writer.repository.insertSession(session)) count += 1;
          const logout = logouts[n];
          if (logout) {
            count += (await writer.repository.insertLogouts([logout, newLogout({ target: newId() })])).length;
          }
        }
        return count;
      }),
    );
    // each shared session and logout is stored once, and also the logouts that only one writer inserts
    expect(inserted.reduce((sum, count) => sum + count)).toBe(20 + 20 + 4 * 20);
    expect(await store.rows('session')).toHaveLength(20);
    expect(await store.rows('logout')).toHaveLength(100);
    for (const reader of stores) {
      expect(await reader.isAlive(sessions[0]?.id ?? '')).toBe(false);
      if (reader !== store) await reader.close();
    }
  });

  describe('purge', () => {
    it('deletes the tokens when the session has expired, and the session a day later, and not earlier', async () => {
      const session = newSession({ lifetime: HOUR });
      await repository.insertSession(session);
      await store.tokens.insert(session.id, 'sealed', null);
      clock.databaseAhead = HOUR - 5_000;
      expect(await store.purge(10)).toBe(0);
      clock.databaseAhead = HOUR + 5_000;
      expect(await store.purge(10)).toBe(1);
      expect(await store.rows('session_tokens')).toEqual([]);
      clock.databaseAhead = HOUR + DAY - 5_000;
      expect(await store.purge(10)).toBe(0);
      expect((await repository.check(session.id))?.expired).toBe(true);
      clock.databaseAhead = HOUR + DAY + 5_000;
      expect(await store.purge(10)).toBe(1);
      expect(await store.rows('session')).toEqual([]);
    });

    it('deletes logouts after their retention, and not earlier', async () => {
      await repository.insertLogouts([newLogout({ channel: 'frontchannel' })]);
      clock.databaseAhead = logoutRetention - 5_000;
      expect(await store.purge(10)).toBe(0);
      clock.databaseAhead = logoutRetention + 5_000;
      expect(await store.purge(10)).toBe(1);
      expect(await store.rows('logout')).toEqual([]);
    });

    it('deletes at most the given number of rows at a time', async () => {
      for (let n = 0; n < 5; n++) {
        await repository.insertSession(newSession());
        await repository.insertLogouts([newLogout({ channel: 'frontchannel', target: newId() })]);
      }
      clock.databaseAhead = 2 * logoutRetention;
      const purged: number[] = [];
      do purged.push(await store.purge(2));
      while (purged.at(-1) !== 0);
      expect(purged).toEqual([4, 4, 2, 0]);
    });

    it('keeps sessions and logouts while tokens are due', async () => {
      const session = newSession();
      const logout = newLogout();
      await repository.insertSession(session);
      await store.tokens.insert(session.id, 'sealed', 'sealed');
      await repository.insertLogouts([logout]);
      clock.databaseAhead = 2 * logoutRetention;
      expect(await store.purge(10)).toBe(0);
      expect(await store.rows('session_tokens')).toHaveLength(1);
      const due = await firstDue();
      expect(due).toMatchObject({ id: logout.id, overdue: true });
      expect(await store.revocations.claim(due)).toBe(true);
      expect(await store.purge(10)).toBe(0);
      expect(await store.revocations.countDue()).toBe(1);
      expect(await store.revocations.release(due, null)).toBe(true);
      expect(await store.revocations.countDue()).toBe(0);
      expect(await store.purge(10)).toBe(2);
      expect(await store.rows('session_tokens')).toEqual([]);
    });

    it('keeps a logout until its last ended session is deleted, also when the clock steps', async () => {
      clock.databaseAhead = 100 * DAY;
      const session = newSession({ lifetime: maxSessionLifetimeMs });
      await repository.insertSession(session);
      clock.databaseAhead = 0;
      await repository.insertLogouts([newLogout({ channel: 'frontchannel' })]);
      // past the logout's retention, and long before the session's end
      clock.databaseAhead = logoutRetention + DAY;
      expect(await store.purge(10)).toBe(0);
      expect(await repository.check(session.id)).toMatchObject({ endedBy: 'frontchannel', expired: false });
      clock.databaseAhead = 100 * DAY + maxSessionLifetimeMs + 2 * DAY;
      expect(await store.purge(10)).toBe(2);
    });

    it('passes rows that must stay, and checks them again later', async () => {
      const stays = Array.from({ length: 30 }, () => newSession());
      const goes = Array.from({ length: 30 }, (_, n) =>
        newSession({ sid: `other-${n}`, sub: 'bob', lifetime: 2 * HOUR }),
      );
      for (const session of [...stays, ...goes]) {
        await repository.insertSession(session);
        await store.tokens.insert(session.id, 'sealed', 'sealed');
      }
      await repository.insertLogouts([newLogout()]);
      clock.databaseAhead = 3 * HOUR;
      const progress = new PurgeProgress();
      const purge = async () => {
        do await store.purge(5, progress);
        while (progress.more);
      };
      await purge();
      expect(await store.rows('session_tokens')).toHaveLength(30);
      clock.databaseAhead += 2 * DAY;
      await purge();
      expect((await store.rows('session')).map((row) => row['id']).sort()).toEqual(stays.map(({ id }) => id).sort());
      expect(await store.rows('session_tokens')).toHaveLength(30);
      await settle(await firstDue());
      await purge();
      expect([await store.rows('session'), await store.rows('session_tokens')]).toEqual([[], []]);
    });

    it('reads each expired session only once for its tokens', async () => {
      for (let n = 0; n < 20; n++) await repository.insertSession(newSession());
      clock.databaseAhead = 2 * HOUR;
      const progress = new PurgeProgress();
      const now = await repository.findNow();
      let looked = 0;
      const restore = intercept(store.database, async (run, sql, parameters) => {
        const result = await run(sql, parameters);
        looked += result.rows.filter((row) => row['id'] !== null).length;
        return result;
      });
      for (let n = 0; n < 5; n++) await store.oldRows.purge(5, progress, now);
      restore();
      expect(looked).toBe(20);
    });

    it('runs on several replicas at the same time', async () => {
      for (let n = 0; n < 20; n++) await repository.insertSession(newSession());
      clock.databaseAhead = 40 * DAY;
      await Promise.all([1, 2, 3, 4].map(() => store.purge(10)));
      await store.purge(10);
      expect(await store.rows('session')).toEqual([]);
    });
  });

  describe('TokenRepository', () => {
    it('stores nothing for a session that does not exist', async () => {
      await store.tokens.insert(newId(), 'sealed', null);
      await store.tokens.save(newId(), 'sealed', null);
      expect(await store.rows('session_tokens')).toEqual([]);
    });

    it('inserts only the first tokens, saves the latest tokens, and erases only the given tokens', async () => {
      const { id, ...session } = newSession();
      await repository.insertSession({ id, ...session });
      const stored = async () => {
        const tokens = await store.tokens.find(id);
        return tokens && [tokens.idToken, tokens.refreshToken];
      };
      await store.tokens.insert(id, 'id 1', 'refresh 1');
      await store.tokens.insert(id, 'id 0', 'refresh 0');
      expect(await store.tokens.find(id)).toMatchObject({
        ...{ sessionId: id, issuer, clientId, idToken: 'id 1', refreshToken: 'refresh 1' },
      });
      const seen = await store.tokens.find(id);
      await store.tokens.save(id, null, 'refresh 2');
      if (seen) await store.tokens.erase(seen);
      expect(await stored()).toEqual(['id 1', 'refresh 2']);
      const latest = await store.tokens.find(id);
      if (latest) await store.tokens.erase(latest);
      expect(await stored()).toBeUndefined();
      await store.tokens.save(id, 'id 3', null);
      expect(await stored()).toEqual(['id 3', null]);
    });

    describe('a due logout', () => {
      const MINUTE = 60_000;
      let id: string;
      beforeEach(async () => {
        ({ id } = newLogout());
        await repository.insertLogouts([newLogout({ id, channel: 'backchannel', bound: undefined })]);
      });

      const times = async () => {
        const row = await store.row('logout', id);
        return [numberOf(row, 'revocation_due_at'), numberOf(row, 'leased_until')];
      };
      const dueIds = async () => (await store.revocations.findDue(10)).map((due) => due.id);

      it('has no lease at first', async () => {
        const due = await firstDue();
        expect(due).toMatchObject({ id, overdue: false });
        const [dueAt, leasedUntil] = await times();
        expect(dueAt).toBeLessThanOrEqual(due.now);
        expect(leasedUntil).toBeNull();
      });

      it('is claimed by one replica when several claim it at once', async () => {
        const others = await Promise.all([1, 2].map(() => SessionStore.open(testDatabase, { clock })));
        const claims = await Promise.all(
          [store, ...others].map(async ({ revocations }) => {
            const [due] = await revocations.findDue(1);
            return due !== undefined && (await revocations.claim(due));
          }),
        );
        expect(claims.filter(Boolean)).toHaveLength(1);
        expect(await dueIds()).toEqual([]);
        expect(await store.revocations.countDue()).toBe(1);
        for (const other of others) await other.close();
      });

      it('is claimed by one replica when several have read it at the same moment', async () => {
        const due = await firstDue();
        const claims = await Promise.all([1, 2, 3].map(() => store.revocations.claim(due)));
        expect(claims.filter(Boolean)).toHaveLength(1);
      });

      it('is not claimed when the replica has read it longer ago than a lease lasts', async () => {
        const due = await firstDue();
        clock.databaseAhead = MINUTE + 1_000;
        expect(await store.revocations.claim(due)).toBe(false);
        expect(await dueIds()).toEqual([id]);
      });

      it('is not claimed when another replica has finished it since it was read', async () => {
        const [due, again] = [await firstDue(), await firstDue()];
        await settle(due);
        expect(await store.revocations.claim(again)).toBe(false);
        expect(await times()).toEqual([null, null]);
      });

      it('can be claimed by another replica when the lease has run out, and no earlier', async () => {
        expect(await store.revocations.claim(await firstDue())).toBe(true);
        clock.databaseAhead = MINUTE - 5_000;
        expect(await dueIds()).toEqual([]);
        clock.databaseAhead = MINUTE + 1_000;
        expect(await store.revocations.claim(await firstDue())).toBe(true);
        expect(await dueIds()).toEqual([]);
      });

      it.each([
        ['no work is left', () => null],
        ['work is left', (due: DueLogout) => due.now],
      ])('ignores a late release by a replica whose lease another replica has taken over: %s', async (_what, next) => {
        const late = await firstDue();
        await store.revocations.claim(late);
        clock.databaseAhead = MINUTE + 1_000;
        const due = await firstDue();
        await store.revocations.claim(due);
        const leased = await times();
        expect(await store.revocations.release(late, next(late))).toBe(false);
        expect(await times()).toEqual(leased);
        await store.revocations.release(due, due.now + HOUR);
        expect(await store.revocations.release(late, next(late))).toBe(false);
        expect(await times()).toEqual([due.now + HOUR, null]);
      });

      it('stays due when the lease has run out before the replica gives it back', async () => {
        const late = await firstDue();
        await store.revocations.claim(late);
        clock.databaseAhead = MINUTE + 1_000;
        expect(await store.revocations.release(late, null)).toBe(false);
        expect(await dueIds()).toEqual([id]);
      });

      it('can be claimed by another replica as soon as it is released', async () => {
        const due = await firstDue();
        await store.revocations.claim(due);
        expect(await store.revocations.release(due, due.now)).toBe(true);
        expect(await times()).toEqual([due.now, null]);
        expect(await store.revocations.claim(await firstDue())).toBe(true);
      });

      it('is not due before its next time when a replica releases it for later', async () => {
        const due = await firstDue();
        await store.revocations.claim(due);
        await store.revocations.release(due, due.now + HOUR);
        clock.databaseAhead = HOUR - 5_000;
        expect(await dueIds()).toEqual([]);
        clock.databaseAhead = HOUR + 1_000;
        expect(await dueIds()).toEqual([id]);
      });

      it.each([null, HOUR])('stays due for tokens that are stored while a replica works on it: %p', async (pause) => {
        const session = newSession();
        await repository.insertSession(session);
        const checked = await repository.check(session.id);
        const due = await firstDue();
        await store.revocations.claim(due);
        if (checked) await store.revocations.makeDue(checked.session);
        // the others wait for the replica that has the lease
        expect(await dueIds()).toEqual([]);
        expect(await store.revocations.release(due, pause === null ? null : due.now + pause)).toBe(true);
        expect(await dueIds()).toEqual([id]);
      });
    });

    it('makeDue: makes every logout of the session due, a front-channel logout an hour later, and no other logout', async () => {
      const session = newSession();
      await repository.insertSession(session);
      const ending = [newLogout(), newLogout({ bound: undefined, channel: 'backchannel' })];
      const frontchannel = newLogout({ channel: 'frontchannel' });
      const others = [
        newLogout({ ...ofUser, bound: { issuedUntil: 1 }, channel: 'backchannel' }),
        newLogout({ target: targetOf('sid', issuer, 'sid-2') }),
      ];
      await repository.insertLogouts([...ending, frontchannel, ...others]);
      await store.database.run('UPDATE oneid_logout SET revocation_due_at = NULL');
      const checked = await repository.check(session.id);
      if (checked) await store.revocations.makeDue(checked.session);
      const due = async () => (await store.revocations.findDue(10)).map(({ id }) => id).sort();
      expect(await due()).toEqual(ending.map(({ id }) => id).sort());
      expect(await store.revocations.countDue()).toBe(2);
      clock.databaseAhead = HOUR;
      expect(await due()).toEqual([...ending, frontchannel].map(({ id }) => id).sort());
    });
  });
});
