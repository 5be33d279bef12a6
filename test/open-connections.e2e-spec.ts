import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { type Session, SessionConnections, type SessionFacts, StoreUnavailableError } from 'nestjs-oneid-logout';
import { firstValueFrom, Subject, timer } from 'rxjs';
import { Random } from '../libs/oneid-logout/src/random.js';
import { OpenConnections } from '../libs/oneid-logout/src/connections/open-connections.js';
import { LogoutFollower } from '../libs/oneid-logout/src/replicas/logout-follower.js';
import { ReplicaRepository } from '../libs/oneid-logout/src/store/replica.repository.js';
import { databases, type TestDatabase } from './support/databases.js';
import { clientId, intercept, issuer, SessionStore } from './support/session-store.js';
import { TestClock } from './support/test-clock.js';
import { until } from './support/until.js';
import { findAlive } from './support/find-alive.js';

const MINUTE = 60_000;
const MAX_STALENESS = 10_000;

/** A replica with open connections; it looks at the others' logouts when the test says so. */
class Replica {
  readonly follower: LogoutFollower;
  readonly open: OpenConnections;
  readonly connections: SessionConnections;
  /** The number of statements under way. */
  private statements = 0;

  constructor(
    readonly store: SessionStore,
    private readonly clock: TestClock,
  ) {
    const { repository, database, bus, judge } = store;
    const random = new Random();
    intercept(database, (run, sql, parameters) => {
      this.statements += 1;
      return run(sql, parameters).finally(() => {
        this.statements -= 1;
      });
    });
    const settings = { answers: false, maxStalenessMs: 10 * MINUTE, allowDuringOutageMs: 0, retention: MINUTE };
    this.follower = new LogoutFollower(
      ...([repository, new ReplicaRepository(database), bus, clock, random, settings] as const),
    );
    this.open = new OpenConnections(bus, this.follower, judge, repository, clock, random, MAX_STALENESS);
    this.connections = new SessionConnections(judge, this.open, clock);
  }

  /** The events of one open connection. */
  watch(session: SessionFacts): string[] {
    const endings: string[] = [];
    this.connections.over(session).subscribe({
      next: (ending) => endings.push(ending),
      complete: () => endings.push('complete'),
    });
    return endings;
  }

  /** Resolves when all open connections have been checked again. */
  async settled(): Promise<void> {
    await this.follower.open();
    for (let quietTurns = 0; quietTurns < 5; quietTurns++) {
      await this.clock.endOfTurn();
      if (this.statements > 0) quietTurns = 0;
    }
  }

  async close(): Promise<void> {
    await this.open.stop();
    await this.follower.close();
  }
}

describe.each(databases)('the open connections of a session, on $name', (database) => {
  let testDatabase: TestDatabase;
  let clock: TestClock;
  let stores: SessionStore[];
  let replicas: Replica[];
  let here: Replica;
  let elsewhere: SessionStore;
  beforeEach(async () => {
    testDatabase = await database.take();
    [clock, stores, replicas] = [new TestClock(), [], []];
    elsewhere = await open();
    here = await startReplica();
  });
  afterEach(async () => {
    for (const replica of replicas) await replica.close();
    for (const store of stores) await store.close();
    await testDatabase.drop();
  });

  async function open(): Promise<SessionStore> {
    const store = await SessionStore.open(testDatabase, { clock });
    stores.push(store);
    return store;
  }

  async function startReplica(): Promise<Replica> {
    const replica = new Replica(await open(), clock);
    replicas.push(replica);
    return replica;
  }

  let made = 0;
  const signIn = (expiresAt?: Date): Promise<Session> => {
    made += 1;
    const idToken = elsewhere.idToken({ sub: `user-${made}`, sid: `sid-${made}` });
    return elsewhere.registry.register({ idToken, ...(expiresAt && { expiresAt }) });
  };

  it('closes at once when this replica ends the session, and other connections stay open', async () => {
    const [session, other] = [await signIn(), await signIn()];
    const [endings, others] = [here.watch(session), here.watch(other)];
    await here.settled();
    expect(here.open.size).toBe(2);
    await here.store.recorder.endLogin(session);
    expect(endings).toEqual(['logged_out', 'complete']);
    expect(others).toEqual([]);
    expect(here.open.size).toBe(1);
  });

  it('closes at the next look when another replica ends the session', async () => {
    const session = await signIn();
    const endings = here.watch(session);
    await here.settled();
    await elsewhere.recorder.recordBackchannel(elsewhere.logout({ sid: session.sid }));
    expect(endings).toEqual([]);
    await here.follower.look();
    expect(endings).toEqual(['logged_out', 'complete']);
  });

  it.each(['sub', 'session', 'issuer', 'client'] as const)('closes after a logout by %s', async (kind) => {
    const session = await signIn();
    const endings = here.watch(session);
    await here.settled();
    if (kind === 'sub') await elsewhere.recorder.endUser(issuer, session.sub);
    else if (kind === 'issuer') await elsewhere.recorder.endEveryone(issuer);
    else if (kind === 'client') await elsewhere.recorder.endEveryone(issuer, session.clientId);
    else await elsewhere.recorder.endSession(session, 'admin');
    await here.follower.look();
    expect(endings).toEqual(['logged_out', 'complete']);
  });

  it('closes within five seconds after an outage, at another moment than the others, and at once after a logout', async () => {
    const sessions = await Promise.all(Array.from({ length: 40 }, () => signIn()));
    const [leaving, ...others] = sessions.map((session) => here.watch(session));
    await here.settled();
    await elsewhere.recorder.endUnconfirmed(issuer, clientId, clock.now() - MINUTE);
    await here.follower.look();
    await elsewhere.recorder.recordBackchannel(elsewhere.logout({ sid: sessions[0]?.sid }));
    await here.follower.look();
    expect(leaving?.[0]).toMatch(/^(logged_out|unconfirmed)$/);
    clock.advance(2_500);
    const closed = others.filter((endings) => endings.length > 0).length;
    expect(closed).toBeGreaterThan(0);
    expect(closed).toBeLessThan(others.length);
    clock.advance(2_500);
    for (const endings of others) expect(endings).toEqual(['unconfirmed', 'complete']);
    expect([leaving?.length, here.open.size]).toEqual([2, 0]);
  });

  it('stays open after a logout that is older than the sign-in', async () => {
    const before = await signIn();
    await elsewhere.recorder.endLogin(before);
    const idToken = elsewhere.idToken({ sub: before.sub, ...(before.sid !== undefined && { sid: before.sid }) });
    const session = await elsewhere.registry.register({ idToken });
    const endings = here.watch(session);
    await here.settled();
    await here.follower.look();
    expect(endings).toEqual([]);
  });

  it('closes when the session was ended between the guard and the opening', async () => {
    const session = await signIn();
    await elsewhere.recorder.endLogin(session);
    await here.follower.open();
    clock.advance(MINUTE);
    await here.follower.look();
    const endings = here.watch(session);
    await until('it ends', () => endings.length > 0);
    expect(endings).toEqual(['logged_out', 'complete']);
  });

  it('closes once when this replica ends the session during the first check', async () => {
    const session = await signIn();
    const endings = here.watch(session);
    await here.store.recorder.endLogin(session);
    expect(endings).toEqual(['logged_out', 'complete']);
    await here.settled();
    expect(endings).toEqual(['logged_out', 'complete']);
  });

  it('closes when the session expires', async () => {
    const session = await signIn(new Date(clock.now() + MINUTE));
    const endings = here.watch(session);
    await here.settled();
    await here.open.wake();
    expect(endings).toEqual([]);
    clock.advance(MINUTE);
    await here.follower.look();
    await here.open.wake();
    expect(endings).toEqual(['expired', 'complete']);
  });

  it('closes when the claims of an API token expire', async () => {
    const { seconds } = clock;
    const session = await findAlive(here.store.judge, {
      claims: { iss: issuer, sub: 'x', sid: 'y', iat: seconds, exp: seconds + 60 },
    });
    if (session === undefined) throw new Error('the session is not alive');
    const endings = here.watch(session);
    await here.settled();
    clock.advance(MINUTE);
    await here.follower.look();
    await here.open.wake();
    expect(endings).toEqual(['expired', 'complete']);
  });

  describe('of a request with two sessions', () => {
    /** The session that the handlers of such a request get. */
    const judged = async (...tokens: readonly string[]): Promise<SessionFacts> => {
      const verdict = await here.store.judge.judge(tokens.map((sessionToken) => [{ sessionToken }]));
      if ('reason' in verdict) throw new Error(verdict.reason);
      return verdict.alive;
    };
    const signInTwice = async (secondEnd?: Date) => {
      const register = (expiresAt?: Date) =>
        elsewhere.registry.register({
          idToken: elsewhere.idToken({ sub: 'alice', sid: `sid-${(made += 1)}` }),
          ...(expiresAt && { expiresAt }),
        });
      return [await register(), await register(secondEnd)] as const;
    };

    it.each([0, 1])('P20: closes when session %d of the two ends, here or on another replica', async (n) => {
      for (const recorder of [here.store.recorder, elsewhere.recorder]) {
        const sessions = await signInTwice();
        const endings = here.watch(await judged(...sessions.map(({ sessionToken }) => sessionToken)));
        await here.settled();
        expect([endings, here.open.size]).toEqual([[], 1]);
        const ended = sessions[n];
        if (ended !== undefined) await recorder.endLogin(ended);
        await here.follower.look();
        expect([endings, here.open.size]).toEqual([['logged_out', 'complete'], 0]);
      }
    });

    it('P20: closes when the second session expires', async () => {
      const [first, second] = await signInTwice(new Date(clock.now() + MINUTE));
      const endings = here.watch(await judged(first.sessionToken, second.sessionToken));
      await here.settled();
      clock.advance(MINUTE);
      await here.follower.look();
      await here.open.wake();
      expect(endings).toEqual(['expired', 'complete']);
    });

    it('P20: closes when the second session was ended between the guard and the opening', async () => {
      const [first, second] = await signInTwice();
      const session = await judged(first.sessionToken, second.sessionToken);
      await elsewhere.recorder.endLogin(second);
      await here.follower.open();
      clock.advance(MINUTE);
      await here.follower.look();
      const endings = here.watch(session);
      await until('it ends', () => endings.length > 0);
      expect(endings).toEqual(['logged_out', 'complete']);
    });
  });

  it('closes when looks have failed for `maxStalenessMs`, and not before', async () => {
    const endings = here.watch(await signIn());
    await here.settled();
    const down = intercept(here.store.database, () => Promise.reject(new StoreUnavailableError('gone')));
    clock.advance(MAX_STALENESS - 1_000);
    await here.follower.look();
    await here.open.wake();
    expect(endings).toEqual([]);
    clock.advance(1_100);
    await here.follower.look();
    await here.open.wake();
    expect(endings).toEqual(['out_of_sync', 'complete']);
    down();
    await here.follower.look();
    const next = here.watch(await signIn());
    await here.settled();
    await here.open.wake();
    expect(next).toEqual([]);
  });

  it('closes at once when the store does not answer', async () => {
    const session = await signIn();
    intercept(here.store.database, () => Promise.reject(new StoreUnavailableError('gone')));
    const endings = here.watch(session);
    await until('it ends', () => endings.length > 0);
    expect(endings).toEqual(['out_of_sync', 'complete']);
  });

  it('is forgotten when its owner closes it', async () => {
    const session = await signIn();
    const stream = new Subject<number>();
    const seen: number[] = [];
    const subscription = stream.pipe(here.connections.whileAlive(session)).subscribe((value) => seen.push(value));
    stream.next(1);
    expect(here.open.size).toBe(1);
    subscription.unsubscribe();
    expect(here.open.size).toBe(0);
    expect(seen).toEqual([1]);
  });

  it('a stream completes when its session has ended', async () => {
    const session = await signIn();
    const stream = new Subject<number>();
    const seen: (number | string)[] = [];
    stream.pipe(here.connections.whileAlive(session)).subscribe({
      next: (value) => seen.push(value),
      complete: () => seen.push('complete'),
    });
    stream.next(1);
    await here.store.recorder.endLogin(session);
    stream.next(2);
    expect(seen).toEqual([1, 'complete']);
    expect(stream.observed).toBe(false);
    stream.complete();
    expect(here.open.size).toBe(0);
  });

  describe('is checked again when a look may have missed a logout', () => {
    async function failLook(): Promise<void> {
      const restore = intercept(here.store.database, () => Promise.reject(new StoreUnavailableError('gone')));
      await here.follower.look();
      restore();
      await here.follower.look();
    }

    /** Another replica ends the session. No look of this replica finds the logout. */
    async function missLogout({ sid }: Session): Promise<void> {
      // a standby took over, with its clock a minute behind
      clock.databaseAhead -= MINUTE;
      await elsewhere.recorder.recordBackchannel(elsewhere.logout({ sid }));
      clock.databaseAhead += MINUTE;
      await failLook();
    }

    /** Keeps the answer to the next check of a connection back. @returns resolves when the store has read the session */
    function holdNextCheck(): { readonly hasRead: Promise<void>; readonly release: () => void } {
      const [read, released] = [new Subject<void>(), new Subject<void>()];
      const restore = intercept(here.store.database, async (run, sql, parameters) => {
        if (!sql.includes('ended_by')) return run(sql, parameters);
        restore();
        const result = await run(sql, parameters);
        read.next();
        await firstValueFrom(released);
        return result;
      });
      return { hasRead: firstValueFrom(read), release: () => released.next() };
    }

    async function expectEnd(endings: string[]): Promise<void> {
      await here.settled();
      expect(endings).toEqual([]);
      await here.open.wake();
      await until('it ends', () => endings.length > 0);
      expect(endings).toEqual(['logged_out', 'complete']);
    }

    it('after the last check', async () => {
      const session = await signIn();
      const endings = here.watch(session);
      await here.settled();
      await here.open.wake();
      await missLogout(session);
      await expectEnd(endings);
    });

    it('during the first check', async () => {
      const session = await signIn();
      const check = holdNextCheck();
      const endings = here.watch(session);
      await check.hasRead;
      await missLogout(session);
      check.release();
      await expectEnd(endings);
    });

    it('during the check after another such look', async () => {
      const session = await signIn();
      const endings = here.watch(session);
      await here.settled();
      await failLook();
      const check = holdNextCheck();
      await here.open.wake();
      await check.hasRead;
      await missLogout(session);
      check.release();
      await expectEnd(endings);
    });
  });

  it('P14: of one of many tokens without sub closes by a logout of the user who has signed in since', async () => {
    // more than one question names
    const streams: string[][] = [];
    for (let n = 0; n < 300; n++) {
      streams.push(here.watch({ issuer, sid: `sid-of-token-${n}`, iat: clock.seconds, registeredAt: clock.now() }));
      // each asks for its users: on a slow machine, all of them at once would wait too long for a connection
      if (n % 50 === 49) await here.settled();
    }
    await elsewhere.registry.register({ idToken: elsewhere.idToken({ sub: 'late', sid: 'sid-of-token-299' }) });
    await elsewhere.recorder.recordBackchannel(elsewhere.logout({ sub: 'late' }));
    await here.open.wake();
    await until('it ends', () => streams.flat().length > 0);
    await here.settled();
    expect([streams.flat(), streams[299]]).toEqual([
      ['logged_out', 'complete'],
      ['logged_out', 'complete'],
    ]);
  });

  describe('P14: of a token without sub whose sid several users have', () => {
    const sid = 'reused';
    const users = ['first', 'second', 'third'];
    const register = (sub: string) => elsewhere.registry.register({ idToken: elsewhere.idToken({ sub, sid }) });
    const tokenOf = async () => {
      const session = await findAlive(here.store.judge, { claims: { iss: issuer, sid, iat: clock.seconds } });
      if (session === undefined) throw new Error('the token is not alive');
      return session;
    };
    const logOut = (sub: string) => here.store.recorder.recordBackchannel(here.store.logout({ sub }));

    it.each(users)('P14: closes at once after a logout of the %s user, and the app is told', async (sub) => {
      for (const user of users) await register(user);
      const session = await tokenOf();
      const endings = here.watch(session);
      const told: string[] = [];
      here.store.events.ended(session).subscribe(({ channel }) => told.push(channel));
      await here.settled();
      expect(endings).toEqual([]);
      await logOut(sub);
      expect([endings, told]).toEqual([['logged_out', 'complete'], ['backchannel']]);
    });

    it.each(['before', 'after'])(
      'P14: closes after a logout of a user who has signed in since, %s the sweep finds the user',
      async (when) => {
        await register('first');
        const endings = here.watch(await tokenOf());
        await here.settled();
        await register('second');
        if (when === 'after') {
          await here.open.wake();
          await here.settled();
        }
        await logOut('second');
        if (when === 'before') await here.open.wake();
        await until('it ends', () => endings.length > 0);
        expect(endings).toEqual(['logged_out', 'complete']);
      },
    );

    it('P14: is not asked about again while no new user signs in', async () => {
      await register('first');
      here.watch(await tokenOf());
      await here.settled();
      await here.open.wake();
      await here.settled();
      const sent: string[] = [];
      const restore = intercept(here.store.database, (run, sql, parameters) => {
        sent.push(sql);
        return run(sql, parameters);
      });
      await here.open.wake();
      await here.settled();
      restore();
      expect(sent).toHaveLength(1);
    });
  });

  it('stays open when only the clock of the host steps ahead', async () => {
    const endings = here.watch(await signIn());
    await here.settled();
    clock.ahead += 10 * MINUTE;
    await here.open.wake();
    expect(endings).toEqual([]);
  });

  it('closes when the app shuts down, and no connection opens after that', async () => {
    const session = await signIn();
    const endings = here.watch(session);
    await here.settled();
    await here.connections.onModuleDestroy();
    expect(endings).toEqual(['shutting_down', 'complete']);
    expect(here.watch(session)).toEqual(['shutting_down', 'complete']);
    expect(here.open.size).toBe(0);
  });

  it('P40: a connection that fails to close is logged, and keeps no other connection open', async () => {
    const session = await signIn();
    const log = jest.spyOn(Logger.prototype, 'error').mockReturnValue();
    const fail = (ending: string) => {
      throw new Error(`${ending} failed`);
    };
    here.open.add(session, fail);
    const endings = here.watch(session);
    const other = await signIn();
    here.open.add(other, fail);
    const others = here.watch(other);
    await here.settled();
    await here.store.recorder.endLogin(session);
    expect(endings).toEqual(['logged_out', 'complete']);
    await here.connections.onModuleDestroy();
    expect(others).toEqual(['shutting_down', 'complete']);
    here.open.add(other, fail);
    await firstValueFrom(timer(5));
    const logged = log.mock.calls.map(([message]) => String(message));
    log.mockRestore();
    expect(logged).toEqual([
      'Closing a connection whose session is over failed: logged_out failed',
      'Closing a connection whose session is over failed: shutting_down failed',
      'Closing a connection whose session is over failed: shutting_down failed',
    ]);
    expect(here.open.size).toBe(0);
  });

  it('does not make OneID wait: the replica does not declare itself', async () => {
    here.watch(await signIn());
    await here.settled();
    expect(await new ReplicaRepository(elsewhere.database).findMaxStaleness()).toBe(0);
  });
});
