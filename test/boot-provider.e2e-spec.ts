import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { createServer, type Server } from 'node:net';
import { OneIdLogoutModule, type OneIdLogoutOptions, SessionRegistry } from 'nestjs-oneid-logout';
import { endpointPaths, OneIdTestProvider } from 'nestjs-oneid-logout/testing';
import { Boots, optionsFor } from './support/boot.js';
import { clientId } from './support/host.js';
import { suiteKey } from './support/suite-key.js';
import { until } from './support/until.js';

let oneId: OneIdTestProvider;
const boots = new Boots();
beforeAll(async () => {
  oneId = await OneIdTestProvider.start({ clients: [{ clientId }], signingKey: await suiteKey() });
});
afterEach(async () => {
  await boots.close();
  oneId.heal();
  oneId.clearRequests();
});
afterAll(() => oneId.close());

const start = (changes: Partial<OneIdLogoutOptions> = {}, boot: Parameters<Boots['start']>[1] = {}) =>
  boots.start({ imports: [OneIdLogoutModule.forRoot(optionsFor(oneId.issuer, changes))] }, boot);
const clientAt = (issuer: string) => ({
  issuer,
  clientId,
  postLogoutRedirectUri: 'https://app.example/logout/callback',
});
const paths = () => oneId.requests.map(({ path }) => path);

async function warningOf(started: ReturnType<typeof start>): Promise<readonly string[]> {
  const { warnings } = await started;
  await until('a warning', () => warnings.length > 0);
  return warnings;
}

describe.each(['express', 'fastify'] as const)('A9: discovery after the boot, on %s', (adapter) => {
  it('A9: is asked once, is silent when all is well, and the first sign-in uses its answer', async () => {
    const { app, warnings } = await start({}, { adapter });
    await until('a request', () => oneId.requests.length === 1);
    const idToken = await oneId.idToken({ clientId, login: oneId.signIn() });
    await app.get(SessionRegistry).register({ idToken });
    expect(paths()).toEqual([endpointPaths.discovery, endpointPaths.jwks]);
    expect(warnings).toEqual([]);
  });

  it('A9: is asked once for all clients of a provider', async () => {
    const clients = [clientAt(oneId.issuer), { ...clientAt(oneId.issuer.slice(0, -1)), clientId: 'other' }];
    await start({ clients }, { adapter });
    await until('a request', () => oneId.requests.length > 0);
    expect(paths()).toEqual([endpointPaths.discovery]);
  });

  it('A9: is not asked by an app that never listens', async () => {
    const { app } = await start({}, { adapter, listens: false });
    await app.close();
    expect(paths()).toEqual([]);
  });
});

describe('A9: one warning after the boot', () => {
  const url = () => oneId.url(endpointPaths.discovery);

  it('A9: for another issuer says what came, what was expected and what to do', async () => {
    const issuer = oneId.issuer.replace('127.0.0.1', 'localhost');
    expect(await warningOf(start({ clients: [clientAt(issuer)] }))).toEqual([
      `Could not get the configuration of ${issuer}: ${issuer}.well-known/openid-configuration names the issuer ` +
        `'${oneId.issuer}', but the option issuer is '${issuer}'. Put the provider's issuer into the option, because its ` +
        'tokens name it',
    ]);
  });

  it('A9: for a path that is not there', async () => {
    const issuer = `${oneId.issuer}realms/app`;
    expect(await warningOf(start({ clients: [clientAt(issuer)] }))).toEqual([
      `Could not get the configuration of ${issuer}: ${issuer}/.well-known/openid-configuration answered 404. Check the ` +
        'option issuer',
    ]);
  });

  it('A9: for a provider that is down', async () => {
    oneId.fail(endpointPaths.discovery, { status: 503 });
    expect(await warningOf(start())).toEqual([
      `Could not get the configuration of ${oneId.issuer}: ${url()} answered 503, not 200. If this lasts, check the ` +
        'provider and the option issuer',
    ]);
  });

  it('A9: and a sign-in right after it asks again', async () => {
    oneId.fail(endpointPaths.discovery, { status: 503, times: 1 });
    const { app, warnings } = await start();
    await until('a warning', () => warnings.length > 0);
    const idToken = await oneId.idToken({ clientId, login: oneId.signIn() });
    await app.get(SessionRegistry).register({ idToken });
    expect(warnings).toHaveLength(1);
  });

  it('A9: for a host that no connection reaches, with the code of the error', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await until('a port', () => server.address() !== null);
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    await new Promise((closed) => server.close(closed));
    const issuer = `http://127.0.0.1:${port}/`;
    expect(await warningOf(start({ clients: [clientAt(issuer)] }))).toEqual([
      `Could not get the configuration of ${issuer}: ${issuer}.well-known/openid-configuration did not bring the ` +
        `provider's configuration: fetch failed: connect ECONNREFUSED 127.0.0.1:${port}. If this lasts, check the option ` +
        'issuer, and whether this host needs a proxy (option fetch)',
    ]);
  });

  it('A9: for an error of several addresses, which has a code and no message', async () => {
    const cause = Object.assign(new AggregateError([], ''), { code: 'ECONNREFUSED' });
    const failing = () => Promise.reject(new TypeError('fetch failed', { cause }));
    expect(await warningOf(start({ fetch: failing }))).toEqual([
      expect.stringContaining("did not bring the provider's configuration: fetch failed: ECONNREFUSED. If this lasts,"),
    ]);
  });

  it('A9: goes through the option fetch, and the option endpoints needs no question', async () => {
    const urls: string[] = [];
    const through: OneIdLogoutOptions['fetch'] = (asked, init) => {
      urls.push(asked);
      return fetch(asked, init);
    };
    const given = {
      jwks_uri: oneId.url(endpointPaths.jwks),
      end_session_endpoint: oneId.url(endpointPaths.endSession),
    };
    await start({ fetch: through, clients: [{ ...clientAt(oneId.issuer), endpoints: given }] });
    await start({ fetch: through });
    await until('a request', () => urls.length > 0);
    expect(urls).toEqual([url()]);
  });
});

describe('A9: an app that closes before the answer', () => {
  it.each([
    ['never answers', { hang: true }],
    ['never ends its answer', { hang: 'body' as const }],
  ])('A9: abandons the question, and says nothing, when OneID %s', async (_how, trouble) => {
    const signals: (AbortSignal | null | undefined)[] = [];
    const through: OneIdLogoutOptions['fetch'] = (asked, init) => {
      signals.push(init?.signal);
      return fetch(asked, init);
    };
    oneId.fail(endpointPaths.discovery, trouble);
    const { app, warnings } = await start({ fetch: through });
    await until('the question', () => signals.length === 1);
    await app.close();
    expect(signals.map((signal) => signal?.aborted)).toEqual([true]);
    expect(warnings).toEqual([]);
  });

  it('A9: asks nothing when it closes at once', async () => {
    const asked = jest.fn<NonNullable<OneIdLogoutOptions['fetch']>>();
    const { app } = await start({ fetch: asked }, { listens: false });
    await app.close();
    (app.getHttpServer() as Server).emit('listening');
    expect(asked).not.toHaveBeenCalled();
  });
});
