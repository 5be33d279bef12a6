import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { createSigningKey } from 'nestjs-oneid-logout/testing';
import { SessionRegistry, StoreUnavailableError } from 'nestjs-oneid-logout';
import { SessionDatabase } from '../libs/oneid-logout/src/database/session-database.js';
import { delivered, post, refused, temporarilyUnavailable } from './support/channel-requests.js';
import { clientId, Host } from './support/host.js';
import { intercept } from './support/session-store.js';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

const tooOld = refused('logout_token_too_old', 'iat is too long ago');
const inFuture = refused('logout_token_iat_invalid', 'iat is missing or in the future');

let host: Host;
let warned: jest.SpiedFunction<Logger['warn']>;
beforeEach(async () => {
  host = await Host.start();
  warned = jest.spyOn(Logger.prototype, 'warn').mockReturnValue();
});
afterEach(async () => {
  jest.restoreAllMocks();
  await host.stop();
});

/** A logout token that OneID issues now by the right clock. @param age how long ago instead, milliseconds */
const tokenOf = (sid: string, age = 0) => {
  const iat = Math.floor((Date.now() + host.clock.databaseAhead - age) / 1000);
  return host.oneId.logoutToken({ clientId, sid, claims: { iat } });
};
const statusOf = async (session: string) => (await host.fetch('/me', { session })).status;

/** Counts the statements of the host. @returns the count, which goes on */
function countStatements(): { value: number } {
  const count = { value: 0 };
  intercept(host.app.get(SessionDatabase, { strict: false }), (run, sql, parameters) => {
    count.value += 1;
    return run(sql, parameters);
  });
  return count;
}

/** @returns a function that brings the store back */
function breakStore(): () => void {
  return intercept(host.app.get(SessionDatabase, { strict: false }), () =>
    Promise.reject(new StoreUnavailableError(new Error('the database is gone'))),
  );
}

describe('a logout token on a host whose clock is wrong', () => {
  it.each([
    ['31 seconds behind', -31 * SECOND],
    ['60 seconds behind', -60 * SECOND],
    ['61 seconds behind', -61 * SECOND],
    ['an hour behind', -HOUR],
    ['a minute ahead', MINUTE],
    ['an hour ahead', HOUR],
  ])("S18: %s: a fresh token is right by the database's clock", async (_what, ahead) => {
    const { session, sid } = await host.signIn();
    const logoutToken = await tokenOf(sid);
    host.clock.ahead = ahead;
    expect(await post(host, logoutToken)).toEqual(delivered);
    expect(await statusOf(session)).toBe(401);
  });

  it('S18: the log says at most once a minute how far the clocks differ', async () => {
    host.clock.ahead = -45 * SECOND;
    for (let n = 0; n < 3; n++) expect(await post(host, await tokenOf('any'))).toEqual(delivered);
    const expected =
      "A token is valid by the database's clock only: this host's clock differs from it by 45 s. " +
      'Set the wrong clock right.';
    // these logouts end nothing, and the log says that, too
    const ofClocks = () =>
      warned.mock.calls.map(([message]) => String(message)).filter((text) => text.includes('clock'));
    expect(ofClocks()).toEqual([expected]);
    host.clock.advance(MINUTE);
    expect(await post(host, await tokenOf('any'))).toEqual(delivered);
    expect(ofClocks()).toHaveLength(2);
  });

  it("S18: a token that is wrong by this host's clock and by the database's clock is refused", async () => {
    host.clock.ahead = -45 * SECOND;
    expect(await post(host, await tokenOf('any', -2 * MINUTE))).toEqual(inFuture);
    expect(await post(host, await tokenOf('any', 12 * MINUTE))).toEqual(tooOld);
    expect((await host.stored()).logouts).toEqual([]);
  });

  it("S18: a wrong clock of the database loses no logout: this host's clock is enough", async () => {
    const { session, sid } = await host.signIn();
    const logoutToken = await host.oneId.logoutToken({ clientId, sid });
    host.clock.databaseAhead = -MINUTE;
    expect(await post(host, logoutToken)).toEqual(delivered);
    expect(await statusOf(session)).toBe(401);
  });

  it('S18: while the store is down, a token with wrong times gets 503, and 200 later', async () => {
    const { session, sid } = await host.signIn();
    const logoutToken = await tokenOf(sid);
    host.clock.ahead = -20 * MINUTE;
    jest.spyOn(Logger.prototype, 'error').mockReturnValue();
    const restore = breakStore();
    expect(await post(host, logoutToken)).toEqual(temporarilyUnavailable('store_unavailable'));
    expect(await post(host, await tokenOf(sid, HOUR))).toEqual(temporarilyUnavailable('store_unavailable', '60'));
    restore();
    expect((await host.stored()).logouts).toEqual([]);
    expect(await post(host, logoutToken)).toEqual(delivered);
    expect(await statusOf(session)).toBe(401);
  });

  it("S18: a step of this host's clock between two tokens refuses no fresh token", async () => {
    const { session, sid } = await host.signIn();
    expect(await post(host, await tokenOf('any', HOUR))).toEqual(tooOld);
    host.clock.ahead = -45 * SECOND;
    expect(await post(host, await tokenOf(sid))).toEqual(delivered);
    expect(await statusOf(session)).toBe(401);
    host.clock.ahead = HOUR;
    expect(await post(host, await tokenOf('another'))).toEqual(delivered);
  });

  it('S18: forged tokens with wrong times cause no query, and signed ones one query at a time', async () => {
    const statements = countStatements();
    const iat = host.clock.seconds - HOUR / 1000;
    const forged = await host.oneId.logoutToken({
      clientId,
      sid: 'any',
      key: await createSigningKey(),
      claims: { iat },
    });
    const unsigned = await host.oneId.logoutToken({ clientId, sid: 'any', key: 'none', claims: { iat } });
    expect((await post(host, forged)).body).toMatchObject({ code: 'logout_token_key_unknown' });
    expect((await post(host, unsigned)).body).toMatchObject({ code: 'logout_token_alg_not_allowed' });
    expect(statements.value).toBe(0);

    const old = await tokenOf('any', HOUR);
    const flood = () => Promise.all(Array.from({ length: 20 }, () => post(host, old)));
    expect(new Set((await flood()).map(({ status }) => status))).toEqual(new Set([400]));
    await flood();
    expect(statements.value).toBe(1);
    host.clock.advance(2 * SECOND);
    await flood();
    expect(statements.value).toBe(2);
  });
});

describe('a sign-in on a host whose clock is wrong', () => {
  const idTokenOf = (age = 0) => {
    const now = Math.floor((Date.now() - age) / 1000);
    return host.oneId.idToken({ clientId, login: host.oneId.signIn(), claims: { iat: now, exp: now + 3600 } });
  };
  const register = (idToken: string) => host.app.get(SessionRegistry).register({ idToken });

  it.each([
    ['45 seconds behind', -45 * SECOND],
    ['20 minutes behind', -20 * MINUTE],
    ['20 minutes ahead', 20 * MINUTE],
  ])("S18: %s: a fresh ID token is right by the database's clock", async (_what, ahead) => {
    host.clock.ahead = ahead;
    const { sessionToken } = await register(await idTokenOf());
    host.clock.ahead = 0;
    expect(await statusOf(sessionToken)).toBe(200);
  });

  it('S18: an ID token that is wrong by both clocks is refused', async () => {
    host.clock.ahead = -45 * SECOND;
    for (const [age, message] of [
      [
        7 * MINUTE,
        "The ID token is too old for a sign-in: its iat may lie 300 seconds back. For a provider that dates iat back, set the client's iatBackdatingSeconds",
      ],
      [2 * HOUR, 'The ID token has expired'],
      [-2 * MINUTE, 'The ID token has no iat, or an iat in the future'],
    ] as const) {
      await expect(register(await idTokenOf(age))).rejects.toMatchObject({ code: 'id_token_invalid', message });
    }
    expect((await host.stored()).sessions).toEqual([]);
  });

  it('S18: while the store is down, an ID token with wrong times is undecided', async () => {
    jest.spyOn(Logger.prototype, 'error').mockReturnValue();
    host.clock.ahead = -45 * SECOND;
    const restore = breakStore();
    await expect(register(await idTokenOf())).rejects.toMatchObject({ code: 'store_unavailable', status: 503 });
    restore();
  });
});
