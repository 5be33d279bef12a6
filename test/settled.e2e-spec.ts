import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { SessionEvents, SessionRegistry } from 'nestjs-oneid-logout';
import { SessionDatabase } from '../libs/oneid-logout/src/database/session-database.js';
import { Cleanup, delivered, post } from './support/channel-requests.js';
import { databases } from './support/databases.js';
import { clientId, type Host } from './support/host.js';
import { intercept } from './support/session-store.js';
import { shareAmongTests } from './support/share-among-tests.js';
import { StuckInsert } from './support/stuck-insert.js';

const HOUR = 60 * 60 * 1000;

/** Only intervals use the fake time. The library's jobs would run at intervals, and all other code needs real time. */
const ALL_BUT_INTERVALS = [
  'Date',
  'hrtime',
  'nextTick',
  'performance',
  'queueMicrotask',
  'setImmediate',
  'clearImmediate',
  'setTimeout',
  'clearTimeout',
] as const satisfies string[];

let release: () => void | Promise<void> = () => undefined;

/** Lets the held work continue. It also runs after a failed test, because otherwise the host could not stop. */
async function releaseHeldWork(): Promise<void> {
  const held = release;
  release = () => undefined;
  await held();
}

const cleanup = new Cleanup();
afterEach(async () => {
  jest.useRealTimers();
  await releaseHeldWork();
  await cleanup.run();
});

const databaseOf = (host: Host) => host.app.get(SessionDatabase, { strict: false });

/** Waits for the host to settle, and tells whether it has. */
function settling(host: Host) {
  const state = { isSettled: false, done: Promise.resolve() };
  state.done = host.settled().then(() => {
    state.isSettled = true;
  });
  return state;
}

/** Waits for a request and its answer. An idle host settles in less time than this. */
const waitForOneRequest = (host: Host) => host.fetch('/open');

describe.each(databases)('Host.settled(), on $name', (database) => {
  it('waits until OneID has answered the revocations of an answered logout', async () => {
    const host = await cleanup.host({ database });
    const login = host.oneId.signIn();
    const idToken = await host.oneId.idToken({ clientId, login });
    const refreshToken = host.oneId.refreshToken({ clientId, login });
    await host.app.get(SessionRegistry).register({ idToken, refreshToken });
    const held = new Promise<void>((resolve) => (release = resolve));
    intercept(databaseOf(host), async (run, sql, parameters) => {
      if (sql.includes('SET revoked_at')) await held;
      return run(sql, parameters);
    });

    expect(await post(host, await host.oneId.logoutToken({ clientId, login }))).toEqual(delivered);
    const settled = settling(host);
    await waitForOneRequest(host);
    expect(settled.isSettled).toBe(false);
    expect((await host.stored()).tokens).toEqual([expect.objectContaining({ revoked_at: null })]);

    await releaseHeldWork();
    await settled.done;
    const before = await host.stored();
    // the library asks once more a minute later
    expect(before.tokens).toEqual([expect.objectContaining({ revoked_at: expect.anything() })]);
    expect(before.logouts).toEqual([expect.objectContaining({ leased_until: null })]);
    expect(await host.stored()).toEqual(before);
  });

  it('leaves no background job of an earlier test running', async () => {
    jest.useFakeTimers({ doNotFake: ALL_BUT_INTERVALS });
    const host = await cleanup.host({ database });
    host.app
      .get(SessionEvents)
      .logouts.subscribe(() => undefined)
      .unsubscribe();
    await host.settled();
    const statements: string[] = [];
    intercept(databaseOf(host), (run, sql, parameters) => {
      statements.push(sql);
      return run(sql, parameters);
    });

    jest.advanceTimersByTime(HOUR);
    await host.settled();
    expect(statements).toEqual([]);
  });
});

// on SQLite, one hanging insert blocks all other statements
describe.each(databases.filter(({ name }) => name !== 'SQLite'))('Host.settled(), on $name', (database) => {
  it('waits until a logout is recorded whose sender has closed the connection', async () => {
    const host = await cleanup.host({ database });
    const logoutToken = await host.oneId.logoutToken({ clientId, sid: 'some-sid' });
    const stuck = await StuckInsert.of(logoutToken, host.testDatabase.options);
    release = () => stuck.release();
    const sent = new Promise<void>((resolve) => {
      intercept(databaseOf(host), (run, sql, parameters) => {
        if (sql.startsWith('INSERT')) resolve();
        return run(sql, parameters);
      });
    });
    const sender = new AbortController();
    const request = host.fetch('/backchannel_logout', {
      method: 'POST',
      body: new URLSearchParams({ logout_token: logoutToken }),
      signal: sender.signal,
    });
    await sent;
    sender.abort();
    await expect(request).rejects.toMatchObject({ name: 'AbortError' });

    const settled = settling(host);
    await waitForOneRequest(host);
    expect(settled.isSettled).toBe(false);
    expect((await host.stored()).logouts).toEqual([]);

    await releaseHeldWork();
    await settled.done;
    const before = await host.stored();
    expect(before.logouts).toHaveLength(1);
    expect(await host.stored()).toEqual(before);
  });
});

describe('shareAmongTests()', () => {
  const log: string[] = [];
  const tell = (what: string) => () => {
    log.push(what);
    return Promise.resolve();
  };
  shareAmongTests(
    async () => {
      await tell('started')();
      return { settled: tell('settled'), stop: tell('stopped') };
    },
    () => void log.push('taken'),
  );
  beforeEach(tell('a test begins'));

  it('starts the shared host before the first test', () => {
    expect(log).toEqual(['started', 'taken', 'settled', 'a test begins']);
  });

  it('settles the shared host before each test', () => {
    expect(log).toEqual(['started', 'taken', 'settled', 'a test begins', 'settled', 'a test begins']);
  });
});
