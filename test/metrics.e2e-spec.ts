import { afterAll, afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Controller, Get, HttpStatus, type INestApplication, Module, UseGuards } from '@nestjs/common';
import { RouterModule } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import { createNoopMeter, type Meter, metrics, trace } from '@opentelemetry/api';
import { OneIdLogoutModule, SessionAliveGuard, SessionConnections, SessionRegistry } from 'nestjs-oneid-logout';
import { endpointPaths } from 'nestjs-oneid-logout/testing';
import { ERROR_TYPES, errorTypeOf } from '../libs/oneid-logout/src/measures/error-type.js';
import { ATTRIBUTES, INSTRUMENTS } from '../libs/oneid-logout/src/measures/instruments.js';
import { InvalidOptionsError, OneIdLogoutError } from '../libs/oneid-logout/src/oneid-logout.errors.js';
import { LogoutFollower } from '../libs/oneid-logout/src/replicas/logout-follower.js';
import { type Session } from '../libs/oneid-logout/src/rule/session.js';
import { RefreshTokenRevoker } from '../libs/oneid-logout/src/tokens/refresh-token-revoker.js';
import { Cleanup, delivered, post, postRaw, refused, signIn, whileDown } from './support/channel-requests.js';
import { databases, sqlite } from './support/databases.js';
import { clientId, Host } from './support/host.js';
import { shareAmongTests } from './support/share-among-tests.js';
import { Telemetry } from './support/telemetry.js';

const CHECKS = 'oneid_logout.check.duration';
const LOGOUTS = 'oneid_logout.logouts';
const RESULT = 'oneid_logout.check.result';
const LOGOUT = ['oneid_logout.logout.channel', 'oneid_logout.logout.result', 'error.type'] as const;

const PENDING = 'oneid_logout.logout.pending';

const cleanup = new Cleanup();
let telemetry: Telemetry;
beforeEach(() => {
  telemetry = Telemetry.register();
});
afterEach(async () => {
  await cleanup.run();
  telemetry.unregister();
});

const frontchannel = (host: Host, query: string) => host.fetch(`/frontchannel_logout?${query}`);
const malformed = 'logout_token=a&logout_token=b';

/** The series of a replica that has got no logout. */
const NO_LOGOUTS = {
  ...{ 'backchannel matched': 0, 'backchannel unmatched': 0, 'backchannel repeated': 0, 'backchannel recorded': 0 },
  'backchannel missing': 0,
  'backchannel failed store_unavailable': 0,
  'backchannel failed provider_unavailable': 0,
  'backchannel failed provider_misconfigured': 0,
};

/** The meter of an SDK that throws when the library creates instruments, writes to them, or lets them go. */
function brokenMeter(moment: 'create' | 'write' | 'stop'): Meter {
  const fail = () => {
    throw new Error(`broken at ${moment}`);
  };
  const meter = Object.create(createNoopMeter()) as Meter;
  const instrument = { add: fail, record: fail };
  if (moment === 'create') return Object.assign(meter, { createCounter: fail });
  if (moment === 'stop') return Object.assign(meter, { removeBatchObservableCallback: fail });
  return Object.assign(meter, { createCounter: () => instrument, createHistogram: () => instrument });
}

describe.each(['express', 'fastify'] as const)('metrics, on %s', (adapter) => {
  it('the names, units and types are the documented ones', async () => {
    const host = await cleanup.host({ adapter });
    const { session, login } = await signIn(host);
    await host.fetch('/me', { session: session.sessionToken });
    await post(host, await host.oneId.logoutToken({ clientId, login }));
    await host.app.get(LogoutFollower, { strict: false }).open();
    await host.settled();
    const all = await telemetry.metrics();
    expect(Object.fromEntries(Object.entries(all).map(([name, { unit, type }]) => [name, [type, unit]]))).toEqual({
      'oneid_logout.check.duration': ['HISTOGRAM', 's'],
      'oneid_logout.logouts': ['SUM', '{logout}'],
      'oneid_logout.logout.delay': ['HISTOGRAM', 's'],
      'oneid_logout.replica.staleness': ['GAUGE', 's'],
      'oneid_logout.connection.count': ['SUM', '{connection}'],
      'oneid_logout.logout.pending': ['SUM', '{logout}'],
      'oneid_logout.revocation.pending': ['GAUGE', '{logout}'],
    });
  });

  it('each check is counted by its result, with its duration', async () => {
    const host = await cleanup.host({ adapter });
    const { session, login } = await signIn(host);
    const me = async (value?: string) =>
      (await host.fetch('/me', value === undefined ? {} : { session: value })).status;
    expect([await me(session.sessionToken), await me(session.sessionToken), await me()]).toEqual([200, 200, 401]);
    expect(await me('0'.repeat(64))).toBe(401);
    expect(await whileDown(host, () => me(session.sessionToken))).toBe(503);
    await post(host, await host.oneId.logoutToken({ clientId, login }));
    expect(await me(session.sessionToken)).toBe(401);
    expect(await telemetry.valuesOf(CHECKS, RESULT, 'error.type')).toEqual({
      alive: 2,
      missing: 1,
      unknown: 1,
      logged_out: 1,
      'failed store_unavailable': 1,
    });
    const histogram = await telemetry.histogramOf(CHECKS);
    expect(histogram?.buckets.boundaries).toEqual(INSTRUMENTS.checkDuration.buckets);
  });

  it('each logout is counted by its channel and its result', async () => {
    const host = await cleanup.host({ adapter });
    const [alice, bob, carol] = [await signIn(host), await signIn(host), await signIn(host)];
    const token = await host.oneId.logoutToken({ clientId, login: alice.login });
    await post(host, token);
    await post(host, token);
    await post(host, await host.oneId.logoutToken({ clientId, sid: 'a sid of another app' }));
    await postRaw(host, malformed);
    await postRaw(host, 'logout_token=x', 'text/plain');
    await post(host, 'no.token.atall');
    await post(host, await host.oneId.logoutToken({ clientId, login: bob.login, claims: { events: undefined } }));
    const tokenOfBob = await host.oneId.logoutToken({ clientId, login: bob.login });
    expect((await whileDown(host, () => post(host, tokenOfBob))).status).toBe(503);
    const issuer = encodeURIComponent(host.oneId.issuer);
    await frontchannel(host, `iss=${issuer}&sid=${carol.login.sid}`);
    await frontchannel(host, `iss=${issuer}&sid=${carol.login.sid}`);
    await frontchannel(host, 'sid=a&sid=b');
    await frontchannel(host, '');
    await whileDown(host, () => frontchannel(host, `iss=${issuer}&sid=${carol.login.sid}`));
    expect(await telemetry.valuesOf(LOGOUTS, ...LOGOUT)).toEqual({
      ...NO_LOGOUTS,
      'backchannel matched': 1,
      'backchannel repeated': 1,
      'backchannel unmatched': 1,
      'backchannel refused logout_request_malformed': 2,
      'backchannel refused logout_token_malformed': 1,
      'backchannel refused logout_token_events_invalid': 1,
      'backchannel failed store_unavailable': 1,
      'frontchannel matched': 1,
      'frontchannel unmatched': 2,
      'frontchannel refused logout_request_malformed': 1,
      'frontchannel failed store_unavailable': 1,
    });
  });
});

describe('metrics', () => {
  it('the series of back-channel logouts begin with 0 at the start, so that increase() counts the first 503', async () => {
    const host = await cleanup.host();
    expect(await telemetry.valuesOf(LOGOUTS, ...LOGOUT)).toEqual(NO_LOGOUTS);
    const token = await host.oneId.logoutToken({ clientId, login: host.oneId.signIn() });
    await whileDown(host, () => post(host, token));
    expect(await telemetry.valuesOf(LOGOUTS, ...LOGOUT)).toEqual({
      ...NO_LOGOUTS,
      'backchannel failed store_unavailable': 1,
    });
  });

  it('logouts of the app are counted: by the user, by an administrator, and replaced sessions', async () => {
    const host = await cleanup.host();
    const registry = host.app.get(SessionRegistry, { strict: false });
    const [alice, bob] = [await signIn(host), await signIn(host, host.oneId.signIn({ sub: 'bob' }))];
    const { headers } = await host.fetch('/me', { session: alice.session.sessionToken });
    expect(headers.get('content-type')).toContain('json');
    await host.fetch('/logout', {
      method: 'POST',
      session: alice.session.sessionToken,
      headers: { 'sec-fetch-site': 'same-origin' },
    });
    const idToken = await host.oneId.idToken({ clientId, login: host.oneId.signIn({ sub: 'bob' }) });
    await registry.register({ idToken, replaces: bob.session.sessionToken });
    await registry.endAll({ sub: 'bob' });
    await registry.endAll({ sub: 'nobody' });
    const ending = whileDown(host, () => registry.endAll({ sub: 'bob' }));
    await expect(ending).rejects.toThrow('The session store is not available, try again');
    expect(await telemetry.valuesOf(LOGOUTS, ...LOGOUT)).toEqual({
      ...NO_LOGOUTS,
      'app matched': 1,
      'replaced matched': 1,
      'admin matched': 1,
      'admin unmatched': 1,
      'admin failed store_unavailable': 1,
    });
  });

  it('the delay counts from the iat of the token to the 200, and is never negative', async () => {
    const host = await cleanup.host();
    const { login } = await signIn(host);
    const now = host.clock.seconds;
    await post(host, await host.oneId.logoutToken({ clientId, login, claims: { iat: now - 42 } }));
    const delay = await telemetry.histogramOf('oneid_logout.logout.delay');
    expect(delay?.count).toBe(1);
    expect(Math.floor(delay?.sum ?? NaN)).toBeGreaterThanOrEqual(42);
    expect(delay?.sum).toBeLessThan(50);
    await post(host, await host.oneId.logoutToken({ clientId, login, claims: { iat: host.clock.seconds + 20 } }));
    const both = await telemetry.histogramOf('oneid_logout.logout.delay');
    expect([both?.count, both?.min, both?.sum]).toEqual([2, 0, delay?.sum]);
  });

  it('the state of the replica: staleness, connections, kept logouts, pending revocations', async () => {
    const host = await cleanup.host();
    const login = host.oneId.signIn();
    const idToken = await host.oneId.idToken({ clientId, login });
    const refreshToken = host.oneId.refreshToken({ clientId, login });
    const session: Session = await host.app.get(SessionRegistry, { strict: false }).register({ idToken, refreshToken });
    // the first collection: this SDK repeats the last value of a gauge that is not observed any more
    const atFirst = await whileDown(host, () => telemetry.metrics());
    expect(atFirst['oneid_logout.revocation.pending']).toBeUndefined();
    expect(atFirst['oneid_logout.replica.staleness']).toBeUndefined();
    expect(atFirst['oneid_logout.connection.count']?.series).toEqual([{ attributes: {}, value: 0 }]);

    const open = host.app.get(SessionConnections, { strict: false }).over(session).subscribe();
    await host.settled();
    host.clock.advance(7_000);
    const [staleness] = (await telemetry.metrics())['oneid_logout.replica.staleness']?.series ?? [];
    expect(staleness?.attributes).toEqual({});
    expect(Math.floor(staleness?.value ?? NaN)).toBe(7);
    expect(await telemetry.valuesOf('oneid_logout.connection.count')).toEqual({ '': 1 });

    host.oneId.fail(endpointPaths.revocation, { status: 503 });
    await post(host, await host.oneId.logoutToken({ clientId, login }));
    await host.settled();
    expect(await telemetry.valuesOf('oneid_logout.revocation.pending')).toEqual({ '': 1 });
    expect(await telemetry.valuesOf('oneid_logout.connection.count')).toEqual({ '': 0 });
    open.unsubscribe();
  });

  it('a verified logout that the store could not record is pending, until it is recorded', async () => {
    const host = await cleanup.host();
    const { login } = await signIn(host);
    const token = await host.oneId.logoutToken({ clientId, login });
    await whileDown(host, () => post(host, token));
    expect(await telemetry.valuesOf(PENDING, 'oneid_logout.logout.state')).toEqual({ unrecorded: 1, undecided: 0 });
    await post(host, token);
    await host.settled();
    expect(await telemetry.valuesOf(PENDING, 'oneid_logout.logout.state')).toEqual({ unrecorded: 0, undecided: 0 });
  });

  it('a stopped app reads nothing when metrics are collected', async () => {
    const host = await Host.start();
    await host.stop();
    // the counter stays in the SDK; the other metrics would have been read from the app
    expect(Object.keys(await telemetry.metrics())).toEqual([LOGOUTS]);
  });
});

describe.each(databases)('metrics, on $name', (kind) => {
  it('a back-channel logout is matched or unmatched, or recorded when the database was not asked', async () => {
    const host = await cleanup.host({ database: kind });
    const { login } = await signIn(host);
    await post(host, await host.oneId.logoutToken({ clientId, login }));
    await host.settled();
    await post(host, await host.oneId.logoutToken({ clientId, sid: 'unknown' }));
    await host.settled();
    expect(await telemetry.valuesOf(LOGOUTS, ...LOGOUT)).toEqual({
      ...NO_LOGOUTS,
      'backchannel matched': 1,
      'backchannel unmatched': 1,
    });
  });
});

describe('several registrations in one app', () => {
  class First extends OneIdLogoutModule {}
  class Second extends OneIdLogoutModule {}
  let app: INestApplication;
  let host: Host;
  const drops: (() => Promise<void>)[] = [];
  shareAmongTests(
    () => Host.start(),
    (started) => void (host = started),
  );
  afterAll(async () => {
    for (const drop of drops) await drop();
  });

  it('an attribute with the class of the registration tells them apart', async () => {
    const own = async () => {
      const taken = await sqlite.take();
      drops.push(() => taken.drop());
      return { ...host.options, database: taken.options, isGlobal: false };
    };
    const modules = [First.forRoot(await own()), Second.forRoot(await own())] as const;

    @Controller('page')
    class Page {
      @Get()
      @UseGuards(SessionAliveGuard)
      page() {
        return {};
      }
    }
    @Module({ imports: [modules[0]], controllers: [Page] })
    class Feature {}
    @Module({
      imports: [
        ...[Feature, modules[1]],
        RouterModule.register([
          { path: 'a', module: First },
          { path: 'b', module: Second },
        ]),
      ],
    })
    class AppModule {}
    const testing = await Test.createTestingModule({ imports: [AppModule] }).compile();
    app = testing.createNestApplication();
    await app.listen(0, '127.0.0.1');
    try {
      await fetch(`${await app.getUrl()}/page`);
      await fetch(`${await app.getUrl()}/b/frontchannel_logout`);
      const of = ATTRIBUTES.registration;
      expect(await telemetry.valuesOf(CHECKS, of, RESULT)).toEqual({ 'First missing': 1 });
      expect(await telemetry.valuesOf(LOGOUTS, of, ...LOGOUT)).toEqual({
        ...Object.fromEntries(
          ['First', 'Second'].flatMap((name) =>
            Object.entries(NO_LOGOUTS).map(([series, count]) => [`${name} ${series}`, count]),
          ),
        ),
        'Second frontchannel unmatched': 1,
      });
      expect(await telemetry.valuesOf('oneid_logout.connection.count', of)).toEqual({ First: 0, Second: 0 });
      expect(await telemetry.valuesOf('oneid_logout.revocation.pending', of)).toEqual({ First: 0, Second: 0 });
    } finally {
      await app.close();
    }
  });
});

describe('what is exported', () => {
  it('has no sid, sub, session id, jti or token, whatever happens', async () => {
    const host = await cleanup.host({
      configure(app) {
        // the span of each request, as an instrumentation of HTTP makes it
        app.use((_request: unknown, response: { once(event: string, run: () => void): void }, next: () => void) => {
          trace.getTracer('http').startActiveSpan('request', (span) => {
            response.once('close', () => {
              span.end();
            });
            next();
          });
        });
      },
    });
    const registry = host.app.get(SessionRegistry, { strict: false });
    const login = host.oneId.signIn({ sub: 'secret-sub' });
    const idToken = await host.oneId.idToken({ clientId, login });
    const refreshToken = host.oneId.refreshToken({ clientId, login });
    const session = await registry.register({ idToken, refreshToken });
    const me = (init: RequestInit = {}) =>
      host.fetch('/me?state=secret-query', { session: session.sessionToken, ...init });
    await me();
    await whileDown(host, () => me());
    const logoutToken = await host.oneId.logoutToken({ clientId, login, claims: { jti: 'secret-jti' } });
    await post(host, `${logoutToken}x`);
    await post(host, await host.oneId.logoutToken({ clientId, login, claims: { aud: 'secret-aud' } }));
    await whileDown(host, () => post(host, logoutToken));
    await post(host, logoutToken);
    await me();
    await host.fetch(`/frontchannel_logout?iss=${encodeURIComponent(host.oneId.issuer)}&sid=${login.sid}`);
    const other = await signIn(host, host.oneId.signIn({ sub: 'secret-sub' }));
    await host.fetch('/logout', {
      method: 'POST',
      session: other.session.sessionToken,
      headers: { 'sec-fetch-site': 'same-origin' },
    });
    await registry.endAll({ sub: 'secret-sub' });
    host.oneId.fail(endpointPaths.revocation, { status: 503, times: 1 });
    for (let n = 0; n < 3; n++) {
      await host.app.get(RefreshTokenRevoker, { strict: false }).wake();
      host.clock.advance(61_000);
    }
    await host.settled();
    const exported = await telemetry.text();
    const spans = new Set(telemetry.spans.map(({ name }) => name));
    expect([...spans].sort()).toEqual(['check session', 'receive logout', 'revoke refresh token']);
    const secrets = [
      ...[login.sid, other.login.sid, 'secret-sub', 'secret-query', 'secret-jti', 'secret-aud'],
      ...[session.id, session.sessionToken, other.session.id, other.session.sessionToken],
      ...[idToken, refreshToken, logoutToken, ...logoutToken.split('.').slice(1)],
    ];
    expect(secrets.filter((secret) => exported.includes(secret))).toEqual([]);
    expect(exported).toContain('store_unavailable');

    // each attribute of the metrics has a value of its closed list
    const values = new Map<string, Set<unknown>>();
    for (const { series } of Object.values(await telemetry.metrics())) {
      for (const { attributes } of series) {
        for (const [name, value] of Object.entries(attributes)) {
          values.set(name, (values.get(name) ?? new Set()).add(value));
        }
      }
    }
    expect([...values.keys()].sort()).toEqual([
      ...['error.type', 'oneid_logout.check.result', 'oneid_logout.logout.channel'],
      ...['oneid_logout.logout.result', 'oneid_logout.logout.state'],
    ]);
    expect([...(values.get('error.type') ?? [])].filter((value) => !ERROR_TYPES.has(String(value)))).toEqual([]);
  });

  it('an error with another code makes no new series', () => {
    class Foreign extends OneIdLogoutError {
      constructor(code: string) {
        super(code, 'of the app', HttpStatus.BAD_REQUEST);
      }
    }
    const errors = [
      new Foreign('code-of-the-caller'),
      new InvalidOptionsError([]),
      new TypeError('x'),
      'text',
      undefined,
    ];
    expect(errors.map(errorTypeOf)).toEqual(errors.map(() => '_OTHER'));
    expect(errorTypeOf(new Foreign('store_unavailable'))).toBe('store_unavailable');
    expect(ERROR_TYPES.size).toBe(27);
  });

  it.each(['create', 'write', 'stop'] as const)(
    'a meter that throws at %s changes no answer and no boot',
    async (moment) => {
      telemetry.unregister();
      metrics.setGlobalMeterProvider({ getMeter: () => brokenMeter(moment) });
      const host = await cleanup.host();
      const { session, login } = await signIn(host);
      const me = async () => (await host.fetch('/me', { session: session.sessionToken })).status;
      expect(await me()).toBe(200);
      expect(await whileDown(host, me)).toBe(503);
      expect(await postRaw(host, malformed)).toEqual(
        refused('logout_request_malformed', 'logout_token is given more than once'),
      );
      expect((await frontchannel(host, 'sid=a&sid=b')).status).toBe(400);
      const token = await host.oneId.logoutToken({ clientId, login });
      expect(await post(host, token)).toEqual(delivered);
      expect(await post(host, token)).toEqual(delivered);
      expect(await me()).toBe(401);
      await host.app.get(SessionRegistry).endAll({ sub: login.sub });
    },
  );

  it('without an SDK, the instruments are not even created', async () => {
    telemetry.unregister();
    const host = await cleanup.host();
    const { session } = await signIn(host);
    const late = Telemetry.register();
    try {
      expect((await host.fetch('/me', { session: session.sessionToken })).status).toBe(200);
      expect(await late.metrics()).toEqual({});
    } finally {
      late.unregister();
    }
  });
});
