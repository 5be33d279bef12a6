import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { TestClock } from '../../../../test/support/test-clock.js';
import { until } from '../../../../test/support/until.js';
import { ProviderUnavailableError } from '../oneid-logout.errors.js';
import {
  createSigningKey,
  endpointPaths,
  OneIdTestProvider,
  signCompact,
  type SigningKey,
  type Trouble,
} from '../testing/index.js';
import { providerFetch } from './provider-fetch.js';
import { ProviderKeys } from './provider-keys.js';

const clock = new TestClock(1_000_000_000);
const jws = (key: SigningKey, header: object = {}) => signCompact({ a: 1 }, key, { ...header });

let oneId: OneIdTestProvider;
beforeAll(async () => {
  oneId = await OneIdTestProvider.start();
});
afterEach(() => {
  oneId.heal();
  oneId.clearRequests();
});
afterAll(() => oneId.close());

const makeKeys = () =>
  new ProviderKeys(() => Promise.resolve(oneId.url(endpointPaths.jwks)), clock, providerFetch(clock));
const fetches = () => oneId.count(endpointPaths.jwks);
const long = () => clock.now() - 3_600_000;

describe('ProviderKeys', () => {
  it('verifies many tokens with one fetch', async () => {
    const keys = makeKeys();
    const good = jws(oneId.signingKey);
    const results = await Promise.all([1, 2, 3].map(() => keys.verify(good, 'RS256', long())));

    expect([...results, await keys.verify(good, 'RS256', long()), fetches()]).toEqual([
      'valid',
      'valid',
      'valid',
      'valid',
      1,
    ]);
  });

  it('finds an invalid signature without fetching again', async () => {
    const keys = makeKeys();
    clock.advance(60_000);
    await keys.verify(jws(oneId.signingKey), 'RS256', long());
    clock.advance(60_000);
    const forged = jws(await createSigningKey(), { kid: oneId.signingKey.kid });

    expect(await keys.verify(forged, 'RS256', clock.now())).toBe('invalid');
    expect(await keys.verify(jws(oneId.signingKey), 'PS256', clock.now())).toBe('invalid');
    expect(fetches()).toBe(1);
  });

  it('fetches again, once, when the provider has new keys', async () => {
    const keys = makeKeys();
    await keys.verify(jws(oneId.signingKey), 'RS256', long());
    const old = oneId.signingKey;
    await oneId.rotateKeys();
    clock.advance(30_000);
    const results = await Promise.all([1, 2, 3].map(() => keys.verify(jws(oneId.signingKey), 'RS256', clock.now())));

    expect([...results, fetches()]).toEqual(['valid', 'valid', 'valid', 2]);
    expect(await keys.verify(jws(old), 'RS256', long())).toBe('valid');
  });

  it('many tokens with unknown keys cause one fetch per cool-down', async () => {
    const keys = makeKeys();
    const stranger = await createSigningKey();
    await keys.verify(jws(oneId.signingKey), 'RS256', long());
    const flood = () =>
      Promise.all(Array.from({ length: 50 }, (_, n) => keys.verify(jws(stranger, { kid: `k${n}` }), 'RS256', long())));

    expect(new Set(await flood())).toEqual(new Set(['key_unknown']));
    expect(fetches()).toBe(1);
    clock.advance(30_000);
    await flood();
    await flood();
    expect(fetches()).toBe(2);
  });

  it('does not report a key as unknown when it may be newer than the fetched keys', async () => {
    const keys = makeKeys();
    await keys.verify(jws(oneId.signingKey), 'RS256', long());
    clock.advance(1000);
    await oneId.rotateKeys();
    const token = jws(oneId.signingKey);

    await expect(keys.verify(token, 'RS256', clock.now())).rejects.toBeInstanceOf(ProviderUnavailableError);
    expect(fetches()).toBe(1);
    clock.advance(29_000);
    expect(await keys.verify(token, 'RS256', clock.now())).toBe('valid');
  });

  it('does not report a key as unknown while the provider is down', async () => {
    const keys = makeKeys();
    const known = jws(oneId.signingKey);
    await keys.verify(known, 'RS256', long());
    clock.advance(30_000);
    oneId.fail(endpointPaths.jwks, { status: 500 });
    const unknown = jws(await createSigningKey());

    await expect(keys.verify(unknown, 'RS256', long())).rejects.toMatchObject({
      code: 'provider_unavailable',
      status: 503,
      message: "The provider's current keys are not available, try again",
    });
    expect(await keys.verify(known, 'RS256', long())).toBe('valid');
  });

  it('fetches again after an hour, and uses the old keys when the fetch fails', async () => {
    const keys = makeKeys();
    const token = jws(oneId.signingKey);
    await keys.verify(token, 'RS256', long());
    clock.advance(3_600_000);
    oneId.fail(endpointPaths.jwks, { reset: true });
    expect(await keys.verify(token, 'RS256', long())).toBe('valid');
    expect(fetches()).toBe(2);

    oneId.heal();
    await oneId.rotateKeys({ keepOld: false });
    clock.advance(30_000);
    expect(await keys.verify(token, 'RS256', long())).toBe('key_unknown');
    expect(fetches()).toBe(3);
  });

  describe('a token without kid', () => {
    const nameless = (key: SigningKey) => jws(key, { kid: undefined });

    it('is tried with every key of its algorithm', async () => {
      const keys = makeKeys();
      const others = [await oneId.addKey('RS256'), await oneId.addKey('RS256')];
      await oneId.addKey('ES256');

      for (const key of [oneId.signingKey, ...others])
        expect(await keys.verify(nameless(key), 'RS256', long())).toBe('valid');
      expect(await keys.verify(nameless(await createSigningKey()), 'RS256', long())).toBe('invalid');
    });

    it('may be signed with a key that is newer than the fetched keys', async () => {
      const keys = makeKeys();
      await keys.verify(jws(oneId.signingKey), 'RS256', long());
      clock.advance(10_000);
      await oneId.rotateKeys({ keepOld: false });
      const token = nameless(oneId.signingKey);

      await expect(keys.verify(token, 'RS256', clock.now())).rejects.toBeInstanceOf(ProviderUnavailableError);
      clock.advance(30_000);
      expect(await keys.verify(token, 'RS256', clock.now())).toBe('valid');
    });
  });

  it('does not use a key of another algorithm', async () => {
    const keys = makeKeys();
    const es256 = await oneId.addKey('ES256');

    expect(await keys.verify(jws(es256), 'RS256', long())).toBe('invalid');
    expect(await keys.verify(jws(es256, { alg: 'RS256' }), 'RS256', long())).toBe('key_unknown');
    expect(await keys.verify(jws(es256), 'ES256', long())).toBe('valid');
  });

  const wrong: [string, Trouble][] = [
    ['an error', { status: 500 }],
    ['404', { status: 404, body: '{"keys":[]}' }],
    ['204', { status: 204, body: '' }],
    ['an empty body', { body: '' }],
    ['a page', { body: '<!doctype html>', headers: { 'Content-Type': 'text/html' } }],
    ['JSON that is cut off', { body: '{"keys":[' }],
    ['JSON without keys', { body: '{}' }],
    ['null', { body: 'null' }],
    ['invalid keys', { body: '{"keys":["x"]}' }],
    ['a redirect', { redirectTo: 'http://127.0.0.1:1/jwks.json' }],
    ['a cut connection', { reset: true }],
    ['an answer that never comes', { hang: true }],
    ['an answer that never ends', { hang: 'body', body: '{"keys":[' }],
    ['a body that is too large', { bodyBytes: 600 * 1024 }],
  ];
  it.each(wrong)('answers 503 when the provider answers with %s', async (_name, trouble) => {
    const keys = makeKeys();
    const token = jws(oneId.signingKey);
    oneId.fail(endpointPaths.jwks, trouble);

    for (let n = 0; n < 3; n++) {
      const refused = expect(keys.verify(token, 'RS256', long())).rejects.toMatchObject({
        code: 'provider_unavailable',
        message: "The provider's keys are not available, try again",
      });
      if ('hang' in trouble && n === 0) {
        await until('the provider is asked', () => fetches() > 0);
        clock.advance(5_000);
      }
      await refused;
    }
    expect(fetches()).toBe(1);
    oneId.heal();
    clock.advance(30_000);
    expect(await keys.verify(token, 'RS256', long())).toBe('valid');
  });

  it('answers 503 for an invalid key', async () => {
    const keys = makeKeys();
    const { kid } = oneId.signingKey;
    const body = JSON.stringify({ keys: [{ kty: 'RSA', kid, alg: 'RS256', n: 'AQAB', e: 'AQAB' }] });
    oneId.fail(endpointPaths.jwks, { body });

    await expect(keys.verify(jws(oneId.signingKey), 'RS256', long())).rejects.toMatchObject({
      code: 'provider_unavailable',
      message: "The provider's key can't be used",
    });
  });

  it('answers 503 while there are no keys, and names the answer of the JWKS endpoint as the cause', async () => {
    const logged = jest.spyOn(Logger.prototype, 'warn').mockReturnValue();
    const keys = makeKeys();
    oneId.fail(endpointPaths.jwks, { status: 502 });
    await expect(keys.verify(jws(oneId.signingKey), 'RS256', long())).rejects.toMatchObject({
      code: 'provider_unavailable',
      message: "The provider's keys are not available, try again",
      cause: { message: 'The JWKS endpoint answered 502' },
    });
    expect(logged.mock.calls).toEqual([["Could not get the provider's keys: The JWKS endpoint answered 502"]]);
    logged.mockRestore();
  });

  it('asks for JSON or a JWK Set', async () => {
    await makeKeys().verify(jws(oneId.signingKey), 'RS256', long());
    expect(oneId.requests.map(({ headers }) => headers.accept)).toEqual(['application/json, application/jwk-set+json']);
  });
});
