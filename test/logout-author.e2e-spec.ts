import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  type LogoutAuthor,
  type LogoutEvent,
  type RegisteredSession,
  SessionEvents,
  SessionRegistry,
} from 'nestjs-oneid-logout';
import { LogoutFollower } from '../libs/oneid-logout/src/replicas/logout-follower.js';
import { databases } from './support/databases.js';
import { type Host } from './support/host.js';
import { sharedWith, signIn, startHost } from './support/logout-host.js';

describe.each(databases)('who ended a session, and why, on $name', (database) => {
  let host: Host;
  let replica: Host;
  let events: LogoutEvent[];
  let eventsElsewhere: LogoutEvent[];
  beforeEach(async () => {
    host = await startHost({ database });
    replica = await startHost({ database: sharedWith(host), client: { issuer: host.oneId.issuer } });
    [events, eventsElsewhere] = [[], []];
    host.app.get(SessionEvents).logouts.subscribe((event) => events.push(event));
    replica.app.get(SessionEvents).logouts.subscribe((event) => eventsElsewhere.push(event));
    await replica.app.get(LogoutFollower, { strict: false }).look();
  });
  afterEach(async () => {
    await replica.stop();
    await host.stop();
  });

  const author = { by: 'Quản trị 😀', reason: 'điện thoại bị mất' };
  const ways: [string, (session: RegisteredSession, who?: LogoutAuthor) => Promise<unknown>][] = [
    ['end()', ({ id }, who) => host.app.get(SessionRegistry).end(id, who)],
    ['endAll()', ({ sub }, who) => host.app.get(SessionRegistry).endAll({ sub }, who)],
    ['endEveryone()', ({ issuer }, who) => host.app.get(SessionRegistry).endEveryone({ issuer }, who)],
    [
      'endOthers()',
      async (_session, who) => host.app.get(SessionRegistry).endOthers((await signIn(host)).session, who),
    ],
    ['endEveryone()', ({ issuer }, who) => host.app.get(SessionRegistry).endEveryone({ issuer }, who)],
  ];

  it.each(ways)('%s keeps it with the logout, and tells it in the event on every replica', async (_way, end) => {
    const { session, browser } = await signIn(host);
    await end(session, author);
    expect((await host.stored()).logouts).toEqual([
      expect.objectContaining({ channel: 'admin', author: author.by, reason: author.reason }),
    ]);
    await replica.app.get(LogoutFollower, { strict: false }).look();
    for (const heard of [events, eventsElsewhere]) {
      expect(heard).toEqual([{ channel: 'admin', ...author, ends: expect.any(Function) }]);
      expect(heard[0]?.ends(session)).toBe(true);
    }
    const refused = await browser.visit('/me');
    expect(refused.status).toBe(401);
    expect(await refused.json()).toEqual({
      statusCode: 401,
      error: 'session_logged_out',
      message: 'A logout has ended the session',
      reason: 'logged_out',
    });
  });

  it.each(ways)('%s works without it, and with one of the two', async (_way, end) => {
    await end((await signIn(host)).session);
    await end((await signIn(host)).session, { reason: 'moved' });
    await replica.app.get(LogoutFollower, { strict: false }).look();
    const told = events.map(({ channel, by, reason }) => ({ channel, by, reason }));
    expect(told[0]).toEqual({ channel: 'admin', by: undefined, reason: undefined });
    expect(told.at(-1)).toEqual({ channel: 'admin', by: undefined, reason: 'moved' });
    expect(Object.keys(events[0] ?? {})).toEqual(['channel', 'ends']);
    expect(eventsElsewhere.map(({ reason }) => reason).sort()).toEqual(told.map(({ reason }) => reason).sort());
  });

  it.each(ways)('%s refuses a bad text with author_invalid, and ends and stores nothing', async (_way, end) => {
    const { session, browser } = await signIn(host);
    for (const who of [{ by: 'x'.repeat(256) }, { by: 'a', reason: 'two\nlines' }, { by: '' }]) {
      await expect(end(session, who)).rejects.toMatchObject({ code: 'author_invalid', status: 400 });
    }
    expect((await host.stored()).logouts).toEqual([]);
    expect(events).toEqual([]);
    expect((await browser.visit('/me')).status).toBe(200);
  });

  it('the first author of a session stays', async () => {
    const { session } = await signIn(host);
    await host.app.get(SessionRegistry).end(session.id, { by: 'first' });
    await host.app.get(SessionRegistry).end(session.id, { by: 'second' });
    expect((await host.stored()).logouts.map((row) => row['author'])).toEqual(['first']);
    expect(events.map(({ by }) => by)).toEqual(['first']);
  });

  it('concurrent ends, which share a statement, keep their own authors', async () => {
    const sessions = await Promise.all(Array.from({ length: 4 }, () => signIn(host)));
    await Promise.all(
      sessions.map(({ session }, n) => host.app.get(SessionRegistry).end(session.id, n === 0 ? {} : { by: `by-${n}` })),
    );
    for (const [n, { session }] of sessions.entries()) {
      expect(events.filter((event) => event.ends(session)).map(({ by }) => by)).toEqual([
        n === 0 ? undefined : `by-${n}`,
      ]);
    }
    const stored = (await host.stored()).logouts.map((row) => row['author'] as string | null);
    expect(stored.sort()).toEqual(['by-1', 'by-2', 'by-3', null]);
  });
});
