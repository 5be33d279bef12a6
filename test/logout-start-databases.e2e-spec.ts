import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { LogoutService, SessionRegistry } from 'nestjs-oneid-logout';
import { SessionDatabase } from '../libs/oneid-logout/src/database/session-database.js';
import { targetOf } from '../libs/oneid-logout/src/sessions/targets.js';
import { databases } from './support/databases.js';
import { clientId, type Host } from './support/host.js';
import { logOut, pathOf, reasonAtMe, sharedWith, signIn, start, startHost } from './support/logout-host.js';

describe.each(databases)('on $name', (database) => {
  let host: Host;
  beforeEach(async () => {
    host = await startHost({ database });
  });
  afterEach(() => host.stop());

  it('RPI-4: a state is redeemed on whichever replica, once in all', async () => {
    const replica = await startHost({ database: sharedWith(host), client: { issuer: host.oneId.issuer } });
    try {
      const { browser } = await signIn(host);
      const path = pathOf(await logOut(browser, { returnTo: '/goodbye' }));
      const { cookieHeader: cookie } = browser;
      const answers = await Promise.all(
        [host, replica, host, replica].map((there) => there.fetch(path, { headers: { cookie } })),
      );
      expect(answers.map(({ status }) => status)).toEqual([303, 303, 303, 303]);
      expect(answers.map(({ headers }) => headers.get('location')).sort()).toEqual(['/', '/', '/', '/goodbye']);
      expect((await host.stored()).logouts).toEqual([expect.objectContaining({ returned_at: expect.anything() })]);
    } finally {
      await replica.stop();
    }
  });

  it('RPI-3: a logout on one replica is a logout on all', async () => {
    const replica = await startHost({ database: sharedWith(host), client: { issuer: host.oneId.issuer } });
    try {
      const { browser, session } = await signIn(host);
      expect((await replica.fetch('/me', { session: session.id })).status).toBe(200);
      await start(browser);
      expect((await replica.fetch('/me', { session: session.id })).status).toBe(401);
    } finally {
      await replica.stop();
    }
  });

  it('end() ends one session for good, and no other of the same login', async () => {
    const logout = host.app.get(LogoutService);
    const { session, login } = await signIn(host);
    const sibling = await host.app
      .get(SessionRegistry)
      .register({ idToken: await host.oneId.idToken({ clientId, login }) });

    expect(await logout.end(session.id)).toBe(true);
    expect(await logout.end(session.id)).toBe(true);
    expect((await host.stored()).logouts).toEqual([
      expect.objectContaining({
        target: targetOf('session', host.oneId.issuer, session.id),
        channel: 'admin',
        issued_until: null,
        registered_until: null,
      }),
    ]);
    expect((await host.fetch('/me', { session: session.id })).status).toBe(401);
    expect((await host.fetch('/me', { session: sibling.id })).status).toBe(200);
  });

  it('end() of a session that does not exist says so and stores nothing', async () => {
    const logout = host.app.get(LogoutService);
    for (const id of ['0'.repeat(64), '', 'x', "' OR 1=1 --"]) expect(await logout.end(id)).toBe(false);
    expect((await host.stored()).logouts).toEqual([]);
  });

  it('endAll() ends every session a user has now, of nobody else, and lets later sign-ins live', async () => {
    const logout = host.app.get(LogoutService);
    const mine = [await signIn(host), await signIn(host), await signIn(host)];
    const other = await signIn(host, { sub: 'ALICE' });
    await logout.endAll({ sub: 'alice' });
    expect((await host.stored()).logouts).toEqual([
      expect.objectContaining({
        target: targetOf('sub', host.oneId.issuer, 'alice'),
        channel: 'admin',
        issued_until: null,
        registered_until: expect.anything(),
      }),
    ]);
    for (const { browser } of mine) expect(await reasonAtMe(browser)).toBe('logged_out');
    expect(await reasonAtMe(other.browser)).toBe('alive');
    expect(await reasonAtMe((await signIn(host)).browser)).toBe('alive');
    for (const { browser } of mine) expect(await reasonAtMe(browser)).toBe('logged_out');
  });

  it('end() and endAll() say so when the store is down', async () => {
    const logout = host.app.get(LogoutService);
    const { session } = await signIn(host);
    const { dataSource } = host.app.get(SessionDatabase);
    await dataSource.destroy();
    const down = { code: 'store_unavailable', message: 'The session store is not available, try again' };
    await expect(logout.end(session.id)).rejects.toMatchObject(down);
    await expect(logout.endAll({ sub: 'alice' })).rejects.toMatchObject(down);
    await expect(logout.start({ session })).rejects.toMatchObject(down);
    await dataSource.initialize();
    expect((await host.fetch('/me', { session: session.id })).status).toBe(200);
  });
});
