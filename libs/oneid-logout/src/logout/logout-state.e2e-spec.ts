import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Clock } from '../clock.js';
import { Measures } from '../measures/measures.js';
import { Random } from '../random.js';
import { LogoutRecorder } from '../sessions/logout-recorder.js';
import { SessionDatabase } from '../database/session-database.js';
import { LogoutBus } from '../sessions/logout-bus.js';
import { UncertainLogouts } from '../sessions/uncertain-logouts.js';
import { SessionRepository } from '../store/session.repository.js';
import { type LogoutState, LogoutStates } from './logout-state.js';

const origin = 'https://app.example';

describe('LogoutStates', () => {
  let database: SessionDatabase;
  let states: LogoutStates;
  let recorder: LogoutRecorder;

  beforeAll(async () => {
    database = await SessionDatabase.open({ type: 'better-sqlite3', database: ':memory:' }, true);
    const repository = new SessionRepository(database, { logoutRetention: 60_000, storesTokens: false });
    const [clock, random] = [new Clock(), new Random()];
    states = new LogoutStates(repository, random);
    const uncertain = new UncertainLogouts(repository, clock, random);
    recorder = new LogoutRecorder(repository, new LogoutBus(), uncertain, clock, random, Measures.off(clock));
  });
  afterAll(() => database.close());

  /** A recorded logout, and the browser's cookie for it. */
  async function logout(returnTo = '/goodbye'): Promise<LogoutState & { header: string }> {
    const state = states.create(returnTo, origin);
    await recorder.endLogin({ issuer: 'https://oneid.example/', sid: 's', iat: 1, registeredAt: 1 }, state.logoutId);
    return { ...state, header: state.cookie.split(';')[0] ?? '' };
  }

  const cleared = (header: string) =>
    `${header.split('=')[0] ?? ''}=; Max-Age=0; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; Secure; SameSite=Lax`;

  it('RPI-4: is 256 random bits in a URL-safe form', () => {
    const values = Array.from({ length: 100 }, () => states.create('/', origin).state);
    expect(new Set(values).size).toBe(100);
    for (const value of values) expect(value).toMatch(/^[\w-]{43}$/);
  });

  it('RPI-4: is bound to the browser by a cookie that does not contain the state', () => {
    const { state, logoutId, cookie } = states.create('/goodbye?a=b;c', origin);
    expect(cookie).toMatch(
      /^__Host-oneid-logout-[0-9a-f]{16}=%2Fgoodbye%3Fa%3Db%3Bc; Max-Age=900; Path=\/; HttpOnly; Secure; SameSite=Lax$/,
    );
    expect(cookie).not.toContain(state);
    expect(logoutId).toMatch(/^[0-9a-f]{64}$/);
    expect(cookie).not.toContain(logoutId.slice(0, 16));
    expect(states.create('/', 'http://localhost:3000').cookie).toMatch(
      /^oneid-logout-[0-9a-f]{16}=%2F; Max-Age=900; Path=\/; HttpOnly; SameSite=Lax$/,
    );
  });

  it('RPI-4: is redeemed once', async () => {
    const { state, header } = await logout();
    expect(await states.redeem(state, header, origin)).toEqual({ returnTo: '/goodbye', cookies: [cleared(header)] });
    expect(await states.redeem(state, header, origin)).toEqual({ cookies: [cleared(header)] });
  });

  it('RPI-4: is redeemed once, also when it comes back several times at the same time', async () => {
    const { state, header } = await logout();
    const returns = await Promise.all(Array.from({ length: 8 }, () => states.redeem(state, header, origin)));
    expect(returns.filter(({ returnTo }) => returnTo !== undefined)).toHaveLength(1);
  });

  it('RPI-4: does not work in another browser, and stays usable in its own browser', async () => {
    const { state, header } = await logout();
    const other = await logout();
    expect(await states.redeem(state, undefined, origin)).toEqual({ cookies: [] });
    expect(await states.redeem(state, other.header, origin)).toEqual({ cookies: [] });
    expect((await states.redeem(state, header, origin)).returnTo).toBe('/goodbye');
  });

  it('RPI-4: works for several logouts in one browser', async () => {
    const [one, two] = [await logout('/one'), await logout('/two')];
    const both = `${one.header}; ${two.header}`;
    expect(await states.redeem(two.state, both, origin)).toEqual({ returnTo: '/two', cookies: [cleared(two.header)] });
    expect(await states.redeem(one.state, both, origin)).toEqual({ returnTo: '/one', cookies: [cleared(one.header)] });
  });

  it('RPI-4: does not work when its logout was never recorded', async () => {
    const { state, cookie } = states.create('/goodbye', origin);
    const header = cookie.split(';')[0] ?? '';
    expect(await states.redeem(state, header, origin)).toEqual({ cookies: [cleared(header)] });
  });

  it.each([undefined, '', ' ', '\0', 'x'.repeat(10_000), '__proto__', '%', '../../', '"; DROP TABLE oneid_logout; --'])(
    'RPI-4: refuses the state %p',
    async (state) => {
      const { header } = await logout();
      expect(await states.redeem(state, header, origin)).toEqual({ cookies: [] });
    },
  );

  it('a logout that no browser has started cannot be redeemed by its id', async () => {
    const { logoutId, header } = await logout();
    expect(await states.redeem(logoutId, header, origin)).toEqual({ cookies: [] });
  });
});
