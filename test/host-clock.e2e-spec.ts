import { describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { SessionDatabase } from '../libs/oneid-logout/src/database/session-database.js';
import { delivered, temporarilyUnavailable, post, refused } from './support/channel-requests.js';
import { clientId, Host } from './support/host.js';
import { failNext, intercept } from './support/session-store.js';

const HOUR = 60 * 60 * 1000;

describe('a host whose clock is wrong', () => {
  it.each([
    ['an hour ahead', HOUR],
    ['an hour behind', -HOUR],
  ])('%s: answers 503 to a valid token, and 200 when the clock is right', async (_what, ahead) => {
    const host = await Host.start();
    const { session, sid } = await host.signIn();
    const logoutToken = await host.oneId.logoutToken({ clientId, sid });
    host.clock.ahead = ahead;
    const log = jest.spyOn(Logger.prototype, 'error').mockImplementation(() => undefined);
    expect(await post(host, logoutToken)).toEqual(temporarilyUnavailable('server_error'));
    expect(log.mock.calls.map(([message]) => String(message))).toEqual([
      'Could not process a logout token and answered 503, so that OneID sends it again: server_error: ' +
        "This host's clock differs from the database's clock by more than a minute. Correct the clock that is wrong",
    ]);
    expect((await host.stored()).logouts).toEqual([]);
    host.clock.ahead = 0;
    expect(await post(host, logoutToken)).toEqual(delivered);
    expect((await host.fetch('/me', { session })).status).toBe(401);
    log.mockRestore();
    await host.stop();
  });

  it("many old tokens cause one query for the database's clock", async () => {
    const host = await Host.start();
    let asked = 0;
    intercept(host.app.get(SessionDatabase, { strict: false }), (run, sql, parameters) => {
      asked += 1;
      return run(sql, parameters);
    });
    const iat = host.clock.seconds - HOUR / 1000;
    const old = await host.oneId.logoutToken({ clientId, sid: 'any', claims: { iat } });
    const answers = await Promise.all(Array.from({ length: 20 }, () => post(host, old)));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([400]));
    expect(asked).toBe(1);
    // the host asks once more after its clock has stepped
    host.clock.ahead = HOUR;
    expect((await post(host, old)).status).toBe(503);
    expect(asked).toBe(2);
    await host.stop();
  });

  it('refuses an old token with 400 while the store is down', async () => {
    const host = await Host.start();
    const iat = host.clock.seconds - HOUR / 1000;
    const old = await host.oneId.logoutToken({ clientId, sid: 'any', claims: { iat } });
    failNext(host.app.get(SessionDatabase, { strict: false }));
    expect(await post(host, old)).toEqual(refused('logout_token_too_old', 'iat is too long ago'));
    await host.stop();
  });
});
