import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { type LogoutEvent, type Session } from 'nestjs-oneid-logout';
import { firstValueFrom, map, mergeMap, mergeWith, NEVER, timer } from 'rxjs';
import { databases, type TestDatabase } from './support/databases.js';
import { clientId, intercept, issuer, SessionStore } from './support/session-store.js';
import { TestClock } from './support/test-clock.js';

describe.each(databases)('SessionEvents, on $name', (database) => {
  const clock = new TestClock();
  let testDatabase: TestDatabase;
  let store: SessionStore;
  let events: LogoutEvent[] = [];
  beforeAll(async () => {
    testDatabase = await database.take();
    store = await SessionStore.open(testDatabase, { clock });
    store.events.logouts.subscribe((event) => events.push(event));
  });
  beforeEach(async () => {
    await store.clear();
    clock.ahead = clock.databaseAhead = 0;
    events = [];
  });
  afterAll(async () => {
    await store.close();
    await testDatabase.drop();
  });

  const signIn = (sub: string, sid?: string) =>
    store.registry.register({ idToken: store.idToken({ sub, ...(sid !== undefined && { sid }) }) });

  type Sessions = Record<'phone' | 'laptop' | 'sidless' | 'other', Session>;
  type Channels = [LogoutEvent['channel'], ...LogoutEvent['channel'][]];
  const cases: [string, Channels, (sessions: Sessions) => Promise<unknown>, (keyof Sessions)[]][] = [
    ['OneID, sid', ['backchannel'], () => store.recorder.recordBackchannel(store.logout({ sid: 'phone' })), ['phone']],
    [
      'OneID, sub',
      ['backchannel'],
      () => store.recorder.recordBackchannel(store.logout({ sub: 'alice' })),
      ['phone', 'laptop', 'sidless'],
    ],
    [
      'OneID, sid, scope user',
      ['backchannel', 'backchannel'],
      () => store.recorder.recordBackchannel(store.logout({ sid: 'phone', sub: 'alice', scope: 'user' })),
      ['phone', 'laptop', 'sidless'],
    ],
    ['the front-channel', ['frontchannel'], () => store.recorder.recordFrontchannel(issuer, 'laptop'), ['laptop']],
    ['the user at this app', ['app'], ({ phone }) => store.recorder.endLogin(phone), ['phone']],
    ['the user at this app, without sid', ['app'], ({ sidless }) => store.recorder.endLogin(sidless), ['sidless']],
    [
      'an administrator, one session',
      ['admin'],
      ({ laptop }) => store.recorder.endSession(laptop, 'admin'),
      ['laptop'],
    ],
    [
      'an administrator, a user',
      ['admin'],
      () => store.recorder.endUser(issuer, 'alice'),
      ['phone', 'laptop', 'sidless'],
    ],
    [
      'an administrator, everyone',
      ['admin'],
      () => store.recorder.endEveryone(issuer),
      ['phone', 'laptop', 'sidless', 'other'],
    ],
    [
      'an outage',
      ['unconfirmed'],
      () => store.recorder.endUnconfirmed(issuer, clientId, 1),
      ['phone', 'laptop', 'sidless', 'other'],
    ],
    ['a new sign-in', ['replaced'], ({ phone }) => store.recorder.endSession(phone, 'replaced'), ['phone']],
  ];

  it.each(cases)('%s: publishes an event for each target', async (_who, channels, logOut, ended) => {
    const [channel] = channels;
    const sessions: Sessions = {
      phone: await signIn('alice', 'phone'),
      laptop: await signIn('alice', 'laptop'),
      sidless: await signIn('alice'),
      other: await signIn('bob', 'bobs'),
    };
    const closed: string[] = [];
    const completed: string[] = [];
    for (const [name, session] of Object.entries(sessions)) {
      store.events.ended(session).subscribe({
        next: (event) => closed.push(`${name} ${event.channel}`),
        complete: () => completed.push(name),
      });
    }
    await logOut(sessions);
    expect(events.map((event) => event.channel)).toEqual(channels);
    for (const [name, session] of Object.entries(sessions)) {
      expect(events.some((event) => event.ends(session))).toBe(ended.includes(name as keyof Sessions));
      // the guard must decide the same
      expect(await store.isAlive(session.id)).toBe(!ended.includes(name as keyof Sessions));
    }
    expect(closed).toEqual(ended.map((name) => `${name} ${channel}`));
    expect(completed).toEqual(ended);

    clock.advance(2_000);
    const later = await signIn('alice', 'later');
    expect(events.map((event) => event.ends(later))).toEqual(channels.map(() => false));
  });

  it("BC-8: OneID's retries cause no more events", async () => {
    const token = store.logout({ sid: 'phone', sub: 'alice', scope: 'user' });
    for (let attempt = 0; attempt < 3; attempt++) await store.recorder.recordBackchannel(token);
    await Promise.all([1, 2, 3].map(() => store.recorder.recordBackchannel(token)));
    expect(events).toHaveLength(2);
  });

  it('a logout that a look found first causes no second event', async () => {
    const [laptop, phone] = [await signIn('alice', 'laptop'), await signIn('alice', 'phone')];
    let toldFirst: LogoutEvent[] = [];
    const restore = intercept(store.database, async (run, sql, parameters) => {
      const result = await run(sql, parameters);
      // a follower may see the committed logout before the statement's answer arrives
      if (sql.startsWith('INSERT')) {
        store.bus.publishFound((await store.repository.findChanges('nobody', { changedAt: 0, id: '' })).logouts);
        toldFirst = [...events];
      }
      return result;
    });
    await store.recorder.endSessions([laptop, phone], 'admin');
    restore();
    expect([laptop, phone].map((session) => toldFirst.filter((event) => event.ends(session)).length)).toEqual([1, 1]);
    expect(events).toEqual(toldFirst);
  });

  it('BC-8: a jti that is used again for another logout causes its own event', async () => {
    await store.recorder.recordBackchannel(store.logout({ jti: 'same', sid: 'phone' }));
    await store.recorder.recordBackchannel(store.logout({ jti: 'same', sid: 'laptop' }));
    expect(events).toHaveLength(2);
    expect(await store.rows('logout')).toHaveLength(2);
  });

  it('BC-15: a sign-in that is refused after its logout announces a refresh token to revoke', async () => {
    const dues: unknown[] = [];
    await store.recorder.recordBackchannel(store.logout({ sid: 'over' }));
    const subscription = store.bus.tokensDue.subscribe((due) => dues.push(due));
    const idToken = store.idToken({ sid: 'over', sub: 'late' });
    await expect(store.registry.register({ idToken, refreshToken: 'r' })).rejects.toMatchObject({
      code: 'session_ended',
    });
    subscription.unsubscribe();
    expect(dues).toEqual([undefined]);
  });

  it('BC-11: a logout that matches no session causes an event that ends no session', async () => {
    const session = await signIn('alice', 'phone');
    await store.recorder.recordBackchannel(store.logout({ sid: 'nobody' }));
    expect(events.map((event) => event.ends(session))).toEqual([false]);
  });

  it('FC-2: a front-channel logout without an alive session causes no event', async () => {
    await signIn('alice', 'phone');
    await store.recorder.recordFrontchannel(issuer, 'nobody');
    await store.recorder.recordFrontchannel(issuer, 'phone');
    await store.recorder.recordFrontchannel(issuer, 'phone');
    expect(events).toHaveLength(1);
    expect(await store.rows('logout')).toHaveLength(1);
  });

  it('a logout that was not recorded causes no event', async () => {
    const restore = intercept(store.database, () => Promise.reject(new Error('down')));
    await expect(store.recorder.endUser(issuer, 'alice')).rejects.toThrow('down');
    restore();
    expect(events).toEqual([]);
  });

  it('the event ends all sessions of the target when the recorded bound cannot be read', async () => {
    const session = await signIn('alice', 'phone');
    const restore = intercept(store.database, (run, sql, parameters) =>
      sql.startsWith('SELECT') ? Promise.reject(new Error('down')) : run(sql, parameters),
    );
    await store.recorder.endUser(issuer, 'alice');
    restore();
    expect(events.map((event) => event.ends(session))).toEqual([true]);
  });

  it('P40: a listener that throws or rejects is logged; it ends no process, and hears the next logout too', async () => {
    const session = await signIn('alice', 'phone');
    const log = jest.spyOn(Logger.prototype, 'error').mockReturnValue();
    const heard: string[] = [];
    const thrower = (name: string) => () => {
      heard.push(name);
      throw new Error(`${name} threw`);
    };
    const subscriptions = [
      store.events.logouts.subscribe(thrower('a function')),
      store.events.logouts.subscribe({ next: thrower('an observer') }),
      // eslint-disable-next-line @typescript-eslint/no-misused-promises -- this mistake is tested
      store.events.logouts.subscribe(async () => {
        heard.push('a promise');
        await Promise.reject(new Error('a promise rejected'));
      }),
      store.events.logouts.subscribe(() => {
        heard.push('no error');
        throw Object.create(null);
      }),
      store.events.logouts.pipe(map(({ channel }) => channel)).subscribe(thrower('behind an operator')),
      store.events.logouts.pipe(mergeWith(NEVER)).subscribe(thrower('behind mergeWith')),
      store.events.logouts.pipe(map(thrower('an operator'))).subscribe(),
      store.events.logouts
        .pipe(mergeMap(() => Promise.reject(new Error('inside rejected'))))
        .subscribe(() => undefined),
      store.events.logouts.pipe(map(thrower('with onError'))).subscribe({ error: thrower('onError') }),
      store.events.ended(session).subscribe({ next: thrower('ended'), complete: thrower('complete') }),
    ];
    await store.recorder.recordBackchannel(store.logout({ sid: 'phone' }));
    await store.recorder.recordBackchannel(store.logout({ sid: 'laptop' }));
    // RxJS throws an unhandled error from a timer, where it would end the process
    await firstValueFrom(timer(5));
    subscriptions.forEach((subscription) => subscription.unsubscribe());
    const logged = log.mock.calls.map(([message]) =>
      String(message).replace('A listener of SessionEvents failed: ', ''),
    );
    log.mockRestore();

    const always = ['a function', 'an observer', 'a promise', 'no error', 'behind an operator', 'behind mergeWith'];
    expect(heard).toEqual([...always, 'an operator', 'with onError', 'onError', 'ended', 'complete', ...always]);
    const first = [
      ...['a function threw', 'an observer threw', 'a promise rejected', 'behind an operator threw'],
      'behind mergeWith threw',
    ];
    const deaf = 'A listener of SessionEvents hears nothing more, because an operator before it failed: ';
    expect(logged.sort()).toEqual(
      [
        ...first,
        ...first,
        `${deaf}an operator threw`,
        `${deaf}inside rejected`,
        'onError threw',
        'ended threw',
        'complete threw',
      ].sort(),
    );
    expect(events).toHaveLength(2);
    expect(await store.isAlive(session.id)).toBe(false);
  });

  it('complete at shutdown', async () => {
    const other = await SessionStore.open(testDatabase, { clock });
    let completed = false;
    other.events.logouts.subscribe({ complete: () => (completed = true) });
    other.bus.onModuleDestroy();
    expect(completed).toBe(true);
    await other.close();
  });
});
