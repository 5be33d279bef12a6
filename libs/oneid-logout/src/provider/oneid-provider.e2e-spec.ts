import { afterEach, describe, expect, it } from '@jest/globals';
import { suiteKey } from '../../../../test/support/suite-key.js';
import { TestClock } from '../../../../test/support/test-clock.js';
import { until } from '../../../../test/support/until.js';
import { ProviderUnavailableError } from '../oneid-logout.errors.js';
import { endpointPaths, OneIdTestProvider, type OneIdTestProviderOptions, type Trouble } from '../testing/index.js';
import { OneIdProvider } from './oneid-provider.js';
import { providerFetch } from './provider-fetch.js';

const clock = new TestClock(1_000_000_000);
let oneId: OneIdTestProvider;
afterEach(() => oneId.close());

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
    expect(await provider.isIssuer(bare)).toBe(false);
    expect(oneId.count(endpointPaths.discovery)).toBe(1);

    oneId.setMetadata({ issuer: bare });
    clock.advance(10_000);
    expect(await provider.isIssuer(bare)).toBe(true);
    expect(await provider.isIssuer(issuer)).toBe(false);
    expect(oneId.count(endpointPaths.discovery)).toBe(2);

    oneId.fail(endpointPaths.discovery, { status: 500 });
    clock.advance(10_000);
    await expect(provider.isIssuer(issuer)).rejects.toMatchObject({ code: 'provider_unavailable', status: 503 });
    expect(await provider.isIssuer(bare)).toBe(true);
  });

  const troubles: [string, Trouble][] = [
    ['an error', { status: 500 }],
    ['not found', { status: 404, body: '{}' }],
    ['a page', { body: '<!doctype html>', headers: { 'Content-Type': 'text/html' } }],
    ['JSON with another content type', { body: '{}', headers: { 'Content-Type': 'text/plain' } }],
    ['JSON that is cut off', { body: '{"issuer":', headers: { 'Content-Type': 'application/json' } }],
    ['a list', { body: '[]', headers: { 'Content-Type': 'application/json' } }],
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

  it.each([
    ['another issuer', { issuer: 'https://evil.example/' }],
    ['no issuer', { issuer: undefined }],
    ['an issuer below', { issuer: 'http://127.0.0.1/below' }],
    ['no jwks_uri', { jwks_uri: undefined }],
  ])('refuses %s', async (_name, metadata) => {
    await start({ metadata });

    await expect(providerAt(oneId.issuer).metadata()).rejects.toBeInstanceOf(ProviderUnavailableError);
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
    const secure = (changed: object) =>
      new OneIdProvider(issuer, undefined, clock, (url) => {
        asked.push(url);
        const metadata = { issuer, jwks_uri: 'https://keys.example/jwks', ...changed };
        return Promise.resolve(Response.json(metadata));
      });

    it('accepts endpoints with TLS on any host', async () => {
      await start();
      expect(await secure({}).metadata()).toMatchObject({ jwks_uri: 'https://keys.example/jwks' });
      expect(asked).toEqual(['https://oneid.example/.well-known/openid-configuration']);
    });

    it.each([
      { jwks_uri: 'http://oneid.example/jwks' },
      { jwks_uri: 'file:///etc/passwd' },
      { jwks_uri: 'not a URL' },
      { end_session_endpoint: 'http://oneid.example/logout' },
      { end_session_endpoint: 'javascript:alert(1)' },
      { revocation_endpoint: 'http://oneid.example/revoke' },
    ])('refuses %j', async (changed) => {
      await start();
      await expect(secure(changed).metadata()).rejects.toBeInstanceOf(ProviderUnavailableError);
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
