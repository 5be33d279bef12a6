import { describe, expect, it } from '@jest/globals';
import { SessionRegistry } from 'nestjs-oneid-logout';
import { databases } from './support/databases.js';
import { clientId, Host } from './support/host.js';
import { shareAmongTests } from './support/share-among-tests.js';

describe.each(databases)('a logout at OneID, on $name', (database) => {
  let host: Host;
  shareAmongTests(
    () => Host.start({ database }),
    (started) => void (host = started),
  );

  it('a user signs in and logs out at OneID, and the session stays ended', async () => {
    const registry = host.app.get(SessionRegistry);
    const login = host.oneId.signIn({ sub: 'alice' });
    const session = await registry.register({ idToken: await host.oneId.idToken({ clientId, login }) });
    expect((await host.fetch('/me', { session: session.sessionToken })).status).toBe(200);

    const token = await host.oneId.logoutToken({ clientId, login });
    const delivery = await host.oneId.deliver(`${host.url}/backchannel_logout`, token);
    expect(delivery.attempts).toHaveLength(1);
    expect(delivery.attempts[0]).toMatchObject({ status: 200, body: '' });

    const rejected = await host.fetch('/me', { session: session.sessionToken });
    expect(rejected.status).toBe(401);
    expect(await rejected.json()).toEqual({
      statusCode: 401,
      error: 'session_logged_out',
      message: 'A logout has ended the session',
      reason: 'logged_out',
    });
  });
});
