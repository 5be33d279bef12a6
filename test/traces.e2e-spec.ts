import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type INestApplication } from '@nestjs/common';
import { ROOT_CONTEXT, context, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { type ReadableSpan, type SpanProcessor } from '@opentelemetry/sdk-trace-base';
import { SessionRegistry } from 'nestjs-oneid-logout';
import { endpointPaths } from 'nestjs-oneid-logout/testing';
import { SessionDatabase } from '../libs/oneid-logout/src/database/session-database.js';
import { SessionJudge } from '../libs/oneid-logout/src/guard/session-judge.js';
import { RefreshTokenRevoker } from '../libs/oneid-logout/src/tokens/refresh-token-revoker.js';
import { Cleanup, post, signIn, whileDown } from './support/channel-requests.js';
import { clientId, type Host } from './support/host.js';
import { intercept } from './support/session-store.js';
import { inRequest, Telemetry } from './support/telemetry.js';

const cleanup = new Cleanup();
let telemetry: Telemetry;
/** The ids of the spans of the requests, in their order. */
let requests: string[];
beforeEach(() => {
  telemetry = Telemetry.register();
  requests = [];
});
afterEach(async () => {
  await cleanup.run();
  telemetry.unregister();
});

/** Makes a span for each request, as an instrumentation of HTTP does. */
function traced(app: INestApplication): void {
  app.use((_request: unknown, response: { once(event: string, run: () => void): void }, next: () => void) => {
    trace.getTracer('http').startActiveSpan('request', { kind: SpanKind.SERVER }, (span) => {
      requests.push(span.spanContext().spanId);
      response.once('close', () => {
        span.end();
      });
      next();
    });
  });
}

const shown = ({ name, kind, attributes, status, parentSpanContext, events }: ReadableSpan) => ({
  ...{ name, kind, attributes, status: status.code },
  parent: parentSpanContext?.spanId,
  events: events.map(({ name: event, attributes: facts }) => [
    event,
    facts?.['exception.type'],
    facts?.['exception.message'],
  ]),
});

const { INTERNAL, CLIENT } = SpanKind;
const { UNSET, ERROR } = SpanStatusCode;
const database = (host: Host) => host.app.get(SessionDatabase, { strict: false });

describe.each(['express', 'fastify'] as const)('traces, on %s', (adapter) => {
  it('a check is a part of the request, with its result', async () => {
    const host = await cleanup.host({ adapter, configure: traced });
    const { session } = await signIn(host);
    await host.fetch('/me', { session: session.sessionToken });
    await host.fetch('/me');
    await whileDown(host, () => host.fetch('/me', { session: session.sessionToken }));
    const check = { name: 'check session', kind: INTERNAL, status: UNSET, events: [] };
    const result = 'oneid_logout.check.result';
    expect(telemetry.spans.map(shown)).toEqual([
      { ...check, parent: requests[0], attributes: { [result]: 'alive' } },
      { ...check, parent: requests[1], attributes: { [result]: 'missing' } },
      {
        ...{ ...check, parent: requests[2], status: ERROR, attributes: { 'error.type': 'store_unavailable' } },
        events: [['exception', 'StoreUnavailableError', 'store_unavailable']],
      },
    ]);
  });

  it('a back-channel logout is a part of the request: 200, 400 and 503', async () => {
    const host = await cleanup.host({ adapter, configure: traced });
    const { login } = await signIn(host);
    const token = await host.oneId.logoutToken({ clientId, login });
    const failed = await whileDown(host, () => post(host, token));
    const answers = [failed, await post(host, token), await post(host, 'x')];
    expect(answers.map(({ status }) => status)).toEqual([503, 200, 400]);
    const channel = { 'oneid_logout.logout.channel': 'backchannel' };
    const receive = { name: 'receive logout', kind: INTERNAL };
    expect(telemetry.spans.map(shown)).toEqual([
      {
        ...{ ...receive, parent: requests[0], status: ERROR },
        attributes: { ...channel, 'error.type': 'store_unavailable' },
        events: [['exception', 'StoreUnavailableError', 'store_unavailable']],
      },
      { ...receive, parent: requests[1], status: UNSET, attributes: channel, events: [] },
      {
        ...{ ...receive, parent: requests[2], status: UNSET },
        attributes: { ...channel, 'error.type': 'logout_token_malformed' },
        events: [['exception', 'InvalidLogoutTokenError', 'logout_token_malformed']],
      },
    ]);
  });
});

describe('traces', () => {
  it('a check outside of a request that is recorded has no span', async () => {
    const host = await cleanup.host();
    const { session } = await signIn(host);
    const { sessionToken } = session;
    const judge = host.app.get(SessionJudge, { strict: false });
    await judge.judge({ sessionToken });
    // a request that the sampler has left out
    const spanContext = { traceId: '1'.repeat(32), spanId: '2'.repeat(16), traceFlags: 0 };
    const unsampled = trace.setSpanContext(ROOT_CONTEXT, spanContext);
    await context.with(unsampled, () => judge.judge({ sessionToken }));
    expect(telemetry.spans).toEqual([]);
    await inRequest(() => judge.judge({ sessionToken }));
    expect(telemetry.spans).toHaveLength(1);
  });

  it('a revocation has no parent, and links to the request that recorded the logout', async () => {
    const host = await cleanup.host({ configure: traced });
    const login = host.oneId.signIn();
    const idToken = await host.oneId.idToken({ clientId, login });
    const refreshToken = host.oneId.refreshToken({ clientId, login });
    await host.app.get(SessionRegistry, { strict: false }).register({ idToken, refreshToken });
    host.oneId.fail(endpointPaths.revocation, { status: 503, times: 1 });
    await post(host, await host.oneId.logoutToken({ clientId, login }));
    await host.settled();
    host.clock.advance(61_000);
    // another request wakes the job
    await inRequest(() => host.app.get(RefreshTokenRevoker, { strict: false }).wake());
    const [received] = telemetry.spans.filter(({ name }) => name === 'receive logout');
    const revocations = telemetry.spans.filter(({ name }) => name === 'revoke refresh token');
    const address = { 'server.address': '127.0.0.1' };
    const revoke = { name: 'revoke refresh token', kind: CLIENT, parent: undefined, events: [] };
    const result = 'oneid_logout.revocation.result';
    expect(revocations.map(shown)).toEqual([
      { ...revoke, status: ERROR, attributes: { ...address, [result]: 'unavailable', 'error.type': 'unavailable' } },
      { ...revoke, status: UNSET, attributes: { ...address, [result]: 'revoked' } },
    ]);
    const links = revocations.map((span) => span.links.map((link) => link.context.spanId));
    expect(links).toEqual([[received?.spanContext().spanId], [received?.spanContext().spanId]]);
  });

  it('the statements of a background job are no part of the request that woke it', async () => {
    const host = await cleanup.host();
    const active: unknown[] = [];
    intercept(database(host), (run, sql, parameters) => {
      active.push(trace.getActiveSpan());
      return run(sql, parameters);
    });
    await inRequest(() => host.app.get(RefreshTokenRevoker, { strict: false }).wake());
    expect(active.length).toBeGreaterThan(0);
    expect(active.filter((span) => span !== undefined)).toEqual([]);
  });

  it('a span processor that throws changes no answer', async () => {
    telemetry.unregister();
    const broken: SpanProcessor = {
      onStart(span) {
        if (span.attributes['oneid_logout.logout.channel'] !== undefined) throw new Error('broken at the start');
      },
      onEnd(span) {
        if (span.name === 'check session') throw new Error('broken at the end');
      },
      forceFlush: () => Promise.resolve(),
      shutdown: () => Promise.resolve(),
    };
    telemetry = Telemetry.register(broken);
    const host = await cleanup.host({ configure: traced });
    const { session, login } = await signIn(host);
    const me = async () => (await host.fetch('/me', { session: session.sessionToken })).status;
    expect(await me()).toBe(200);
    expect((await post(host, await host.oneId.logoutToken({ clientId, login }))).status).toBe(200);
    expect(await me()).toBe(401);
  });
});
