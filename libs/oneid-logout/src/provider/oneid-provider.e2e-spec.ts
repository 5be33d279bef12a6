import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { suiteKey } from '../../../../test/support/suite-key.js';
import { TestClock } from '../../../../test/support/test-clock.js';
import { until } from '../../../../test/support/until.js';
import { reasonOf } from '../oneid-logout.errors.js';
import {
  endpointPaths,
  type MetadataOverrides,
  OneIdTestProvider,
  type OneIdTestProviderOptions,
  type Trouble,
} from '../testing/index.js';
import { OneIdProvider } from './oneid-provider.js';
import { providerFetch } from './provider-fetch.js';

const clock = new TestClock(1_000_000_000);
let oneId: OneIdTestProvider;
afterEach(() => {
  jest.restoreAllMocks();
  return oneId.close();
});

async function start(options: OneIdTestProviderOptions = {}): Promise<OneIdTestProvider> {
  oneId = await OneIdTestProvider.start({ signingKey: await suiteKey(), ...options });
  return oneId;
}

const providerAt = (issuer: string) => new OneIdProvider(issuer, undefined, clock, providerFetch(clock));

describe('OneIdProvider', () => {
  describe('finds the provider and its issuer', () => {
    const cases: [string, OneIdTestProviderOptions][] = [
      ['with a slash', {}],
      ['without a slash', { trailingSlash: false }],
      ['with a path', { issuerPath: '/tenant', trailingSlash: false }],
      ['with a path and a slash', { issuerPath: '/tenant' }],
      ['with a longer path', { issuerPath: '/tenants/7', trailingSlash: false }],
    ];
    it.each(cases)('%s', async (_name, options) => {
      await start(options);
      const bare = oneId.issuer.replace(/\/$/, '');

      for (const configured of [bare, `${bare}/`]) {
        const { issuer, jwks_uri, end_session_endpoint } = await providerAt(configured).metadata();
        expect([issuer, jwks_uri, end_session_endpoint]).toEqual([
          oneId.issuer,
          oneId.url(endpointPaths.jwks),
          oneId.url(endpointPaths.endSession),
        ]);
      }
    });
  });

  it('fetches the metadata once for all callers, and again after an hour', async () => {
    await start();
    const provider = providerAt(oneId.issuer);
    await Promise.all([provider.metadata(), provider.metadata(), provider.metadata()]);
    clock.advance(3_599_999);
    await provider.metadata();
    expect(oneId.count(endpointPaths.discovery)).toBe(1);
    clock.advance(1);
    await provider.metadata();
    expect(oneId.count(endpointPaths.discovery)).toBe(2);
  });

  it('fetches the metadata again before it refuses an iss that differs only in its trailing slash', async () => {
    await start();
    const { issuer } = oneId;
    const bare = issuer.replace(/\/$/, '');
    const provider = providerAt(issuer);
    expect(await provider.isIssuer(issuer)).toBe(true);
    expect(await provider.isIssuer('https://other.example/')).toBe(false);
    const notCurrent = {
      code: 'provider_unavailable',
      status: 503,
      message: "The provider's current issuer is not available, try again",
    };
    // the metadata was fetched before this call, and can't be fetched again yet
    await expect(provider.isIssuer(bare)).rejects.toMatchObject(notCurrent);
    expect(oneId.count(endpointPaths.discovery)).toBe(1);

    oneId.setMetadata({ issuer: bare });
    clock.advance(10_000);
    expect(await provider.isIssuer(bare)).toBe(true);
    await expect(provider.isIssuer(issuer)).rejects.toMatchObject(notCurrent);
    expect(oneId.count(endpointPaths.discovery)).toBe(2);
    // the metadata is newer than the token: by the token's times, or by its receipt
    expect(await provider.isIssuer(issuer, clock.now() - 10_000)).toBe(false);
    const receivedAt = clock.moment();
    clock.advance(10_000);
    expect(await provider.isIssuer(issuer, Infinity, receivedAt)).toBe(false);
    expect(await provider.isIssuer(issuer, Infinity, receivedAt)).toBe(false);
    expect(oneId.count(endpointPaths.discovery)).toBe(3);

    oneId.fail(endpointPaths.discovery, { status: 500 });
    clock.advance(10_000);
    await expect(provider.isIssuer(issuer)).rejects.toMatchObject(notCurrent);
    expect(await provider.isIssuer(bare)).toBe(true);
  });

  it('P13: a cache has kept the metadata: it refuses no iss that differs only in its trailing slash', async () => {
    await start();
    const { issuer } = oneId;
    const document = await (await fetch(oneId.url(endpointPaths.discovery))).text();
    oneId.clearRequests();
    oneId.fail(endpointPaths.discovery, {
      body: document,
      headers: { 'Content-Type': 'application/json', Age: '600' },
    });
    const provider = providerAt(issuer);
    const bare = issuer.replace(/\/$/, '');
    await expect(provider.isIssuer(bare)).rejects.toMatchObject({ code: 'provider_unavailable' });
    expect(oneId.requests.map(({ headers }) => headers['cache-control'])).toEqual(['no-cache']);
    oneId.heal();
    oneId.setMetadata({ issuer: bare });
    clock.advance(10_000);
    expect(await provider.isIssuer(bare)).toBe(true);
  });

  const troubles: [string, Trouble][] = [
    ['an error', { status: 500 }],
    ['too many requests', { status: 429, body: '{}' }],
    ['a page for maintenance', { status: 503, body: '<!doctype html>', headers: { 'Content-Type': 'text/html' } }],
    ['JSON that is cut off', { body: '{"issuer":', headers: { 'Content-Type': 'application/json' } }],
    ['an empty body', { body: '' }],
    ['a redirect', { redirectTo: 'http://127.0.0.1:1/' }],
    ['a cut connection', { reset: true }],
    ['an answer that never comes', { hang: true }],
    ['an answer that never ends', { hang: 'body', headers: { 'Content-Type': 'application/json' } }],
    ['a body that is too large', { bodyBytes: 600 * 1024, headers: { 'Content-Type': 'application/json' } }],
  ];
  it.each(troubles)('answers 503 when discovery answers with %s', async (_name, trouble) => {
    await start();
    const provider = providerAt(oneId.issuer);
    oneId.fail(endpointPaths.discovery, trouble);

    for (let n = 0; n < 3; n++) {
      const refused = expect(provider.metadata()).rejects.toMatchObject({
        code: 'provider_unavailable',
        status: 503,
        message: "The provider's configuration is not available, try again",
      });
      if ('hang' in trouble && n === 0) {
        await until('the provider is asked', () => oneId.requests.length > 0);
        clock.advance(5_000);
      }
      await refused;
    }
    expect(oneId.requests.map(({ path }) => path)).toEqual([endpointPaths.discovery]);
    oneId.heal();
    clock.advance(10_000);
    expect((await provider.metadata()).issuer).toBe(oneId.issuer);
  });

  const notThere = "The provider's configuration is not where the option issuer says, or can't be used";
  const lasting: [string, MetadataOverrides | Trouble, string, string][] = [
    [
      'another issuer',
      { issuer: 'https://evil.example/' },
      'The provider has another issuer than the options',
      "URL names the issuer 'https://evil.example/', but the option issuer is 'ISSUER'. Put the provider's issuer into the option, because its tokens name it",
    ],
    [
      'an issuer that differs in more than one slash',
      { issuer: 'http://127.0.0.1/below' },
      'The provider has another issuer than the options',
      "URL names the issuer 'http://127.0.0.1/below', but the option issuer is 'ISSUER'. Put the provider's issuer into the option, because its tokens name it",
    ],
    [
      'an issuer for each tenant',
      { issuer: 'https://login.microsoftonline.com/{tenantid}/v2.0' },
      'The provider names no issuer of its own, but a template. Configure one client for each tenant',
      "URL names the issuer 'https://login.microsoftonline.com/{tenantid}/v2.0', which no token has. Configure one client for each tenant: with the tenant's own issuer, and with endpoints if no discovery names this issuer",
    ],
    ...[undefined, null, '', 7].map((issuer): [string, MetadataOverrides, string, string] => [
      `the issuer ${String(issuer)}`,
      { issuer },
      notThere,
      'URL answered with JSON that has no issuer. Check the option issuer',
    ]),
    ...[undefined, null, ''].map((jwks_uri): [string, MetadataOverrides, string, string] => [
      `the jwks_uri ${String(jwks_uri)}`,
      { jwks_uri },
      notThere,
      'URL answered with a configuration that has no jwks_uri. Check the option issuer',
    ]),
    [
      'a jwks_uri that is a number',
      { jwks_uri: 7 },
      notThere,
      'URL: jwks_uri is a value of type number, not a URL. Check the option issuer',
    ],
    ['not found', { status: 404, body: '{}' }, notThere, 'URL answered 404. Check the option issuer'],
    ['gone', { status: 410, body: '{}' }, notThere, 'URL answered 410. Check the option issuer'],
    [
      'moved',
      { status: 301, redirectTo: 'https://oneid.example/' },
      "The provider's URL has changed",
      "/.well-known/openid-configuration answered with a redirect: URL has moved to 'https://oneid.example/'. Put the new URL into the options",
    ],
    [
      'a page',
      { body: '<!doctype html>', headers: { 'Content-Type': 'text/html; charset=utf-8' } },
      notThere,
      "URL answered with 'text/html; charset=utf-8', not with application/json. Check the option issuer",
    ],
    [
      'a list',
      { body: '[]', headers: { 'Content-Type': 'application/json' } },
      notThere,
      'URL answered with JSON that has no issuer. Check the option issuer',
    ],
  ];
  it.each(lasting)(
    'P37: says what is wrong for good when discovery answers with %s',
    async (_name, answer, message, reason) => {
      await start();
      if ('body' in answer || 'redirectTo' in answer) oneId.fail(endpointPaths.discovery, answer);
      else oneId.setMetadata(answer as MetadataOverrides);
      const warn = jest.spyOn(Logger.prototype, 'warn').mockReturnValue();
      const provider = providerAt(oneId.issuer);

      for (let n = 0; n < 2; n++) {
        await expect(provider.metadata()).rejects.toMatchObject({
          code: 'provider_misconfigured',
          status: 500,
          message,
        });
        await expect(provider.isIssuer(oneId.issuer)).rejects.toMatchObject({ code: 'provider_misconfigured' });
      }
      const detail = reason.replace('URL', oneId.url(endpointPaths.discovery)).replace('ISSUER', oneId.issuer);
      expect(warn.mock.calls).toEqual([[`Could not get the configuration of ${oneId.issuer}: ${detail}`]]);
      expect(oneId.requests).toHaveLength(1);
      // the operator repairs the provider, and the app need not start again
      oneId.heal();
      oneId.setMetadata({ issuer: oneId.issuer, jwks_uri: oneId.url(endpointPaths.jwks) });
      clock.advance(10_000);
      expect((await provider.metadata()).issuer).toBe(oneId.issuer);
    },
  );

  it('P7: endpoints written as null or "" are absent', async () => {
    await start({ metadata: { end_session_endpoint: null, revocation_endpoint: '', token_endpoint: null } });

    expect(await providerAt(oneId.issuer).metadata()).toEqual({
      issuer: oneId.issuer,
      jwks_uri: oneId.url(endpointPaths.jwks),
      end_session_endpoint: undefined,
      revocation_endpoint: undefined,
      token_endpoint: undefined,
    });
  });

  it('keeps the old metadata while discovery fails', async () => {
    await start();
    const provider = providerAt(oneId.issuer);
    await provider.metadata();
    clock.advance(3_600_000);
    oneId.fail(endpointPaths.discovery, { reset: true });

    expect((await provider.metadata()).issuer).toBe(oneId.issuer);
  });

  it('uses a new jwks_uri when it changes', async () => {
    await start();
    const provider = providerAt(oneId.issuer);
    expect((await provider.metadata()).jwks_uri).toBe(oneId.url(endpointPaths.jwks));
    oneId.setMetadata({ jwks_uri: oneId.url('/other.json') });
    clock.advance(3_600_000);

    expect((await provider.metadata()).jwks_uri).toBe(oneId.url('/other.json'));
  });

  describe('with an https issuer', () => {
    const issuer = 'https://oneid.example/';
    const asked: string[] = [];
    const secure = (changed: object, allowInsecureRequests = false) => {
      const fetch = (url: string) => {
        asked.push(url);
        const metadata = { issuer, jwks_uri: 'https://keys.example/jwks', ...changed };
        return Promise.resolve(Response.json(metadata));
      };
      return new OneIdProvider(issuer, undefined, clock, fetch, allowInsecureRequests);
    };

    it('accepts endpoints with TLS on any host', async () => {
      await start();
      expect(await secure({}).metadata()).toMatchObject({ jwks_uri: 'https://keys.example/jwks' });
      expect(asked).toEqual(['https://oneid.example/.well-known/openid-configuration']);
    });

    it.each([
      { jwks_uri: 'http://keycloak:8080/jwks' },
      { end_session_endpoint: 'http://oneid.example/logout' },
      { revocation_endpoint: 'http://host.docker.internal/revoke' },
    ])('P10: refuses %j, unless the client allows it', async (changed) => {
      await start();
      const [[name, url] = []] = Object.entries(changed);
      const error: unknown = await secure(changed)
        .metadata()
        .catch((refusal: unknown) => refusal);
      expect(error).toMatchObject({
        code: 'provider_misconfigured',
        message: "The provider's configuration has an endpoint without TLS",
      });
      expect(reasonOf(error)).toBe(
        `https://oneid.example/.well-known/openid-configuration: ${name} is '${url}', but must be an https URL (http only on loopback). If you trust this network, set allowInsecureRequests of the client`,
      );
      expect(await secure(changed, true).metadata()).toMatchObject(changed);
    });

    it('P10: takes endpoints on loopback', async () => {
      await start();
      const changed = { jwks_uri: 'http://127.0.0.2:8080/jwks', end_session_endpoint: 'http://dex.localhost/logout' };
      expect(await secure(changed).metadata()).toMatchObject(changed);
    });

    it.each([
      { jwks_uri: 'file:///etc/passwd' },
      { jwks_uri: 'not a URL' },
      { end_session_endpoint: 'javascript:alert(1)' },
    ])('refuses %j, also when the client allows http', async (changed) => {
      await start();
      for (const allowInsecureRequests of [false, true]) {
        await expect(secure(changed, allowInsecureRequests).metadata()).rejects.toMatchObject({ message: notThere });
      }
    });
  });

  it('sends no request when the options give the endpoints', async () => {
    await start();
    const given = { issuer: oneId.issuer, jwks_uri: oneId.url(endpointPaths.jwks) };
    const provider = new OneIdProvider(oneId.issuer, given, clock);

    expect(await provider.metadata()).toBe(given);
    expect(oneId.requests).toEqual([]);
  });

  it('mayBe() ignores one trailing slash of the iss', async () => {
    await start();
    const provider = providerAt('https://oneid.example/tenant');
    const means = (iss: string) => provider.mayBe(iss);

    expect(['https://oneid.example/tenant', 'https://oneid.example/tenant/'].map(means)).toEqual([true, true]);
    expect(
      ['https://oneid.example/tenant//', 'https://oneid.example/', 'http://oneid.example/tenant', ''].map(means),
    ).toEqual([false, false, false, false]);
  });
});
