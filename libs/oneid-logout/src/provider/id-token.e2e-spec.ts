import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { TestClock } from '../../../../test/support/test-clock.js';
import { exportJWK, generateKeyPair } from 'jose';
import { resolveOptions } from '../oneid-logout.options.js';
import { type OneIdClientOptions } from './client-options.js';
import {
  type Claims,
  createSigningKey,
  endpointPaths,
  type IdTokenRequest,
  OneIdTestProvider,
} from '../testing/index.js';
import { IdTokenVerifier } from './id-token.js';
import { OneIdClients } from './oneid-clients.js';
import { TokenTimes } from './token-times.js';
import { suiteKey } from '../../../../test/support/suite-key.js';

const clientId = 'app';
const now = Date.UTC(2026, 0, 1);
const seconds = now / 1000;
const clock = new TestClock(now);

let oneId: OneIdTestProvider;
beforeAll(async () => {
  oneId = await OneIdTestProvider.start({ now: () => now, signingKey: await suiteKey() });
});
afterEach(() => {
  oneId.heal();
  oneId.clearRequests();
});
afterAll(() => oneId.close());

function verifierOf(...clients: Partial<OneIdClientOptions>[]): IdTokenVerifier {
  const postLogoutRedirectUri = 'https://app.example/logout/callback';
  const options = resolveOptions({
    clients: clients.map((client) => ({ issuer: oneId.issuer, clientId, postLogoutRedirectUri, ...client })),
  });
  const times = new TokenTimes(clock, 30, () => Promise.resolve(now));
  return new IdTokenVerifier(new OneIdClients(options.clients, clock), times);
}

const token = (request: Partial<IdTokenRequest> = {}) =>
  oneId.idToken({ clientId, sub: 'alice', sid: 'sid', ...request });
const claims = (changed: Claims) => token({ claims: changed });

describe('IdTokenVerifier', () => {
  it('returns the claims of a valid token', async () => {
    expect(await verifierOf({}).verify(await token(), {})).toEqual({
      issuer: oneId.issuer,
      clientId,
      sub: 'alice',
      sid: 'sid',
      iat: seconds,
      idTokenHash: expect.stringMatching(/^[0-9a-f]{64}$/) as unknown,
      logoutScope: 'session',
    });
  });

  it('accepts a token without sid, and times with fractions', async () => {
    const verified = await verifierOf({}).verify(await claims({ sid: undefined, iat: seconds - 0.5 }), {});

    expect(verified).toMatchObject({ iat: seconds - 1 });
    expect(verified).not.toHaveProperty('sid');
  });

  it('recognises the same token with another signature', async () => {
    const key = await oneId.addKey('ES256');
    const verifier = verifierOf({ idTokenSignedResponseAlg: 'ES256' });
    const tokens = [await token({ key, claims: { jti: 'j' } }), await token({ key, claims: { jti: 'j' } })];
    const hashes = await Promise.all(tokens.map(async (jwt) => (await verifier.verify(jwt, {})).idTokenHash));

    expect(new Set(tokens).size).toBe(2);
    expect(new Set(hashes).size).toBe(1);
    const another = await verifier.verify(await token({ key }), {});
    expect(hashes).not.toContain(another.idTokenHash);
  });

  const faults: [string, () => Promise<string>, string][] = [
    ['a text that is not a JWT', () => Promise.resolve('x'), 'The ID token is not a JWT'],
    // a JavaScript app passes undefined when it did not ask for the scope openid
    ['a value that is not a text', () => Promise.resolve(undefined as unknown as string), 'The ID token is missing'],
    ['an empty text', () => Promise.resolve(''), 'The ID token is not a JWT'],
    ['three parts that are no JSON', () => Promise.resolve('a.b.c'), 'The ID token is not a JWT'],
    ['crit', () => token({ header: { crit: ['x'] } }), 'The ID token has no alg in its header, or a crit'],
    ['no alg', () => token({ header: { alg: undefined } }), 'The ID token has no alg in its header, or a crit'],
    ['an access token', () => token({ header: { typ: 'at+jwt' } }), 'The ID token has a typ that is not JWT'],
    ['a logout token', () => oneId.logoutToken({ clientId, sid: 'sid' }), 'The ID token is a security event token'],
    [
      'a logout token of its own type',
      () => oneId.logoutToken({ clientId, sid: 'sid', shape: 'spec' }),
      'The ID token has a typ that is not JWT',
    ],
    [
      'a logout token dressed up',
      () => oneId.logoutToken({ clientId, sid: 's', sub: 'x', claims: { exp: seconds + 9, nonce: 'n' } }),
      'The ID token is a security event token',
    ],
    ['no iss', () => claims({ iss: undefined }), 'The ID token has no iss'],
    [
      'A9: another iss',
      () => claims({ iss: 'https://x.example/' }),
      "The ID token is not for a client of this app: its iss is 'https://x.example/', expected 'ISSUER'",
    ],
    [
      'another aud',
      () => claims({ aud: 'other' }),
      "The ID token is not for a client of this app: its aud is 'other', expected 'app', and beside it only the client's trustedAudiences",
    ],
    [
      'P1: an aud with others',
      () => claims({ aud: [clientId, 'other'] }),
      "The ID token is not for a client of this app: its aud is 'app', 'other', expected 'app', and beside it only the client's trustedAudiences",
    ],
    [
      'another alg',
      () => token({ header: { alg: 'ES256' } }),
      "The ID token does not have the alg that the options name: it has 'ES256', the client's idTokenSignedResponseAlg is 'RS256'",
    ],
    [
      'alg none',
      () => token({ key: 'none' }),
      "The ID token does not have the alg that the options name: it has 'none', the client's idTokenSignedResponseAlg is 'RS256'",
    ],
    [
      'P6: another azp',
      () => claims({ azp: 'other' }),
      "The ID token has an azp of another client: it is 'other', expected 'app', or one of the client's authorizedParties",
    ],
    [
      'P6: an azp that is a list',
      () => claims({ azp: [clientId] }),
      "The ID token has an azp of another client: it is 'app', expected 'app', or one of the client's authorizedParties",
    ],
    ['no sub', () => claims({ sub: undefined }), 'The ID token has no valid sub'],
    ['an empty sub', () => claims({ sub: '' }), 'The ID token has no valid sub'],
    ['a sub that is too long', () => claims({ sub: 'x'.repeat(256) }), 'The ID token has no valid sub'],
    ['a sid of another type', () => claims({ sid: 7 }), 'The ID token has an invalid sid'],
    ['no exp', () => claims({ exp: undefined }), 'The ID token has expired, or has no exp'],
    ['an exp that is a text', () => claims({ exp: String(seconds + 60) }), 'The ID token has expired, or has no exp'],
    [
      'an iat that is a text',
      () => claims({ iat: String(seconds) }),
      'The ID token has no iat, or an iat in the future',
    ],
    [
      'a typ that only begins like one',
      () => token({ header: { typ: 'jwt+x' } }),
      'The ID token has a typ that is not JWT',
    ],
    ['a NUL in sub', () => claims({ sub: 'a\0b' }), 'The ID token has no valid sub'],
    ['half a character in sub', () => claims({ sub: 'a\ud800' }), 'The ID token has no valid sub'],
    ['no iat', () => claims({ iat: undefined }), 'The ID token has no iat, or an iat in the future'],
  ];
  it.each(faults)('refuses %s, without a request', async (_name, idToken, message) => {
    await expect(verifierOf({}).verify(await idToken(), {})).rejects.toMatchObject({
      code: 'id_token_invalid',
      status: 401,
      message: message.replace('ISSUER', oneId.issuer),
    });
    expect(oneId.requests).toEqual([]);
  });

  it.each<[string, Claims, string]>([
    ['a past exp', { exp: seconds - 30 }, 'The ID token has expired'],
    ['a future iat', { iat: seconds + 31 }, 'The ID token has no iat, or an iat in the future'],
    [
      'an old iat',
      { iat: seconds - 331 },
      "The ID token is too old for a sign-in: its iat may lie 300 seconds back. For a provider that dates iat back, set the client's iatBackdatingSeconds",
    ],
  ])('refuses %s, and first a bad signature', async (_name, changed, message) => {
    await expect(verifierOf({}).verify(await claims(changed), {})).rejects.toMatchObject({ message, status: 401 });
    const header = { kid: oneId.signingKey.kid };
    const forged = await token({ claims: changed, key: await createSigningKey(), header });
    await expect(verifierOf({}).verify(forged, {})).rejects.toMatchObject({
      message: 'The ID token has no valid signature',
    });
  });

  it('P1: takes further audiences that the client trusts', async () => {
    const verifier = verifierOf({ trustedAudiences: ['271', 'account'] });

    for (const aud of [clientId, ['271', clientId], [clientId, 'account', '271', clientId]]) {
      expect(await verifier.verify(await claims({ aud, azp: clientId }), {})).toMatchObject({ clientId, sid: 'sid' });
    }
    for (const aud of [['271'], [clientId, '271', 'x'], [clientId, null], [clientId, '']]) {
      await expect(verifier.verify(await claims({ aud }), {})).rejects.toMatchObject({
        code: 'id_token_invalid',
        message: expect.stringMatching(/^The ID token is not for a client of this app: its aud is /) as unknown,
      });
    }
  });

  it('P6: takes the azp that the client authorises, and chooses between clients by azp', async () => {
    const verifier = verifierOf(
      { authorizedParties: ['android', 'ios'] },
      { clientId: 'second', trustedAudiences: ['271'] },
    );
    const clientOf = async (changed: Claims) => (await verifier.verify(await claims(changed), {})).clientId;

    expect(await clientOf({ azp: 'android' })).toBe(clientId);
    expect(await clientOf({ azp: 'ios' })).toBe(clientId);
    expect(await clientOf({ azp: clientId })).toBe(clientId);
    expect(await clientOf({ aud: [clientId, 'second'], azp: 'second' })).toBe('second');
    expect(await clientOf({ aud: [clientId, 'second'] })).toBe(clientId);
    expect(await clientOf({ aud: [clientId, 'second', '271'] })).toBe('second');
    await expect(clientOf({ aud: 'second', azp: 'android' })).rejects.toMatchObject({
      message:
        "The ID token has an azp of another client: it is 'android', expected 'second', or one of the client's authorizedParties",
    });
    await expect(clientOf({ aud: 'second', azp: clientId })).rejects.toMatchObject({ code: 'id_token_invalid' });
  });

  it('P2: takes an iat that the provider dates back, as far as the client allows', async () => {
    const verifier = verifierOf({ iatBackdatingSeconds: 300 }, { clientId: 'second' });
    const verify = async (iat: number, changed: Claims = {}) => verifier.verify(await claims({ iat, ...changed }), {});

    expect(await verify(seconds - 335)).toMatchObject({ iat: seconds - 335 });
    expect(await verify(seconds - 630)).toMatchObject({ iat: seconds - 630 });
    await expect(verify(seconds - 631)).rejects.toMatchObject({
      message:
        "The ID token is too old for a sign-in: its iat may lie 600 seconds back. For a provider that dates iat back, set the client's iatBackdatingSeconds",
    });
    await expect(verify(seconds - 335, { aud: 'second' })).rejects.toMatchObject({ code: 'id_token_invalid' });
    await expect(verify(seconds + 31)).rejects.toMatchObject({ code: 'id_token_invalid' });
    await expect(verify(seconds - 335, { exp: seconds - 30 })).rejects.toMatchObject({
      message: 'The ID token has expired',
    });
  });

  it('P2: keys prove nothing about a token that may be newer than its iat says', async () => {
    const verifier = verifierOf({ iatBackdatingSeconds: 300 });
    const unknown = await createSigningKey();
    const verify = async (iat: number) => verifier.verify(await token({ key: unknown, claims: { iat } }), {});
    // each of these fetches the keys, until no more fetch is allowed
    for (let n = 0; n < 3; n++) await expect(verify(seconds)).rejects.toMatchObject({ code: 'id_token_invalid' });

    await expect(verify(seconds - 330)).rejects.toMatchObject({ code: 'provider_unavailable', status: 503 });
    await expect(verify(seconds - 331)).rejects.toMatchObject({ code: 'id_token_invalid' });
  });

  it.each([null, ''])('P7: a claim that is %j counts as absent', async (absent) => {
    const verify = async (changed: Claims, expected = {}) => verifierOf({}).verify(await claims(changed), expected);
    const optional = { azp: absent, nonce: absent, auth_time: absent, events: absent, session_expiry: absent };
    const verified = await verify(optional);

    expect(verified).toMatchObject({ sub: 'alice', sid: 'sid' });
    expect(verified).not.toHaveProperty('sessionExpiry');
    for (const [changed, message] of [
      [{ iss: absent }, 'The ID token has no iss'],
      [{ sub: absent }, 'The ID token has no valid sub'],
      [{ iat: absent }, 'The ID token has no iat, or an iat in the future'],
      [{ exp: absent }, 'The ID token has expired, or has no exp'],
    ] as const) {
      await expect(verify(changed)).rejects.toMatchObject({ code: 'id_token_invalid', message });
    }
    await expect(verify({ nonce: absent }, { nonce: 'n' })).rejects.toMatchObject({
      message: 'The ID token does not have the expected nonce',
    });
  });

  it('P7, P23: a sid that is null is absent, and an empty sid says that the login has ended', async () => {
    const verify = async (sid: unknown) => verifierOf({}).verify(await claims({ sid }), {});

    const absent = await verify(null);
    expect(absent).toMatchObject({ sub: 'alice' });
    expect(absent).not.toHaveProperty('sid');
    expect(absent).not.toHaveProperty('loginEnded');
    const ended = await verify('');
    expect(ended).toMatchObject({ sub: 'alice', loginEnded: true });
    expect(ended).not.toHaveProperty('sid');
    const forged = token({ claims: { sid: '' }, key: await createSigningKey(), header: { kid: oneId.signingKey.kid } });
    await expect(verifierOf({}).verify(await forged, {})).rejects.toMatchObject({ code: 'id_token_invalid' });
  });

  it('session_expiry: returns whole seconds, and refuses every other value', async () => {
    const verify = async (value: unknown) => verifierOf({}).verify(await claims({ session_expiry: value }), {});

    for (const value of [seconds + 60, seconds, 0]) expect(await verify(value)).toMatchObject({ sessionExpiry: value });
    for (const value of [String(seconds + 60), seconds + 0.5, -1, true, [seconds], {}, 1e300]) {
      await expect(verify(value)).rejects.toMatchObject({
        code: 'id_token_invalid',
        message: 'The ID token has a session_expiry that is not a whole number of seconds',
      });
    }
  });

  it('compares the nonce when one is expected', async () => {
    const verifier = verifierOf({});
    const refusal = { code: 'id_token_invalid', message: 'The ID token does not have the expected nonce' };

    expect(await verifier.verify(await token({ nonce: 'n' }), { nonce: 'n' })).toMatchObject({ sub: 'alice' });
    expect(await verifier.verify(await token({ nonce: 'n' }), {})).toMatchObject({ sub: 'alice' });
    await expect(verifier.verify(await token({ nonce: 'm' }), { nonce: 'n' })).rejects.toMatchObject(refusal);
    await expect(verifier.verify(await token(), { nonce: 'n' })).rejects.toMatchObject(refusal);
  });

  it('accepts values at the limits', async () => {
    for (const changed of [
      { sid: 's'.repeat(255) },
      { exp: seconds - 29 },
      { iat: seconds + 30 },
      { iat: seconds - 330 },
      { azp: clientId },
    ]) {
      expect(await verifierOf({}).verify(await claims(changed), {})).toMatchObject({ sub: 'alice' });
    }
  });

  it('accepts a token without typ', async () => {
    expect(await verifierOf({}).verify(await token({ header: { typ: undefined } }), {})).toMatchObject({
      sub: 'alice',
    });
  });

  it('P13: a key that may be newer than the fetched keys: fetches a few times, then answers 503', async () => {
    const verifier = verifierOf({});
    const unknown = await createSigningKey();
    const { kid } = oneId.signingKey;
    const invalid = { code: 'id_token_invalid', message: 'The ID token has no valid signature' };
    const tokenOf = (iat: number, header = {}) => token({ key: unknown, claims: { iat }, header });
    // the keys were fetched after these tokens arrived, so they decide
    for (const header of [{}, { kid }, { kid: undefined }]) {
      await expect(verifier.verify(await tokenOf(seconds, header), {})).rejects.toMatchObject(invalid);
    }
    // no fetch is left: the keys decide only about tokens that are clearly older
    await expect(verifier.verify(await tokenOf(seconds - 31), {})).rejects.toMatchObject(invalid);
    await expect(verifier.verify(await tokenOf(seconds - 30, { kid }), {})).rejects.toMatchObject({
      code: 'provider_unavailable',
      status: 503,
    });
  });

  it('P36: takes the header EdDSA with the option Ed25519, and the reverse', async () => {
    const key = await oneId.addKey('EdDSA');
    for (const [option, alg] of [
      ['Ed25519', 'EdDSA'],
      ['EdDSA', 'Ed25519'],
    ] as const) {
      const verifier = verifierOf({ idTokenSignedResponseAlg: option });
      expect(await verifier.verify(await token({ key, header: { alg } }), {})).toMatchObject({ sub: 'alice' });
    }
  });

  it.each(['=', '+', '/', ' ', '\n'])('P22: refuses a token with %j in any part (RFC 7515 §2)', async (character) => {
    const parts = (await token({})).split('.');
    for (const [n, part] of parts.entries()) {
      await expect(verifierOf({}).verify(parts.with(n, part + character).join('.'), {})).rejects.toMatchObject({
        code: 'id_token_invalid',
        message: 'The ID token is not a JWT',
      });
    }
  });

  it('refuses an iss with another trailing slash, before it fetches keys', async () => {
    const idToken = await claims({ iss: oneId.issuer.slice(0, -1) });

    await expect(verifierOf({}).verify(idToken, {})).rejects.toMatchObject({
      message: `The ID token is from another issuer: its iss is '${oneId.issuer.slice(0, -1)}', expected '${oneId.issuer}'`,
    });
    expect(oneId.count(endpointPaths.jwks)).toBe(0);
  });

  it('refuses a bad signature', async () => {
    const stranger = await createSigningKey();
    const { kid } = oneId.signingKey;
    for (const forged of [
      token({ key: stranger, header: { kid } }),
      token({ key: stranger, claims: { iat: seconds - 60 } }),
      token({ key: { secret: oneId.signingKey.publicPem }, header: { alg: 'RS256', kid } }),
    ]) {
      await expect(verifierOf({}).verify(await forged, {})).rejects.toMatchObject({
        code: 'id_token_invalid',
        message: 'The ID token has no valid signature',
      });
    }
  });

  it('answers 503 when the provider cannot be reached', async () => {
    oneId.fail('*', { reset: true });

    await expect(verifierOf({}).verify(await token(), {})).rejects.toMatchObject({
      code: 'provider_unavailable',
      status: 503,
    });
  });

  it('P35: accepts tokens signed with the client secret when the options say so, and fetches no keys', async () => {
    const clientSecret = 's'.repeat(32);
    const verifier = verifierOf({ clientAuthentication: { clientSecret }, idTokenSignedResponseAlg: 'HS256' });

    expect(await verifier.verify(await token({ key: { secret: clientSecret } }), {})).toMatchObject({ sub: 'alice' });
    await expect(verifier.verify(await token({ key: { secret: 'x' } }), {})).rejects.toMatchObject({
      message:
        'The ID token has no valid signature: with HS256, clientAuthentication.clientSecret must be the key. Keycloak uses a key that no client gets: have it sign with RS256',
    });
    expect(oneId.count(endpointPaths.jwks)).toBe(0);
  });

  it('accepts only encrypted tokens when the options say so', async () => {
    const { publicKey, privateKey } = await generateKeyPair('ECDH-ES+A256KW', { extractable: true });
    const alg = 'ECDH-ES+A256KW';
    const verifier = verifierOf({
      idTokenEncryption: { alg, enc: 'A256GCM', privateKeys: [await exportJWK(privateKey)] },
    });
    const encryptTo = { key: publicKey, alg };
    const plain = await token({ claims: { jti: 'j' } });
    const encrypted = await token({ claims: { jti: 'j' }, encryptTo });

    const verified = await verifier.verify(encrypted, {});
    expect(verified).toMatchObject({ sub: 'alice' });
    expect(verified.idTokenHash).toBe((await verifierOf({}).verify(plain, {})).idTokenHash);
    await expect(verifier.verify(plain, {})).rejects.toMatchObject({
      message:
        "The ID token does not have the encryption that the options name: it has none, the client's idTokenEncryption expects ECDH-ES+A256KW with A256GCM",
    });
    const another = await generateKeyPair(alg);
    for (const wrong of [
      await token({ encryptTo: { key: another.publicKey, alg } }),
      await token({ encryptTo: { key: publicKey, alg, enc: 'A128GCM' } }),
      'a.b.c.d.e',
    ]) {
      await expect(verifier.verify(wrong, {})).rejects.toMatchObject({
        message: 'The ID token is encrypted, and no key of this app decrypts it',
      });
    }
    await expect(verifierOf({}).verify(encrypted, {})).rejects.toMatchObject({ code: 'id_token_invalid' });

    const ofOther = {
      clientId: 'other',
      idTokenEncryption: { alg, enc: 'A256GCM', privateKeys: [await exportJWK(privateKey)] },
    };
    await expect(verifierOf({}, ofOther).verify(encrypted, {})).rejects.toMatchObject({
      message:
        'The ID token does not have the encryption that the options name: it has one of another client, the ' +
        "client's idTokenEncryption expects none",
    });
  });

  it.each<[unknown, number | undefined]>([
    [undefined, undefined],
    [seconds - 60, seconds - 60],
    [seconds - 59.5, seconds - 60],
    [1, 1],
    ['1', undefined],
    [0, undefined],
    [-1, undefined],
    // equal to iat: the provider has set it when the app redeemed its code
    [seconds, undefined],
    [seconds + 0.5, undefined],
    // the latest time at which the provider can have issued the token
    [seconds + 31, seconds + 31],
    [seconds + 31.001, undefined],
  ])('P5: auth_time %s: the login was at %s', async (authTime, expected) => {
    const verified = await verifierOf({}).verify(await claims({ auth_time: authTime }), {});
    expect(verified.authTime).toBe(expected);
    expect('authTime' in verified).toBe(expected !== undefined);
  });
});
