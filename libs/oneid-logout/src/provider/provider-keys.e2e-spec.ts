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
import { KeySet } from './key-set.js';
import { providerFetch } from './provider-fetch.js';
import { ProviderKeys } from './provider-keys.js';

const clock = new TestClock(1_000_000_000);
const jws = (key: SigningKey, header: object = {}) => signCompact({ a: 1 }, key, { ...header });

let oneId: OneIdTestProvider;
beforeAll(async () => {
  oneId = await OneIdTestProvider.start({ now: () => clock.now() });
});
afterEach(() => {
  oneId.heal();
  oneId.clearRequests();
});
afterAll(() => oneId.close());

const makeKeys = () =>
  new ProviderKeys(() => Promise.resolve(oneId.url(endpointPaths.jwks)), clock, providerFetch(clock));
const fetches = () => oneId.count(endpointPaths.jwks);
const serve = (keys: readonly unknown[], headers: Record<string, string> = {}) =>
  oneId.fail(endpointPaths.jwks, { body: JSON.stringify({ keys }), headers });
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

  it('P13: a wrong signature is final without a fetch when the keys are newer than the token', async () => {
    const keys = makeKeys();
    await keys.verify(jws(oneId.signingKey), 'RS256', long());
    const forged = jws(await createSigningKey(), { kid: oneId.signingKey.kid });
    const unknown = jws(await createSigningKey());

    expect(await keys.verify(jws(oneId.signingKey), 'RS256', clock.now() + 60_000)).toBe('valid');
    expect(await keys.verify(forged, 'RS256', clock.now())).toBe('invalid');
    expect(await keys.verify(unknown, 'RS256', clock.now())).toBe('key_unknown');
    expect(await keys.verify(jws(oneId.signingKey), 'PS256', clock.now() + 60_000)).toBe('invalid');
    expect(fetches()).toBe(1);
  });

  it('P13: the provider has made its key anew under the same kid: fetches again, once, and takes the new key', async () => {
    const keys = makeKeys();
    const old = oneId.signingKey;
    await keys.verify(jws(old), 'RS256', long());
    const renewed = { ...(await createSigningKey()), kid: old.kid };
    serve([{ ...renewed.publicJwk, kid: old.kid }]);
    const results = await Promise.all([1, 2, 3].map(() => keys.verify(jws(renewed), 'RS256', clock.now() + 31_000)));

    expect([...results, fetches()]).toEqual(['valid', 'valid', 'valid', 2]);
    expect(await keys.verify(jws(old), 'RS256', long())).toBe('invalid');
    expect(fetches()).toBe(2);
  });

  it('P13: three fetches at once, then one per cool-down; until then a newer token is undecided', async () => {
    const keys = makeKeys();
    const { kid } = oneId.signingKey;
    const forge = async (n: number) => jws(await createSigningKey(), { kid: n % 2 === 0 ? kid : `unknown ${n}` });
    const forged = await Promise.all([0, 1, 2].map(forge));
    const fresh = () => clock.now() + 31_000;

    for (const token of forged) {
      expect(await keys.verify(token, 'RS256', fresh())).toMatch(/^(invalid|key_unknown)$/);
    }
    expect(fetches()).toBe(3);
    for (const token of forged) {
      await expect(keys.verify(token, 'RS256', fresh())).rejects.toMatchObject({
        code: 'provider_unavailable',
        status: 503,
        message: "The provider's current keys are not available, try again",
      });
    }
    await oneId.rotateKeys();
    const genuine = jws(oneId.signingKey);
    await expect(keys.verify(genuine, 'RS256', fresh())).rejects.toBeInstanceOf(ProviderUnavailableError);
    expect(fetches()).toBe(3);
    clock.advance(29_999);
    await expect(keys.verify(genuine, 'RS256', fresh())).rejects.toBeInstanceOf(ProviderUnavailableError);
    clock.advance(1);
    expect(await keys.verify(genuine, 'RS256', fresh())).toBe('valid');
    expect(fetches()).toBe(4);
  });

  it('P13: newer keys that come during the check are tried, too', async () => {
    const keys = makeKeys();
    await keys.verify(jws(oneId.signingKey), 'RS256', long());
    await oneId.rotateKeys({ keepOld: false });
    const spied = jest.spyOn(KeySet.prototype, 'find').mockImplementationOnce(async () => {
      await keys.refresh();
      return 'key_unknown';
    });
    expect(await keys.verify(jws(oneId.signingKey), 'RS256', clock.now() + 60_000)).toBe('valid');
    expect(fetches()).toBe(2);
    spied.mockRestore();
  });

  it('P13: many forged tokens at once cost as many fetches as the budget has', async () => {
    const keys = makeKeys();
    const stranger = await createSigningKey();
    await keys.verify(jws(oneId.signingKey), 'RS256', long());
    const flood = async (): Promise<unknown[]> => {
      const all = Array.from({ length: 50 }, (_, n) =>
        jws(stranger, n % 2 === 0 ? { kid: `k${n}` } : { kid: oneId.signingKey.kid }),
      );
      const verdicts = await Promise.allSettled(all.map((token) => keys.verify(token, 'RS256', clock.now() + 31_000)));
      return verdicts.map((verdict) => (verdict.status === 'fulfilled' ? verdict.value : 503));
    };

    expect(new Set(await flood())).toEqual(new Set(['key_unknown', 'invalid']));
    expect(fetches()).toBe(2);
    await flood();
    expect(new Set(await flood())).toEqual(new Set([503]));
    expect(fetches()).toBe(3);
    clock.advance(30_000);
    await flood();
    await flood();
    expect(fetches()).toBe(4);
  });

  it('P13: a fetch that began before the call proves nothing: fetches once more', async () => {
    const keys = makeKeys();
    oneId.fail(endpointPaths.jwks, { delayMs: 50, times: 1, body: JSON.stringify(oneId.jwks) });
    const first = keys.verify(jws(oneId.signingKey), 'RS256', long());
    await until('the provider is asked', () => fetches() === 1);
    await oneId.rotateKeys({ keepOld: false });

    expect(await keys.verify(jws(oneId.signingKey), 'RS256', clock.now() + 31_000)).toBe('valid');
    expect([await first, fetches()]).toEqual(['valid', 2]);
  });

  it.each([
    ['5', 5_000],
    ['5, 300', 5_000],
    [' 7 ', 7_000],
    ['', 0],
    ['-5', 0],
    ['soon', 0],
  ])('P13: takes the Age %j of an answer off its time', async (age, ageMs) => {
    const keys = makeKeys();
    serve(oneId.jwks.keys, { Age: age });
    const unknown = jws(await createSigningKey());

    expect(await keys.verify(unknown, 'RS256', clock.now() - ageMs)).toBe('key_unknown');
    expect(fetches()).toBe(1);
    const later = keys.verify(unknown, 'RS256', clock.now() - ageMs + 1);
    if (ageMs === 0) expect(await later).toBe('key_unknown');
    else await expect(later).rejects.toBeInstanceOf(ProviderUnavailableError);
    expect(fetches()).toBe(2);
  });

  it('P13: the clock of this machine is ahead: the Date of the answer shows that the keys may be older than the token', async () => {
    const keys = makeKeys();
    const hour = 3_600_000;
    const providerDate = (ms: number) => new Date(ms).toUTCString();
    serve(oneId.jwks.keys, { Date: providerDate(clock.now() - hour) });
    const fresh = await createSigningKey();
    const token = jws(fresh, { kid: oneId.signingKey.kid });
    expect(await keys.verify(jws(oneId.signingKey), 'RS256', long())).toBe('valid');
    serve([{ ...fresh.publicJwk, kid: oneId.signingKey.kid }], { Date: providerDate(clock.now() - hour + 1_000) });

    expect(await keys.verify(token, 'RS256', clock.now() - hour + 2_000)).toBe('valid');
    expect(fetches()).toBe(2);
  });

  it.each([
    ['no cache', undefined, 0],
    ['a cache that keeps the keys for twenty seconds', '20', 21_000],
  ])('P13: keys that were fetched after the receipt refuse a token of any iat: %s', async (_what, age, ageMs) => {
    const keys = makeKeys();
    serve(oneId.jwks.keys, age === undefined ? {} : { Age: age });
    await keys.verify(jws(oneId.signingKey), 'RS256', long());
    const receivedAt = clock.moment();
    const unknown = jws(await createSigningKey());
    clock.advance(ageMs);
    oneId.fail(endpointPaths.jwks, { status: 500 });
    const early = keys.verify(unknown, 'RS256', Infinity, receivedAt);
    await expect(early).rejects.toBeInstanceOf(ProviderUnavailableError);
    clock.advance(1);
    serve(oneId.jwks.keys, age === undefined ? {} : { Age: age });
    await keys.refresh();
    oneId.clearRequests();

    expect(await keys.verify(unknown, 'RS256', Infinity, receivedAt)).toBe('key_unknown');
    const later = keys.verify(unknown, 'RS256', Infinity, clock.moment());
    if (age === undefined) expect(await later).toBe('key_unknown');
    else await expect(later).rejects.toBeInstanceOf(ProviderUnavailableError);
    expect(fetches()).toBe(1);
  });

  it('P13: a cache is five seconds behind: the new key is undecided until the cache has it', async () => {
    const keys = makeKeys();
    await keys.verify(jws(oneId.signingKey), 'RS256', long());
    serve(oneId.jwks.keys, { Age: '4' });
    await oneId.rotateKeys({ keepOld: false });
    const token = jws(oneId.signingKey);
    const latest = clock.now() + 31_000;

    await expect(keys.verify(token, 'RS256', latest)).rejects.toBeInstanceOf(ProviderUnavailableError);
    oneId.heal();
    clock.advance(2_000);
    expect(await keys.verify(token, 'RS256', latest)).toBe('valid');
    expect(fetches()).toBe(3);
  });

  it('P13: a failed fetch takes nothing from what the keys prove', async () => {
    const keys = makeKeys();
    const known = jws(oneId.signingKey);
    await keys.verify(known, 'RS256', long());
    const unknown = jws(await createSigningKey());
    const until = clock.now();
    clock.advance(30_000);
    oneId.fail(endpointPaths.jwks, { status: 500 });

    await expect(keys.verify(unknown, 'RS256', until + 1)).rejects.toMatchObject({
      code: 'provider_unavailable',
      status: 503,
      message: "The provider's current keys are not available, try again",
    });
    expect(await keys.verify(unknown, 'RS256', until)).toBe('key_unknown');
    expect(await keys.verify(known, 'RS256', long())).toBe('valid');
  });

  it('fetches again after an hour, and uses the old keys when the fetch fails', async () => {
    const keys = makeKeys();
    const token = jws(oneId.signingKey);
    await keys.verify(token, 'RS256', long());
    clock.advance(3_599_999);
    await keys.verify(token, 'RS256', long());
    expect(fetches()).toBe(1);
    clock.advance(1);
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

      expect(await keys.verify(token, 'RS256', clock.now())).toBe('valid');
      expect(fetches()).toBe(2);
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
    ['204', { status: 204, body: '' }],
    ['an empty body', { body: '' }],
    ['a page for maintenance', { status: 503, body: '<!doctype html>', headers: { 'Content-Type': 'text/html' } }],
    ['JSON that is cut off', { body: '{"keys":[' }],
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

    for (let n = 0; n < 5; n++) {
      const refused = expect(keys.verify(token, 'RS256', long())).rejects.toMatchObject({
        code: 'provider_unavailable',
        message: "The provider's keys are not available, try again",
      });
      if ('hang' in trouble && n < 3) {
        await until('the provider is asked', () => fetches() > n);
        clock.advance(5_000);
      }
      await refused;
    }
    expect(fetches()).toBe(3);
    oneId.heal();
    clock.advance(30_000);
    expect(await keys.verify(token, 'RS256', long())).toBe('valid');
  });

  const noSet = 'answered with JSON that is no key set: an object with a list of keys';
  const useless: [string, Trouble, string][] = [
    ['404', { status: 404, body: '{"keys":[]}' }, 'answered 404'],
    ['410', { status: 410, body: '' }, 'answered 410'],
    [
      'a page',
      { body: '<!doctype html>', headers: { 'Content-Type': 'text/html' } },
      "answered with a page ('text/html')",
    ],
    ['JSON without keys', { body: '{}' }, noSet],
    ['null', { body: 'null' }, noSet],
    ['a list', { body: '[]' }, noSet],
    ['keys that are no list', { body: '{"keys":{}}' }, noSet],
  ];
  it.each(useless)(
    'P37: says what is wrong for good when the provider answers with %s',
    async (_name, answer, reason) => {
      const warn = jest.spyOn(Logger.prototype, 'warn').mockReturnValue();
      const keys = makeKeys();
      const token = jws(oneId.signingKey);
      oneId.fail(endpointPaths.jwks, answer);

      await expect(keys.verify(token, 'RS256', long())).rejects.toMatchObject({
        code: 'provider_misconfigured',
        status: 500,
        message: "The provider's keys are not where its configuration says, or can't be used",
      });
      expect(warn.mock.calls).toEqual([
        [
          `Could not get the provider's keys: ${oneId.url(endpointPaths.jwks)} ${reason}. Check jwks_uri in the provider's configuration, or in the option endpoints`,
        ],
      ]);
      warn.mockRestore();
      oneId.heal();
      clock.advance(30_000);
      expect(await keys.verify(token, 'RS256', long())).toBe('valid');
    },
  );

  describe('P12: odd key sets', () => {
    const { kty, n, e } = { kty: 'RSA', n: 'AQAB', e: 'AQAB' };
    const noKeys: unknown[] = [
      ...[null, 'x', 5, true, [], {}, { kty: 5 }, { kty: '' }, { kty: 'RSA' }, { kty: 'oct', k: 'AQAB' }],
      ...[{ kty, n, e }, { kty, n: 5, e: {} }, { kty: 'EC', crv: 'P-999', x: 'AQAB', y: 'AQAB' }, { kty: 'new' }],
    ];

    it.each(noKeys)('skips what is no key: %j', async (entry) => {
      const keys = makeKeys();
      serve([entry, ...oneId.jwks.keys, entry]);
      expect(await keys.verify(jws(oneId.signingKey), 'RS256', long())).toBe('valid');
      expect(await keys.verify(jws(await createSigningKey()), 'RS256', long())).toBe('key_unknown');
    });

    it.each<[string, object]>([
      ['no kid', { kid: undefined }],
      ['kid null', { kid: null }],
      ['an empty kid', { kid: '' }],
      ['a kid of a wrong type', { kid: 5 }],
      ['use, alg and key_ops null', { use: null, alg: null, key_ops: null }],
      ['ext of a wrong type', { ext: 'yes' }],
      ['key_ops with verify twice', { key_ops: ['verify', 'verify'] }],
    ])('a key with %s is a candidate for a token with a kid', async (_name, members) => {
      const keys = makeKeys();
      const other = await createSigningKey();
      serve([other.publicJwk, { ...oneId.signingKey.publicJwk, ...members }]);
      expect(await keys.verify(jws(oneId.signingKey), 'RS256', long())).toBe('valid');
      expect(await keys.verify(jws(other), 'RS256', long())).toBe('valid');
    });

    it.each<[string, object]>([
      ['another kid', { kid: 'other' }],
      ['use enc', { use: 'enc' }],
      ['key_ops without verify', { key_ops: ['encrypt'] }],
      ['another alg', { alg: 'PS256' }],
    ])('a key with %s is no candidate', async (_name, members) => {
      const keys = makeKeys();
      serve([{ ...oneId.signingKey.publicJwk, ...members }]);
      expect(await keys.verify(jws(oneId.signingKey), 'RS256', long())).toBe('key_unknown');
    });

    it('tries all keys of one kid', async () => {
      const keys = makeKeys();
      const { kid } = oneId.signingKey;
      const twins = [await createSigningKey(), oneId.signingKey, await createSigningKey()];
      serve(twins.map(({ publicJwk }) => ({ ...publicJwk, kid })));
      for (const twin of twins) expect(await keys.verify(jws(twin, { kid }), 'RS256', long())).toBe('valid');
      expect(await keys.verify(jws(await createSigningKey(), { kid }), 'RS256', long())).toBe('invalid');
    });

    it.each<[string, unknown[], string]>([
      ['none', [], 'no keys'],
      ['no key at all', [null, 'x', 5, [], {}], 'null; a string; a number; a list; an object without kty'],
      [
        'seven that do not fit',
        [{ kty, n, e }, { kty: 'oct', alg: 'HS256' }, { kty: 'RSA', use: 'enc' }, null, null, null, null],
        'RSA; oct HS256; RSA enc; null; null; 2 more',
      ],
      [
        'a kty that is too long',
        [{ kty: 'k'.repeat(33) }, { kty: 'a b' }],
        'an object without kty; an object without kty',
      ],
    ])(
      'a set without a usable key (%s) is a lasting fault: final, and the log says what came',
      async (_name, set, came) => {
        const logged = jest.spyOn(Logger.prototype, 'error').mockReturnValue();
        const keys = makeKeys();
        serve(set);
        for (let count = 0; count < 2; count++) {
          expect(await keys.verify(jws(oneId.signingKey), 'RS256', long())).toBe('key_unknown');
        }
        expect(logged.mock.calls).toEqual([
          [
            `The key set ${oneId.url(endpointPaths.jwks)} has no key for RS256, so the library refuses the provider's ` +
              `tokens. It contains: ${came}. Compare it with the option idTokenSignedResponseAlg.`,
          ],
        ]);
        logged.mockRestore();
      },
    );
  });

  it.each([
    ['EdDSA', 'EdDSA', 'Ed25519'],
    ['EdDSA', 'Ed25519', undefined],
    ['Ed25519', 'EdDSA', 'EdDSA'],
    ['Ed25519', 'Ed25519', 'EdDSA'],
  ])('P36: the option %s takes the header %s and the key alg %s', async (option, header, keyAlg) => {
    const keys = makeKeys();
    const key = await createSigningKey('Ed25519');
    serve([{ ...key.publicJwk, alg: keyAlg }]);
    expect(await keys.verify(jws(key, { alg: header }), option, long())).toBe('valid');
    expect(await keys.verify(jws(key, { alg: 'ES256' }), option, long())).toBe('invalid');
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

  it('P13: asks for JSON or a JWK Set, and asks caches to revalidate it', async () => {
    await makeKeys().verify(jws(oneId.signingKey), 'RS256', long());
    expect(oneId.requests.map(({ headers }) => [headers.accept, headers['cache-control']])).toEqual([
      ['application/json, application/jwk-set+json', 'no-cache'],
    ]);
  });

  it('an answer whose type only contains text/html is no page', async () => {
    serve([oneId.signingKey.publicJwk], { 'Content-Type': 'application/json; not="text/html"' });
    expect(await makeKeys().verify(jws(oneId.signingKey), 'RS256', long())).toBe('valid');
  });

  describe('the signer of a hint', () => {
    const signerOf = (keys: ProviderKeys, key: SigningKey, header?: object) => keys.signerOf(jws(key, header), 'RS256');

    it('is the newest key, an older key or an unknown key, by keys that are fetched now', async () => {
      const keys = makeKeys();
      const old = oneId.signingKey;
      expect(await signerOf(keys, old)).toBe('newest');
      await oneId.rotateKeys();
      expect(await signerOf(keys, old)).toBe('older');
      expect(await signerOf(keys, oneId.signingKey)).toBe('newest');
      expect(await signerOf(keys, await createSigningKey())).toBe('unknown');
      expect(await signerOf(keys, oneId.signingKey, { alg: 'PS256' })).toBe('unknown');
      expect(await keys.signerOf('no token', 'RS256')).toBe('unknown');
      expect(fetches()).toBe(6);
    });

    it('is unknown to the caller while there are no keys', async () => {
      const logged = jest.spyOn(Logger.prototype, 'warn').mockReturnValue();
      oneId.fail(endpointPaths.jwks, { status: 503 });
      expect(await signerOf(makeKeys(), oneId.signingKey)).toBeUndefined();
      logged.mockRestore();
    });

    it('is found with the last keys, when a fetch fails or takes a second', async () => {
      const logged = jest.spyOn(Logger.prototype, 'warn').mockReturnValue();
      const keys = makeKeys();
      await keys.verify(jws(oneId.signingKey), 'RS256', long());
      oneId.fail(endpointPaths.jwks, { status: 503 });
      const timers = clock.timers;
      expect(await signerOf(keys, oneId.signingKey)).toBe('newest');
      expect(clock.timers).toBe(timers);

      oneId.fail(endpointPaths.jwks, { hang: true });
      let found: unknown = 'not yet';
      const finding = signerOf(keys, oneId.signingKey).then((signer) => (found = signer));
      await until('the provider is asked', () => fetches() === 3);
      clock.advance(999);
      await new Promise((resolve) => setImmediate(resolve));
      expect(found).toBe('not yet');
      clock.advance(1);
      expect(await finding).toBe('newest');
      clock.advance(5_000);
      logged.mockRestore();
    });
  });
});
