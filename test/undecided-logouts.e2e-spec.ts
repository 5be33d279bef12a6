import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { createSigningKey, endpointPaths, type LogoutTokenRequest, type SigningKey } from 'nestjs-oneid-logout/testing';
import { InvalidLogoutTokenError, ProviderUnavailableError, StoreUnavailableError } from 'nestjs-oneid-logout';
import { MOST_WAITING } from '../libs/oneid-logout/src/channels/answer-time.js';
import { ReplicaStatus } from '../libs/oneid-logout/src/connections/replica-status.js';
import { SessionDatabase } from '../libs/oneid-logout/src/database/session-database.js';
import { LogoutTokenVerifier, type VerifiedLogoutToken } from '../libs/oneid-logout/src/provider/logout-token.js';
import { OneIdClients } from '../libs/oneid-logout/src/provider/oneid-clients.js';
import { TokenTimes } from '../libs/oneid-logout/src/provider/token-times.js';
import { Random } from '../libs/oneid-logout/src/random.js';
import { LogoutInbox } from '../libs/oneid-logout/src/sessions/logout-inbox.js';
import {
  MOST_UNDECIDED,
  MOST_UNDECIDED_BYTES,
  UndecidedTokens,
} from '../libs/oneid-logout/src/sessions/undecided-tokens.js';
import {
  type ChannelAnswer,
  Cleanup,
  delivered,
  logoutsOf,
  post,
  refused,
  signIn,
  stateOf,
  temporarilyUnavailable,
} from './support/channel-requests.js';
import { sqlite } from './support/databases.js';
import { clientId, type Host, type HostSettings } from './support/host.js';
import { intercept, SessionStore } from './support/session-store.js';
import { TestClock } from './support/test-clock.js';
import { until } from './support/until.js';

const MINUTE = 60_000;
const COOL_DOWN = 30_000;

const noProvider = temporarilyUnavailable('provider_unavailable');
const noStore = temporarilyUnavailable('store_unavailable');

let warnings: string[];
let errors: string[];
beforeEach(() => {
  [warnings, errors] = [[], []];
  jest.spyOn(Logger.prototype, 'warn').mockImplementation((message) => void warnings.push(String(message)));
  jest.spyOn(Logger.prototype, 'error').mockImplementation((message) => void errors.push(String(message)));
});
const cleanup = new Cleanup();
afterEach(async () => {
  await cleanup.run();
  jest.restoreAllMocks();
});

const refusals = () => warnings.filter((line) => line.startsWith('Refused a logout token'));

describe('a logout token that cannot be decided when it arrives', () => {
  let host: Host;
  /** A key that the provider does not have. */
  let stranger: SigningKey;
  beforeAll(async () => {
    stranger = await createSigningKey();
  });
  const start = async (settings: HostSettings = {}) => {
    host = await cleanup.host(settings);
    // the app knows the keys from here on
    await post(host, await token());
    warnings.length = 0;
  };
  const token = (request: Partial<LogoutTokenRequest> = {}) =>
    host.oneId.logoutToken({ clientId, ...(request.login === undefined && { sid: 'some-sid' }), ...request });
  const undecided = () => host.app.get(UndecidedTokens, { strict: false });
  const status = () => {
    const { undecidedLogouts, unrecordedLogouts } = host.app.get(ReplicaStatus, { strict: false }).read();
    return { undecidedLogouts, unrecordedLogouts };
  };
  const nothingKept = { undecidedLogouts: 0, unrecordedLogouts: 0 };
  const oneKept = { undecidedLogouts: 1, unrecordedLogouts: 0 };
  /** The store refuses all statements until the returned function is called. */
  const breakStore = () =>
    intercept(host.app.get(SessionDatabase, { strict: false }), () =>
      Promise.reject(new StoreUnavailableError(new Error('down'))),
    );
  /** Tokens with unknown keys use up the fetches that the cool-down allows. */
  const useUpFetches = async () => {
    for (let n = 0; n < 12; n++) await post(host, await token({ key: stranger, header: { kid: `stranger-${n}` } }));
  };

  it('P29: a new key within the cool-down: the logout is kept and recorded, although it never comes again', async () => {
    await start();
    const { login, session } = await signIn(host);
    await useUpFetches();
    const strangers = undecided().size;
    await host.oneId.rotateKeys({ keepOld: false });
    const before = (await logoutsOf(host)).length;
    host.oneId.clearRequests();

    expect(await post(host, await token({ login }))).toEqual(noProvider);
    expect(undecided().size).toBe(strangers + 1);
    await undecided().wake();
    // without any effect until it is decided
    expect([await stateOf(host, session), (await logoutsOf(host)).length]).toEqual(['alive', before]);
    expect(host.oneId.requests).toEqual([]);

    // so much later that the keys are newer than the tokens by any clock: the strangers' tokens are decided, too
    host.clock.advance(2 * COOL_DOWN + 1_000);
    await undecided().wake();
    expect([await stateOf(host, session), (await logoutsOf(host)).length]).toEqual(['logged_out', before + 1]);
    expect([status(), host.oneId.count(endpointPaths.jwks)]).toEqual([nothingKept, 1]);
    expect(refusals()).toEqual(
      Array(12).fill('Refused a logout token: logout_token_key_unknown: the provider has no such signing key'),
    );
  });

  it('P29: a token that turns out to be invalid is dropped with one line in the log', async () => {
    await start();
    const { login, session } = await signIn(host);
    host.clock.advance(MINUTE);
    host.oneId.fail(endpointPaths.jwks, { status: 500 });
    const forged = await token({ login, key: stranger });
    expect(await post(host, forged)).toEqual(noProvider);
    expect([status(), refusals()]).toEqual([oneKept, []]);
    const stored = await host.stored();
    host.oneId.heal();
    host.clock.advance(2 * COOL_DOWN + 1_000);
    await undecided().wake();
    await undecided().wake();
    expect(status()).toEqual(nothingKept);
    expect(refusals()).toEqual([
      'Refused a logout token: logout_token_key_unknown: the provider has no such signing key',
    ]);
    expect([await stateOf(host, session), await host.stored()]).toEqual(['alive', stored]);
  });

  it("P29: the same token twice has one slot, and OneID's own retry decides it", async () => {
    await start();
    const { login, session } = await signIn(host);
    host.clock.advance(MINUTE);
    await host.oneId.rotateKeys({ keepOld: false });
    host.oneId.fail(endpointPaths.jwks, { reset: true });
    const logoutToken = await token({ login });
    const answers = await Promise.all([post(host, logoutToken), post(host, logoutToken)]);
    expect(answers).toEqual(expect.arrayContaining([noProvider, temporarilyUnavailable('provider_unavailable', '60')]));
    expect(status()).toEqual(oneKept);
    host.oneId.heal();
    host.clock.advance(COOL_DOWN + 1_000);
    expect(await post(host, logoutToken)).toEqual(delivered);
    expect([status(), await stateOf(host, session)]).toEqual([nothingKept, 'logged_out']);
  });

  it('P29: the age of a token counts at its first receipt', async () => {
    await start();
    const { login, session } = await signIn(host);
    await host.oneId.rotateKeys({ keepOld: false });
    host.oneId.fail(endpointPaths.jwks, { status: 500 });
    const late = temporarilyUnavailable('provider_unavailable', '60');
    // the keys are older than the tokens
    host.clock.advance(12 * MINUTE);
    const iat = host.clock.seconds - 590;
    const logoutToken = await token({ login, claims: { iat } });
    expect(await post(host, logoutToken)).toEqual(late);
    expect(await post(host, await token({ claims: { iat: iat - 60 } }))).toEqual(late);
    host.clock.advance(5 * MINUTE);
    expect(await post(host, logoutToken)).toEqual(late);
    host.oneId.heal();
    host.clock.advance(4 * MINUTE);
    await undecided().wake();
    expect([status(), await stateOf(host, session)]).toEqual([nothingKept, 'logged_out']);
    expect(refusals()).toEqual(['Refused a logout token: logout_token_too_old: iat is too long ago']);
  });

  it('P29: is given up after ten minutes, with a line in the log', async () => {
    await start();
    host.clock.advance(MINUTE);
    host.oneId.fail('*', { status: 500 });
    await post(host, await token({ key: stranger }));
    host.clock.advance(10 * MINUTE - 2_000);
    await undecided().wake();
    expect(status()).toEqual(oneKept);
    errors.length = 0;
    host.clock.advance(2_001);
    await undecided().wake();
    expect(status()).toEqual(nothingKept);
    expect(errors).toEqual([
      'The library could not decide 1 logout tokens of OneID for ten minutes, and gives them up. Their sessions stay ' +
        'alive until they expire. Look why the keys of OneID, or the session store, were out of reach.',
    ]);
  });

  it('P29: forged tokens with an iat in the far future leave with the next fetch, too', async () => {
    await start();
    await useUpFetches();
    const claims = { iat: host.clock.seconds + 1_000 * 365 * 86_400 };
    for (let n = 0; n < 150; n++) {
      const forged = await token({ key: stranger, header: { kid: `far-${n}` }, claims });
      await undecided()
        .receive(forged, host.clock.moment())
        .recorded.catch(() => undefined);
    }
    expect(undecided().size).toBeGreaterThanOrEqual(150);
    host.oneId.clearRequests();
    host.clock.advance(COOL_DOWN + 1_000);
    await undecided().wake();
    expect([status(), host.oneId.count(endpointPaths.jwks)]).toEqual([nothingKept, 1]);
  });

  it('P29: the clock of the host is set: a token is decided before it is given up', async () => {
    await start();
    const { login, session } = await signIn(host);
    const logoutToken = await token({ login });
    host.clock.ahead = -20 * MINUTE;
    const restore = breakStore();
    expect(await post(host, logoutToken)).toEqual(noStore);
    host.clock.ahead = 0;
    await undecided().wake();
    expect(status()).toEqual(oneKept);
    restore();
    host.clock.advance(10 * MINUTE + 1);
    await undecided().wake();
    expect([status(), await stateOf(host, session)]).toEqual([nothingKept, 'logged_out']);
    expect(errors.filter((line) => line.includes('gives them up'))).toEqual([]);
  });

  it("P29: while the database can't judge the token's times, the token is kept, then decided", async () => {
    await start();
    const { login, session } = await signIn(host);
    const logoutToken = await token({ login });
    host.clock.ahead = -20 * MINUTE;
    const restore = breakStore();
    expect(await post(host, logoutToken)).toEqual(noStore);
    expect(status()).toEqual(oneKept);
    restore();
    // the token's age by the database counts at its receipt, too
    host.clock.advance(9.9 * MINUTE);
    await undecided().wake();
    expect([status(), await stateOf(host, session)]).toEqual([nothingKept, 'logged_out']);
  });

  it.each([
    ['an outage', 503, 'provider_unavailable'],
    // a proxy in front of OneID may answer so while OneID restarts
    ['a wrong configuration', 404, 'provider_misconfigured'],
  ])('P29: the app has never got the configuration of OneID: %s, then it is there', async (_what, answered, code) => {
    host = await cleanup.host();
    host.oneId.fail(endpointPaths.discovery, { status: answered });
    expect(await post(host, await token())).toEqual(temporarilyUnavailable(code));
    expect(status()).toEqual(oneKept);
    host.oneId.heal();
    host.clock.advance(COOL_DOWN + 1_000);
    await undecided().wake();
    expect([status(), (await logoutsOf(host)).length]).toEqual([nothingKept, 1]);
  });

  it('P29: a token that is decided while the store is down goes to the verified logouts', async () => {
    await start();
    const { login, session } = await signIn(host);
    host.clock.advance(MINUTE);
    await host.oneId.rotateKeys({ keepOld: false });
    host.oneId.fail(endpointPaths.jwks, { status: 500 });
    expect(await post(host, await token({ login }))).toEqual(noProvider);
    host.oneId.heal();
    host.clock.advance(COOL_DOWN + 1_000);
    const restore = breakStore();
    await undecided().wake();
    expect(status()).toEqual({ undecidedLogouts: 0, unrecordedLogouts: 1 });
    restore();
    expect(await stateOf(host, session)).toBe('logged_out');
    await host.app.get(LogoutInbox, { strict: false }).wake();
    expect([status(), (await logoutsOf(host)).length]).toEqual([nothingKept, 2]);
  });

  it('BC-13: a token that fails a check without a fetch is never kept', async () => {
    await start();
    host.clock.advance(MINUTE);
    host.oneId.fail('*', { status: 500 });
    for (const claims of [{ nonce: 'n' }, { iss: 'https://other.example/' }, { aud: 'other' }, { events: {} }]) {
      expect(await post(host, await token({ key: stranger, claims }))).toMatchObject({ status: 400 });
    }
    expect(await post(host, 'a.b.c')).toMatchObject({ status: 400 });
    expect(status()).toEqual(nothingKept);
  });

  it('BC-13: the app stops during the cool-down: it fetches the keys for the last decision', async () => {
    const testDatabase = await sqlite.create();
    await start({ database: { take: () => Promise.resolve({ ...testDatabase, drop: () => Promise.resolve() }) } });
    await useUpFetches();
    await host.oneId.rotateKeys({ keepOld: false });
    expect(await post(host, await token({ sid: 'late' }))).toEqual(noProvider);
    host.oneId.clearRequests();
    errors.length = 0;
    await host.app.close();
    const store = await SessionStore.open(testDatabase);
    expect([(await store.rows('logout')).length, errors]).toEqual([2, []]);
    expect(host.oneId.count(endpointPaths.jwks)).toBe(1);
    await store.close();
    await testDatabase.drop();
  });

  it('BC-13: the app stops while OneID hangs: verified logouts do not wait, and the stop takes one fetch', async () => {
    await start();
    const restore = breakStore();
    expect(await post(host, await token({ sid: 'verified' }))).toEqual(noStore);
    restore();
    await useUpFetches();
    for (let n = 0; n < 150; n++) {
      const forged = await token({ key: stranger, header: { kid: `more-${n}` } });
      await undecided()
        .receive(forged, host.clock.moment())
        .recorded.catch(() => undefined);
    }
    const inbox = host.app.get(LogoutInbox, { strict: false });
    expect(inbox.size).toBe(1);
    host.oneId.clearRequests();
    host.oneId.fail(endpointPaths.jwks, { hang: true });
    host.clock.advance(2 * COOL_DOWN);
    const closed = host.app.close();
    await until('OneID is asked', () => host.oneId.count(endpointPaths.jwks) === 1);
    await until('the verified logout is recorded', () => inbox.size === 0);
    host.clock.advance(5_000);
    await closed;
    expect(host.oneId.count(endpointPaths.jwks)).toBe(1);
  });

  it('BC-13: the app decides it once more before it stops', async () => {
    const testDatabase = await sqlite.create();
    await start({ database: { take: () => Promise.resolve({ ...testDatabase, drop: () => Promise.resolve() }) } });
    host.clock.advance(MINUTE);
    await host.oneId.rotateKeys({ keepOld: false });
    host.oneId.fail(endpointPaths.jwks, { status: 500 });
    expect(await post(host, await token({ sid: 'late' }))).toEqual(noProvider);
    host.oneId.heal();
    host.clock.advance(COOL_DOWN + 1_000);
    await host.app.close();
    const store = await SessionStore.open(testDatabase);
    expect(await store.rows('logout')).toHaveLength(2);
    await store.close();
    await testDatabase.drop();
  });

  describe('an answer that waits', () => {
    it.each([
      ['200 when the token is valid', () => token(), delivered],
      [
        '400 when it is not',
        () => token({ header: { kid: host.oneId.signingKey.kid }, key: stranger }),
        refused('logout_token_signature_invalid', 'the signature is not valid'),
      ],
    ])('P29: waits for a key fetch that is under way: %s', async (_what, make, expected) => {
      await start();
      host.clock.advance(2 * 60 * MINUTE);
      host.oneId.fail(endpointPaths.jwks, { delayMs: 400 });
      expect(await post(host, await make())).toEqual(expected);
      expect(status()).toEqual(nothingKept);
    });

    it(`P29: at most ${MOST_WAITING} wait, four seconds at most, and the others get 503 at once; all are kept`, async () => {
      await start();
      host.clock.advance(2 * 60 * MINUTE);
      await host.oneId.rotateKeys({ keepOld: false });
      host.oneId.fail(endpointPaths.jwks, { hang: true });
      const tokens = await Promise.all(Array.from({ length: MOST_WAITING + 10 }, (_, n) => token({ sid: `sid-${n}` })));
      const before = (await logoutsOf(host)).length;
      const answers: ChannelAnswer[] = [];
      const asked = performance.now();
      const all = Promise.all(tokens.map(async (one) => answers.push(await post(host, one))));

      await until('the others have their answers', () => answers.length === 10);
      expect(performance.now() - asked).toBeLessThan(3_000);
      host.clock.advance(4_000);
      await all;
      expect(answers).toEqual(Array(MOST_WAITING + 10).fill(noProvider));

      // the fetch fails after five seconds
      host.clock.advance(1_000);
      await until('the tokens are kept', () => undecided().size === MOST_WAITING + 10);
      host.oneId.heal();
      host.clock.advance(COOL_DOWN + 1_000);
      await undecided().wake();
      expect([status(), (await logoutsOf(host)).length]).toEqual([nothingKept, before + MOST_WAITING + 10]);
      // all places are free again
      host.clock.advance(2 * 60 * MINUTE);
      host.oneId.fail(endpointPaths.jwks, { delayMs: 400 });
      const next = await Promise.all(Array.from({ length: MOST_WAITING }, (_, n) => token({ sid: `next-${n}` })));
      expect(await Promise.all(next.map((one) => post(host, one)))).toEqual(Array(MOST_WAITING).fill(delivered));
    });

    it('P29: known keys need no place: more logouts than that are answered at the same time', async () => {
      await start();
      const tokens = await Promise.all(Array.from({ length: 3 * MOST_WAITING }, (_, n) => token({ sid: `s-${n}` })));
      const answers = await Promise.all(tokens.map((one) => post(host, one)));
      expect(answers).toEqual(Array(3 * MOST_WAITING).fill(delivered));
    });

    it('P29: waits for a store that is coming back, and gets 200', async () => {
      await start({ startsJobs: true });
      const { login, session } = await signIn(host);
      const restore = breakStore();
      const answer = post(host, await token({ login }));
      await until('the logout is kept', () => status().unrecordedLogouts === 1);
      restore();
      host.clock.advance(2_500);
      expect(await answer).toEqual(delivered);
      expect([status(), await stateOf(host, session)]).toEqual([nothingKept, 'logged_out']);
    });

    it('P29: gets 503 after four seconds while the store stays away, and at once when its return is not near', async () => {
      await start({ startsJobs: true });
      const inbox = host.app.get(LogoutInbox, { strict: false });
      const restore = breakStore();
      const tokens = await Promise.all(Array.from({ length: MOST_WAITING + 5 }, (_, n) => token({ sid: `sid-${n}` })));
      const answers: ChannelAnswer[] = [];
      const all = Promise.all(tokens.map(async (one) => answers.push(await post(host, one))));
      await until('those without a place have answers', () => inbox.size === tokens.length && answers.length === 5);
      host.clock.advance(4_000);
      await all;
      expect(answers).toEqual(Array(tokens.length).fill(noStore));
      for (let n = 0; n < 4; n++) {
        host.clock.advance(20_000);
        await inbox.wake();
      }
      const asked = performance.now();
      expect(await post(host, await token({ sid: 'second' }))).toEqual(noStore);
      expect(performance.now() - asked).toBeLessThan(3_000);
      expect(status()).toEqual({ undecidedLogouts: 0, unrecordedLogouts: MOST_WAITING + 6 });
      restore();
    });

    it('P29: gets 503 after four seconds when a statement hangs, and the logout is recorded all the same', async () => {
      await start();
      const { login, session } = await signIn(host);
      let release = () => {};
      const released = new Promise<void>((resolve) => (release = resolve));
      let sent = 0;
      const restore = intercept(host.app.get(SessionDatabase, { strict: false }), async (run, sql, parameters) => {
        sent += 1;
        await released;
        return run(sql, parameters);
      });
      const answer = post(host, await token({ login }));
      await until('the statement is sent', () => sent > 0);
      host.clock.advance(4_000);
      expect(await answer).toEqual(noStore);
      restore();
      release();
      await host.settled();
      expect([status(), await stateOf(host, session)]).toEqual([nothingKept, 'logged_out']);
    });

    it('P29: the barrier counts to the four seconds of an answer that has waited, and to no other', async () => {
      host = await cleanup.host({ options: { liveness: { maxStalenessMs: 3_900 } } });
      /** The time passes fast for the barrier, but not so fast that a statement of a slow machine meets its time limit. */
      const finish = async (answer: Promise<ChannelAnswer>, logouts: number) => {
        await until('the logout is recorded', async () => (await logoutsOf(host)).length === logouts);
        for (;;) {
          const answered = await Promise.race([answer, delay(20)]);
          if (answered !== undefined) return answered;
          host.clock.advance(100);
        }
      };
      host.oneId.fail(endpointPaths.jwks, { delayMs: 400 });
      const logoutToken = await token();
      expect(await finish(post(host, logoutToken), 1)).toEqual(noStore);
      expect(status()).toEqual(nothingKept);
      expect(await finish(post(host, logoutToken), 1)).toEqual(delivered);
    });
  });

  describe('P25: Retry-After', () => {
    it.each([
      ['just issued', 0, '5'],
      ['three seconds old', -3, '5'],
      ['four seconds old', -4, '60'],
      ['nine minutes old', -540, '60'],
      ["issued in the future, because OneID's clock is ahead", 20, '5'],
    ])('P25: a token that is %s, whatever the cause', async (_age, seconds, retryAfter) => {
      await start({ clock: new TestClock(Date.now()) });
      const claims = { iat: host.clock.seconds + seconds };
      const restore = breakStore();
      expect(await post(host, await token({ claims }))).toEqual(
        temporarilyUnavailable('store_unavailable', retryAfter),
      );
      restore();
      host.clock.advance(12 * MINUTE);
      host.oneId.fail('*', { status: 500 });
      const later = { iat: host.clock.seconds + seconds };
      expect(await post(host, await token({ claims: later, key: stranger }))).toEqual(
        temporarilyUnavailable('provider_unavailable', retryAfter),
      );
    });

    it("P25: a token that comes again is no first attempt, also when this host's clock is behind", async () => {
      await start();
      const logoutToken = await token();
      host.clock.ahead = -20_000;
      const restore = breakStore();
      expect(await post(host, logoutToken)).toEqual(noStore);
      host.clock.advance(5_000);
      expect(await post(host, logoutToken)).toEqual(temporarilyUnavailable('store_unavailable', '60'));
      expect(await post(host, await token({ sid: 'other' }))).toEqual(noStore);
      restore();
    });

    it.each([
      ['2', [5_000, 60_000]],
      ['1.11', [5_000, 60_000, 60_000, 60_000]],
    ] as const)('P25: the attempts of Hydra %s reach further than an outage', async (hydra, expected) => {
      await start();
      const { login, session } = await signIn(host);
      const restore = breakStore();
      const waits: number[] = [];
      const delivery = await host.oneId.deliver(`${host.url}/backchannel_logout`, await token({ login }), {
        hydra,
        wait: (milliseconds) => {
          waits.push(milliseconds);
          host.clock.advance(milliseconds);
          // only the last attempt succeeds
          if (waits.length === expected.length) restore();
          return Promise.resolve();
        },
      });
      expect([delivery.delivered, waits]).toEqual([true, expected]);
      expect(await stateOf(host, session)).toBe('logged_out');
    });
  });
});

describe('the budget for undecided tokens', () => {
  let clock: TestClock;
  let verdicts: Map<string, Error | VerifiedLogoutToken>;
  let verifications: string[];
  let recorded: VerifiedLogoutToken[];
  let tokens: UndecidedTokens;
  const logout: VerifiedLogoutToken = { issuer: 'i', clientId: 'c', jti: 'j', iat: 0, scope: 'session' };

  class ScriptedVerifier extends LogoutTokenVerifier {
    override verify(token: string): Promise<VerifiedLogoutToken> {
      verifications.push(token);
      const verdict = verdicts.get(token) ?? new ProviderUnavailableError('no keys');
      return verdict instanceof Error ? Promise.reject(verdict) : Promise.resolve(verdict);
    }
  }

  beforeEach(() => {
    clock = new TestClock(Date.UTC(2026, 0, 1));
    verdicts = new Map();
    [verifications, recorded] = [[], []];
    const times = new TokenTimes(clock, 0, () => Promise.resolve(clock.now()));
    const verifier = new ScriptedVerifier(new OneIdClients([], clock), times);
    const inbox: Pick<LogoutInbox, 'record'> = {
      record: (one) => {
        recorded.push(one);
        return Promise.resolve();
      },
    };
    tokens = new UndecidedTokens(verifier, inbox as LogoutInbox, clock, new Random());
  });
  const receive = (token: string) => tokens.receive(token, clock.moment()).recorded.catch(() => undefined);
  const fullLine = (count: number, bytes: number) =>
    `The replica keeps ${count} logout tokens (${bytes} bytes) that it can't decide yet, and has no room for more. ` +
    'It loses the next ones unless OneID sends them again, which it does for three minutes at most. ' +
    'Look why the keys of OneID, or the session store, are out of reach.';

  it('P29: is bounded in number; a full budget is logged at most once a minute', async () => {
    for (let n = 0; n < MOST_UNDECIDED; n++) await receive(`token ${String(n).padStart(4, '0')}`);
    expect([tokens.size, errors]).toEqual([MOST_UNDECIDED, []]);
    await receive('token 0000');
    expect(errors).toEqual([]);
    const line = fullLine(MOST_UNDECIDED, MOST_UNDECIDED * 10);
    await receive('one more');
    clock.advance(MINUTE - 1);
    await receive('one more');
    expect([tokens.size, errors]).toEqual([MOST_UNDECIDED, [line]]);
    clock.advance(1);
    await receive('one more');
    expect(errors).toEqual([line, line]);
    // a decided token makes room
    verdicts.set('token 0500', logout);
    await tokens.wake();
    await receive('one more');
    expect([tokens.size, recorded]).toEqual([MOST_UNDECIDED, [logout]]);
  });

  it('P29: is bounded in bytes, not in characters', async () => {
    const long = (n: number) => `${n} ${'€'.repeat(5_000)}`;
    const size = Buffer.byteLength(long(100));
    const room = Math.floor((MOST_UNDECIDED_BYTES + 2 * 90 + 10) / size);
    for (let n = 0; n < room + 5; n++) await receive(long(n));
    expect(tokens.size).toBe(room);
    expect(errors).toHaveLength(1);
    // a small token still fits
    await receive('small');
    expect(tokens.size).toBe(room + 1);
    // and the bytes of decided tokens are free again
    for (let n = 0; n < room; n++) verdicts.set(long(n), new InvalidLogoutTokenError('logout_token_key_unknown', 'no'));
    await tokens.wake();
    for (let n = 0; n < room; n++) await receive(long(1_000 + n));
    expect(tokens.size).toBe(room + 1);
  });

  it('P29: one token that fails in an unexpected way does not hold up the others', async () => {
    for (let n = 0; n < 150; n++) await receive(`token ${n}`);
    for (let n = 0; n < 150; n++) verdicts.set(`token ${n}`, n === 0 ? new TypeError('odd') : logout);
    await tokens.wake();
    expect([tokens.size, recorded.length]).toEqual([1, 149]);
    expect(errors).toEqual([
      'A background job failed (deciding logout tokens that could not be decided). The library will run it again: odd',
    ]);
  });

  it('P29: a stop decides once more, also a token that is being verified, and logs what stays undecided', async () => {
    await receive('decidable');
    await receive('undecidable');
    verdicts.set('decidable', logout);
    let finish = () => {};
    const late = new Promise<VerifiedLogoutToken>((resolve) => {
      finish = () => resolve({ ...logout, jti: 'late' });
    });
    jest.spyOn(ScriptedVerifier.prototype, 'verify').mockReturnValueOnce(late);
    void receive('late');
    const stopped = tokens.stop();
    finish();
    await stopped;
    expect(recorded.map(({ jti }) => jti)).toEqual(['late', 'j']);
    expect(errors).toEqual([
      'The library could not decide 1 logout tokens of OneID before the app stopped. ' +
        'Their sessions end only if OneID sends these tokens again, which it does for three minutes at most.',
    ]);
    expect(verifications.filter((token) => token === 'undecidable')).toHaveLength(2);
  });
});
