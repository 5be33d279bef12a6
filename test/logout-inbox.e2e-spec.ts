import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { type RegisteredSession, StoreUnavailableError } from 'nestjs-oneid-logout';
import { type VerifiedLogoutToken } from '../libs/oneid-logout/src/provider/logout-token.js';
import { INBOX_SIZE } from '../libs/oneid-logout/src/sessions/logout-inbox.js';
import { type Logout } from '../libs/oneid-logout/src/rule/logout.js';
import { targetOf } from '../libs/oneid-logout/src/rule/targets.js';
import { SessionDatabase } from '../libs/oneid-logout/src/database/session-database.js';
import { post, temporarilyUnavailable } from './support/channel-requests.js';
import { databases, sqlite, type TestDatabase } from './support/databases.js';
import { clientId, Host } from './support/host.js';
import { intercept, issuer, SessionStore } from './support/session-store.js';
import { TestClock } from './support/test-clock.js';
import { until } from './support/until.js';
import { findAlive } from './support/find-alive.js';

const HOUR = 60 * 60 * 1000;

describe.each(databases)('a logout that the store cannot record, on $name', (kind) => {
  let clock: TestClock;
  let testDatabase: TestDatabase;
  let store: SessionStore;
  let errors: string[];
  /** The statements that were sent, also while the store is down. */
  let statements: string[];
  let down: boolean;
  /** While it is set, the store refuses statements with this target. */
  let refused: string | undefined;
  beforeEach(async () => {
    clock = new TestClock();
    testDatabase = await kind.take();
    store = await SessionStore.open(testDatabase, { clock, secrets: [] });
    [errors, statements, down, refused] = [[], [], false, undefined];
    jest.spyOn(Logger.prototype, 'error').mockImplementation((message) => void errors.push(String(message)));
    intercept(store.database, (run, sql, parameters) => {
      statements.push(sql);
      const fails = down || (refused !== undefined && JSON.stringify(parameters).includes(refused));
      return fails ? Promise.reject(new StoreUnavailableError(new Error('down'))) : run(sql, parameters);
    });
  });
  afterEach(async () => {
    jest.restoreAllMocks();
    await store.close();
    await testDatabase.drop();
  });

  const signIn = (name: string): Promise<RegisteredSession> =>
    store.registry.register({ idToken: store.idToken({ sub: `sub-${name}`, sid: `sid-${name}` }) });
  const recordWhileDown = async (...tokens: VerifiedLogoutToken[]) => {
    down = true;
    const outcomes = await Promise.allSettled(tokens.map((token) => store.inbox.record(token)));
    down = false;
    expect(outcomes.every(({ status }) => status === 'rejected')).toBe(true);
  };
  const logoutOf = (name: string) => store.logout({ sid: `sid-${name}` });

  it('is kept without its sid and its sub in clear: their user may be erased meanwhile', async () => {
    const [alice, bob] = [await signIn('alice'), await signIn('bob')];
    await recordWhileDown(
      store.logout({ sid: 'sid-alice', jti: 'sid-alice' }),
      store.logout({ sub: 'sub-bob', sid: 'sid-of-bob', scope: 'user' }),
      store.logout({ sid: 'sid-bob', scope: 'user' }),
    );
    expect(store.inbox.size).toBe(3);
    // without the parts that it shares with the replica
    const kept = inspect(
      Object.entries(store.inbox).filter(([name]) => name === 'kept' || name === 'logouts'),
      {
        depth: Infinity,
        maxStringLength: Infinity,
        showHidden: true,
      },
    );
    expect(kept).toContain(targetOf('sid', issuer, 'sid-alice'));
    expect(kept).not.toMatch(/sid-alice|sub-bob|sid-of-bob|sid-bob/);
    expect([store.inbox.endedBy(alice), store.inbox.endedBy(bob)]).toEqual(['backchannel', 'backchannel']);
    await store.inbox.recordKept();
    expect([await store.isAlive(alice.id), await store.isAlive(bob.id)]).toEqual([false, false]);
    expect(store.inbox.size).toBe(0);
  });

  it('BC-13: is kept and recorded when the store is back, however old its token is by then', async () => {
    const [alice, bob] = [await signIn('alice'), await signIn('bob')];
    down = true;
    await expect(store.inbox.record(logoutOf('alice'))).rejects.toThrow(StoreUnavailableError);
    for (let n = 0; n < 40; n++) {
      clock.advance(60_000);
      await store.inbox.wake();
    }
    down = false;
    expect(await store.rows('logout')).toEqual([]);
    clock.advance(60_000);
    await store.inbox.wake();
    const [row, ...others] = await store.rows('logout');
    expect([row?.['target'], row?.['channel'], others]).toEqual([
      targetOf('sid', issuer, 'sid-alice'),
      'backchannel',
      [],
    ]);
    expect([await store.isAlive(alice.id), await store.isAlive(bob.id), store.inbox.size]).toEqual([false, true, 0]);
  });

  it('BC-13: is obeyed at once by this replica, also by strict checks and for tokens of an API', async () => {
    const [alice, bob] = [await signIn('alice'), await signIn('bob')];
    const closed: string[] = [];
    store.bus.allLogouts.subscribe(({ target }) => closed.push(target));
    const claims = { iss: issuer, sub: 'sub-alice', sid: 'sid-alice', iat: clock.seconds };
    expect(await findAlive(store.judge, { claims })).toBeDefined();
    await recordWhileDown(logoutOf('alice'));
    expect(await store.rows('logout')).toEqual([]);
    expect([await store.isAlive(alice.id), await store.isAlive(bob.id)]).toEqual([false, true]);
    expect(await store.judge.judge({ sessionToken: alice.sessionToken })).toEqual({ reason: 'logged_out' });
    expect(await findAlive(store.judge, { claims })).toBeUndefined();
    expect(closed).toEqual([targetOf('sid', issuer, 'sid-alice')]);

    clock.advance(2_500);
    await store.inbox.wake();
    expect(closed).toHaveLength(1);
  });

  it('BC-13: also ends the user, when the scope is "user" and the token names only the sid', async () => {
    const alice = await signIn('alice');
    const other = await store.registry.register({ idToken: store.idToken({ sub: 'sub-alice', sid: 'another' }) });
    await recordWhileDown(store.logout({ sid: 'sid-alice', scope: 'user' }));
    expect([await store.isAlive(alice.id), await store.isAlive(other.id)]).toEqual([false, true]);
    clock.advance(2_500);
    await store.inbox.wake();
    expect([await store.isAlive(alice.id), await store.isAlive(other.id)]).toEqual([false, false]);
  });

  it('BC-13: is recorded at once when another logout shows that the store is back', async () => {
    await recordWhileDown(logoutOf('alice'));
    await store.inbox.record(logoutOf('bob'));
    await store.inbox.wake();
    expect([(await store.rows('logout')).length, store.inbox.size]).toEqual([2, 0]);
  });

  it('BC-8: two logouts that share a jti are each obeyed until they are recorded', async () => {
    const [alice, bob] = [await signIn('alice'), await signIn('bob')];
    const first = logoutOf('alice');
    const second = { ...first, sid: 'sid-bob' };
    await recordWhileDown(first, second);
    expect([await store.isAlive(alice.id), await store.isAlive(bob.id)]).toEqual([false, false]);
    // the store records the first one, and refuses the second one again
    refused = targetOf('sid', issuer, 'sid-bob');
    await store.inbox.record(first);
    await store.inbox.wake();
    expect([await store.isAlive(alice.id), await store.isAlive(bob.id), store.inbox.size]).toEqual([false, false, 1]);
    refused = undefined;
    clock.advance(2_500);
    await store.inbox.wake();
    expect([await store.isAlive(bob.id), store.inbox.size]).toEqual([false, 0]);
    expect(await store.rows('logout')).toHaveLength(2);
  });

  it.each<[string, (first: VerifiedLogoutToken) => VerifiedLogoutToken]>([
    ['of another sid', (first) => ({ ...first, sid: 'sid-bob' })],
    // with the option reusesSid
    ['of a later login with the same sid', (first) => ({ ...first, authenticatedUntil: clock.seconds + 60 })],
  ])('BC-8: a logout %s whose jti the store knows closes the sockets at once, and once', async (_what, secondAfter) => {
    const first = { ...logoutOf('alice'), authenticatedUntil: clock.seconds - 60 };
    const second = secondAfter(first);
    const closed: Logout[] = [];
    store.bus.allLogouts.subscribe((logout) => closed.push(logout));
    await store.inbox.record(first);
    await recordWhileDown(second, second);
    const ended = [first, second].map(({ sid = '', authenticatedUntil }) =>
      expect.objectContaining({ target: targetOf('sid', issuer, sid), bound: { authenticatedUntil } }),
    );
    expect(closed).toEqual(ended);
    await store.inbox.recordKept();
    await store.inbox.record(second);
    expect([closed, store.inbox.size, (await store.rows('logout')).length]).toEqual([ended, 0, 2]);
  });

  it('BC-13: the replica tries once more before the app stops, and logs how many logouts are lost', async () => {
    await recordWhileDown(logoutOf('alice'));
    await store.inbox.stop();
    expect([(await store.rows('logout')).length, store.inbox.size, errors]).toEqual([1, 0, []]);
    await recordWhileDown(logoutOf('bob'), logoutOf('carol'));
    down = true;
    await store.inbox.stop();
    expect(errors).toEqual([
      'The library could not record 2 logouts of OneID before the app stopped. ' +
        'Their sessions end only if OneID sends these logouts again, which it does for three minutes at most.',
    ]);
  });

  it('BC-13: a stop also waits for a logout that is being recorded', async () => {
    let fail = () => {};
    const hanging = new Promise<never>((_, reject) => {
      fail = () => reject(new StoreUnavailableError(new Error('down')));
    });
    let sent = false;
    const restore = intercept(store.database, () => {
      sent = true;
      return hanging;
    });
    const recording = expect(store.inbox.record(logoutOf('alice'))).rejects.toThrow(StoreUnavailableError);
    await until('the statement is sent', () => sent);
    const stopped = store.inbox.stop();
    restore();
    fail();
    await Promise.all([recording, stopped]);
    expect([(await store.rows('logout')).length, store.inbox.size, errors]).toEqual([1, 0, []]);
  });

  it('BC-13: is given up after an hour, with a line in the log', async () => {
    await recordWhileDown(logoutOf('alice'));
    const restore = intercept(store.database, () => Promise.reject(new StoreUnavailableError(new Error('down'))));
    // the wall clock steps: the time that has passed counts
    clock.ahead += 2 * HOUR;
    await store.inbox.wake();
    expect([store.inbox.size, errors]).toEqual([1, []]);
    clock.advance(HOUR + 1);
    await store.inbox.wake();
    restore();
    expect([store.inbox.size, await store.rows('logout')]).toEqual([0, []]);
    expect(errors).toEqual([
      'The library could not record 1 logouts of OneID for an hour, and gives them up. ' +
        'Their sessions stay alive until they expire: OneID no longer sends these logouts.',
    ]);
  });

  it('BC-13: is tried once more before it is given up', async () => {
    await recordWhileDown(logoutOf('alice'));
    clock.advance(HOUR + 1);
    await store.inbox.wake();
    expect([store.inbox.size, (await store.rows('logout')).length, errors]).toEqual([0, 1, []]);
  });

  it('BC-13: the inbox has a limit; a full inbox is logged once, and what it holds is recorded', async () => {
    const tokens = Array.from({ length: INBOX_SIZE + 2 }, (_, n) => logoutOf(String(n)));
    await recordWhileDown(...tokens);
    expect(store.inbox.size).toBe(INBOX_SIZE);
    expect(errors).toEqual([
      `The replica keeps ${INBOX_SIZE} logouts of OneID that it could not record, and has no room for more. ` +
        'It loses the next ones unless OneID sends them again, which it does for three minutes at most. ' +
        'Repair the session store.',
    ]);
    statements = [];
    clock.advance(2_500);
    await store.inbox.wake();
    expect([store.inbox.size, (await store.rows('logout')).length]).toEqual([0, INBOX_SIZE]);
    // S11: a statement for many, not one for each
    expect(statements.length).toBeLessThan(INBOX_SIZE / 50);
  });

  it('S11: tries ever more rarely while the store is down, and with few statements', async () => {
    await recordWhileDown(...Array.from({ length: 1_000 }, (_, n) => logoutOf(String(n))));
    down = true;
    statements = [];
    for (let second = 0; second < 600; second += 2) {
      clock.advance(2_000);
      await store.inbox.wake();
    }
    // after 2, 4, 8, 16, 32 and then every 60 seconds
    expect(statements.length).toBeGreaterThanOrEqual(10);
    expect(statements.length).toBeLessThanOrEqual(20);
    expect(store.inbox.size).toBe(1_000);
  });

  it('S11: searches for writes that may come late with one statement for many, ever more rarely', async () => {
    const ids = Array.from({ length: 1_000 }, (_, n) => String(n).padStart(64, '0'));
    store.uncertain.add(ids);
    statements = [];
    for (let second = 0; second < 600; second += 2) {
      clock.advance(2_000);
      await store.uncertain.wake();
    }
    expect(statements.length).toBeLessThanOrEqual(24);
    expect(store.uncertain.size).toBe(1_000);
  });

  it('S8: replays of one token at the same time are recorded with one statement', async () => {
    const alice = await signIn('alice');
    const token = logoutOf('alice');
    statements = [];
    await Promise.all(Array.from({ length: 100 }, () => store.inbox.record(token)));
    expect(statements.filter((sql) => sql.startsWith('INSERT'))).toHaveLength(1);
    // MySQL and MariaDB are asked once more, whether the logout has ended anything
    expect(statements.length).toBeLessThanOrEqual(2);
    expect([(await store.rows('logout')).length, await store.isAlive(alice.id)]).toEqual([1, false]);
  });

  it('S8: replays fail together when the store is down, and are kept as one', async () => {
    const token = logoutOf('alice');
    await recordWhileDown(token, token, { ...token });
    expect([store.inbox.size, statements.length]).toEqual([1, 1]);
  });
});

describe('an app that stops', () => {
  it('BC-13: records a logout of OneID that came while it stopped and the store was down', async () => {
    const testDatabase = await sqlite.create();
    const answers: unknown[] = [];
    let token = '';
    let down = false;
    const whileStopping = {
      provide: 'last request',
      // the jobs have stopped by now, and the app still answers requests
      useValue: {
        async beforeApplicationShutdown() {
          down = true;
          answers.push(await post(host, token));
          down = false;
        },
      },
    };
    const host = await Host.start({
      database: { take: () => Promise.resolve({ ...testDatabase, drop: () => Promise.resolve() }) },
      providers: [whileStopping],
    });
    intercept(host.app.get(SessionDatabase, { strict: false }), (run, sql, parameters) =>
      down ? Promise.reject(new StoreUnavailableError(new Error('down'))) : run(sql, parameters),
    );
    token = await host.oneId.logoutToken({ clientId, sid: 'sid-late' });
    const { issuer: oneIdIssuer } = host.oneId;
    await host.stop();
    expect(answers).toEqual([temporarilyUnavailable('store_unavailable')]);

    const store = await SessionStore.open(testDatabase);
    expect((await store.rows('logout')).map((row) => row['target'])).toEqual([
      targetOf('sid', oneIdIssuer, 'sid-late'),
    ]);
    await store.close();
    await testDatabase.drop();
  });
});
