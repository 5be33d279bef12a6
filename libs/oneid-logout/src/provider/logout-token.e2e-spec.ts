import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { TestClock } from '../../../../test/support/test-clock.js';
import { CompactEncrypt, exportJWK, generateKeyPair, type JWK } from 'jose';
import { resolveOptions } from '../oneid-logout.options.js';
import { type IdTokenEncryptionOptions, type OneIdClientOptions } from './client-options.js';
import { OneIdClients } from './oneid-clients.js';
import {
  backchannelLogoutEvent,
  type Claims,
  createSigningKey,
  endpointPaths,
  type LogoutTokenRequest,
  OneIdTestProvider,
  signCompact,
  type SigningKey,
} from '../testing/index.js';
import { LogoutTokenVerifier } from './logout-token.js';
import { TokenTimes } from './token-times.js';
import { suiteKey } from '../../../../test/support/suite-key.js';

const clientId = 'app';
const now = Date.UTC(2026, 0, 1);
const seconds = now / 1000;
const clock = new TestClock(now);

let oneId: OneIdTestProvider;
let stranger: SigningKey;
beforeAll(async () => {
  oneId = await OneIdTestProvider.start({ now: () => now, signingKey: await suiteKey() });
  stranger = await createSigningKey();
});
afterEach(() => {
  oneId.heal();
  oneId.clearRequests();
});
afterAll(() => oneId.close());

function verifierOf(...clients: Partial<OneIdClientOptions>[]): LogoutTokenVerifier {
  const postLogoutRedirectUri = 'https://app.example/logout/callback';
  const options = resolveOptions({
    clients: clients.map((client) => ({ issuer: oneId.issuer, clientId, postLogoutRedirectUri, ...client })),
  });
  const times = new TokenTimes(clock, 30, () => Promise.resolve(now));
  return new LogoutTokenVerifier(new OneIdClients(options.clients, clock), times);
}

const token = (request: Partial<LogoutTokenRequest> = {}) => oneId.logoutToken({ clientId, sid: 'sid', ...request });
const claims = (changed: Claims) => token({ claims: changed });

/** Checks the refusal, and that the verifier sent no request. */
async function refusalOf(logoutToken: string | Promise<string>, verifier = verifierOf({})) {
  const error: unknown = await verifier.verify(await logoutToken).catch((refusal: unknown) => refusal);
  const { code, message, constructor } = error as Error & { code?: unknown };
  return { code, message, name: constructor.name, requests: oneId.requests.length };
}
const refused = (code: string, message: unknown, requests = 0) => ({
  code,
  message,
  name: 'InvalidLogoutTokenError',
  requests,
});

const malformed = refused('logout_token_malformed', 'the logout token is not a signed JWT');
const encryption = (requests = 0) =>
  refused(
    'logout_token_encryption_not_allowed',
    expect.stringMatching(/^the logout token does not have the encryption that the options name: /),
    requests,
  );
const secretHint =
  'the signature is not valid: with HS256, clientAuthentication.clientSecret must be the key. Keycloak uses a key that no client gets: have it sign with RS256';

describe('LogoutTokenVerifier', () => {
  it('returns the claims of a valid token', async () => {
    const logoutToken = await token({ shape: 'spec', sub: 'alice', claims: { jti: 'jti' } });

    expect(await verifierOf({}).verify(logoutToken)).toEqual({
      issuer: oneId.issuer,
      clientId,
      jti: 'jti',
      iat: seconds,
      sid: 'sid',
      sub: 'alice',
      scope: 'session',
    });
  });

  it('returns times in whole seconds, as the store needs them', async () => {
    expect(await verifierOf({}).verify(await claims({ iat: seconds - 0.25 }))).toMatchObject({ iat: seconds - 1 });
  });

  it('P5: a provider that reuses a sid: the logout reaches logins until the latest time of its token', async () => {
    const verifier = verifierOf({ reusesSid: true, iatBackdatingSeconds: 300 });
    expect(await verifier.verify(await token())).toMatchObject({ authenticatedUntil: seconds + 300 + 30 });
    expect(await verifierOf({}).verify(await token())).not.toHaveProperty('authenticatedUntil');
  });

  it('BC-2: takes a token with exp when the client requires it', async () => {
    const verifier = verifierOf({ requireLogoutTokenExp: true });
    expect(await verifier.verify(await claims({ exp: seconds + 60 }))).toMatchObject({ sid: 'sid' });
  });

  it('fetches the keys of each provider again, once for all of its clients', async () => {
    const verifier = verifierOf({}, { clientId: 'other' });
    await verifier.verify(await token());
    oneId.clearRequests();
    await verifier.refreshKeys();
    expect(oneId.requests.map(({ path }) => path)).toEqual([endpointPaths.jwks]);
  });

  it('BC-5: accepts a sid and a sub of 255 characters, and no longer ones', async () => {
    const [fits, long] = ['x'.repeat(255), 'x'.repeat(256)];
    const subjects = 'the token needs a sid or a sub, as a non-empty string';
    for (const name of ['sid', 'sub']) {
      await expect(verifierOf({}).verify(await claims({ [name]: fits }))).resolves.toMatchObject({ [name]: fits });
      expect(await refusalOf(claims({ [name]: long }))).toMatchObject({ message: subjects });
      for (const other of [7, ['x'], {}, true]) {
        expect(await refusalOf(claims({ [name]: other }))).toMatchObject({ message: subjects });
      }
    }
    await expect(verifierOf({}).verify(await claims({ sid: undefined, sub: fits }))).resolves.toMatchObject({
      sub: fits,
    });
    expect(await refusalOf(claims({ jti: long }))).toMatchObject({ code: 'logout_token_jti_missing' });
    for (const other of [7, ['x'], {}, true]) {
      expect(await refusalOf(claims({ jti: other }))).toMatchObject({ code: 'logout_token_jti_missing' });
    }
  });

  it('BC-2: accepts only numbers as times', async () => {
    for (const time of [String(seconds), [seconds], true, {}]) {
      expect(await refusalOf(claims({ iat: time }))).toMatchObject({ code: 'logout_token_iat_invalid' });
      expect(await refusalOf(claims({ exp: time }))).toMatchObject({ code: 'logout_token_expired' });
    }
    expect(await refusalOf(claims({ iat: -1 }))).toMatchObject({ code: 'logout_token_iat_invalid' });
    expect(await refusalOf(claims({ exp: 1e300 }))).toMatchObject({ code: 'logout_token_expired' });
  });

  it('BC-6: refuses an event that is null', async () => {
    for (const events of [null, { [backchannelLogoutEvent]: null }]) {
      expect(await refusalOf(claims({ events }))).toMatchObject({ code: 'logout_token_events_invalid' });
    }
  });

  it('BC-9: accepts application/ in front of typ, once and nowhere else', async () => {
    const strict = verifierOf({ strictLogoutTokenTyp: true });
    for (const typ of ['application/logout+jwt', 'LOGOUT+JWT']) {
      await expect(strict.verify(await token({ header: { typ } }))).resolves.toMatchObject({ sid: 'sid' });
    }
    for (const typ of ['x-application/jwt', 'application/application/jwt', 'application/jwt/x', 'application/']) {
      expect(await refusalOf(token({ header: { typ } }))).toMatchObject({ code: 'logout_token_typ_not_allowed' });
    }
  });

  it('P1: takes further audiences that the client trusts, and says which came', async () => {
    const verifier = verifierOf({ trustedAudiences: ['271', 'account'] });
    for (const aud of [clientId, [clientId], ['271', clientId], [clientId, 'account', '271', clientId]]) {
      expect(await verifier.verify(await claims({ aud }))).toMatchObject({ clientId, sid: 'sid' });
    }
    oneId.clearRequests();
    const expected = "expected 'app', and beside it only the client's trustedAudiences";
    for (const [aud, came] of [
      [['271'], "'271'"],
      [[clientId, '271', 'x'], "'app', '271', 'x'"],
      [[clientId, null], "'app', null"],
      [[clientId, ['271']], "'app', a value of type object"],
      [[], 'an empty list'],
      [null, 'null'],
      [undefined, 'missing'],
      [[clientId, `a\nb"c'd\u202e`, '1', '2', '3', '4', '5'], "'app', 'a?b?c?d?', '1', '2', '3' and 2 more"],
      ['x'.repeat(101), `'${'x'.repeat(100)}...'`],
    ] as const) {
      expect(await refusalOf(claims({ aud }), verifier)).toEqual(
        refused('logout_token_audience_mismatch', `aud is ${came}, ${expected}`),
      );
    }
  });

  it('P1: one client does not trust the audiences of another', async () => {
    const verifier = verifierOf({ trustedAudiences: ['271'] }, { clientId: 'second' });

    expect(await verifier.verify(await claims({ aud: ['second', clientId, '271'] }))).toMatchObject({ clientId });
    oneId.clearRequests();
    expect(await refusalOf(claims({ aud: ['second', '271'] }), verifier)).toEqual(
      refused(
        'logout_token_audience_mismatch',
        "aud is 'second', '271', expected 'app', 'second', and beside it only the client's trustedAudiences",
      ),
    );
  });

  it.each([null, ''])('P7: a claim that is %j counts as absent', async (absent) => {
    const verified = async (changed: Claims) => verifierOf({}).verify(await claims(changed));

    expect(await verified({ exp: absent, sub: absent, azp: absent, nbf: absent })).toMatchObject({
      sid: 'sid',
      sub: undefined,
    });
    expect(await verified({ sid: absent, sub: 'alice' })).toMatchObject({ sid: undefined, sub: 'alice' });
    oneId.clearRequests();
    for (const [changed, code] of [
      [{ iss: absent }, 'logout_token_issuer_unknown'],
      [{ aud: absent }, 'logout_token_audience_mismatch'],
      [{ iat: absent }, 'logout_token_iat_invalid'],
      [{ jti: absent }, 'logout_token_jti_missing'],
      [{ events: absent }, 'logout_token_events_invalid'],
      [{ sid: absent }, 'logout_token_subject_missing'],
      [{ sid: absent, sub: absent }, 'logout_token_subject_missing'],
      [{ nonce: absent }, 'logout_token_nonce_present'],
    ] as const) {
      expect(await refusalOf(claims(changed))).toMatchObject({ code, requests: 0 });
    }
    const strict = verifierOf({ requireLogoutTokenExp: true });
    expect(await refusalOf(claims({ exp: absent }), strict)).toMatchObject({ code: 'logout_token_exp_missing' });
    // the header has no claims: BC-9 refuses each typ that is not allowed
    expect(await refusalOf(token({ header: { typ: absent } }))).toMatchObject({ code: 'logout_token_typ_not_allowed' });
  });

  it("returns the client's logoutScope", async () => {
    expect(await verifierOf({ logoutScope: 'user' }).verify(await token())).toMatchObject({ scope: 'user' });
  });

  describe('refuses without a request to the provider', () => {
    it.each<[string, () => string | Promise<string>]>([
      ['', () => ''],
      ['a word', () => 'token'],
      ['two parts', () => 'a.b'],
      ['four parts', () => 'a.b.c.d'],
      ['six parts', () => 'a.b.c.d.e.f'],
      ['a header that is not JSON', () => 'x.e30.x'],
      ['a payload that is not an object', () => signCompact('[]', oneId.signingKey)],
      ['more than 16 KiB', () => claims({ padding: 'x'.repeat(13_000) })],
    ])('%s', async (_name, logoutToken) => {
      expect(await refusalOf(logoutToken())).toEqual(malformed);
    });

    const invalid: [string, () => string | Promise<string>, string, string][] = [
      [
        'an unknown iss',
        () => claims({ iss: 'https://x.example' }),
        'logout_token_issuer_unknown',
        'iss is not the issuer of a configured provider',
      ],
      [
        'an iss of another type',
        () => claims({ iss: 1 }),
        'logout_token_issuer_unknown',
        'iss is not the issuer of a configured provider',
      ],
      [
        'another aud',
        () => claims({ aud: 'x' }),
        'logout_token_audience_mismatch',
        "aud is 'x', expected 'app', and beside it only the client's trustedAudiences",
      ],
      [
        'an aud with others',
        () => claims({ aud: [clientId, 'x'] }),
        'logout_token_audience_mismatch',
        "aud is 'app', 'x', expected 'app', and beside it only the client's trustedAudiences",
      ],
      [
        'another alg',
        () => token({ header: { alg: 'ES256' } }),
        'logout_token_alg_not_allowed',
        'alg is not the algorithm that the options name',
      ],
      [
        'alg none',
        () => token({ key: 'none' }),
        'logout_token_alg_not_allowed',
        'alg is not the algorithm that the options name',
      ],
      [
        'another typ',
        () => token({ header: { typ: 'at+jwt' } }),
        'logout_token_typ_not_allowed',
        'typ is not allowed for a logout token',
      ],
      [
        'crit',
        () => token({ header: { crit: ['x'] } }),
        'logout_token_crit_not_supported',
        'crit names an unsupported extension',
      ],
      ['no iat', () => claims({ iat: undefined }), 'logout_token_iat_invalid', 'iat is missing or in the future'],
      [
        'an infinite iat',
        () =>
          signCompact(
            JSON.stringify({ iss: oneId.issuer, aud: clientId }).replace('}', ',"iat":1e999}'),
            oneId.signingKey,
          ),
        'logout_token_iat_invalid',
        'iat is missing or in the future',
      ],
      [
        'an exp of another type',
        () => claims({ exp: 'x' }),
        'logout_token_expired',
        'exp is in the past, or is not a time',
      ],
      [
        'no event',
        () => claims({ events: {} }),
        'logout_token_events_invalid',
        'events does not contain the logout event',
      ],
      ['a nonce', () => claims({ nonce: null }), 'logout_token_nonce_present', 'nonce is not allowed'],
      ['no jti', () => claims({ jti: '' }), 'logout_token_jti_missing', 'jti is missing'],
      [
        'no subject',
        () => claims({ sid: undefined }),
        'logout_token_subject_missing',
        'the token needs a sid or a sub, as a non-empty string',
      ],
      [
        'a bad sub',
        () => claims({ sub: 7 }),
        'logout_token_subject_missing',
        'the token needs a sid or a sub, as a non-empty string',
      ],
    ];
    it.each(invalid)('%s', async (_name, logoutToken, code, message) => {
      expect(await refusalOf(logoutToken())).toEqual(refused(code, message));
    });

    it('no exp, when the client requires it', async () => {
      expect(await refusalOf(token(), verifierOf({ requireLogoutTokenExp: true }))).toEqual(
        refused('logout_token_exp_missing', 'exp is missing'),
      );
    });

    it('typ JWT, when the client requires logout+jwt', async () => {
      expect(await refusalOf(token(), verifierOf({ strictLogoutTokenTyp: true }))).toEqual(
        refused('logout_token_typ_not_allowed', 'typ is not allowed for a logout token'),
      );
    });

    it('a client of another issuer', async () => {
      const verifier = verifierOf({}, { issuer: 'https://other.example/', clientId: 'other' });

      expect(await refusalOf(claims({ aud: 'other' }), verifier)).toMatchObject({
        code: 'logout_token_audience_mismatch',
        requests: 0,
      });
    });
  });

  it('accepts values at the limits', async () => {
    for (const changed of [{ iat: seconds + 30 }, { iat: seconds - 630 }, { exp: seconds - 29 }]) {
      expect(await verifierOf({}).verify(await claims(changed))).toMatchObject({ clientId });
    }
  });

  it('reports the cheaper of two faults, from the form of the token to its signature', async () => {
    const faults: [string, Claims, Claims][] = [
      ['logout_token_issuer_unknown', { iss: 'https://x.example' }, {}],
      ['logout_token_audience_mismatch', { aud: 'x' }, {}],
      ['logout_token_alg_not_allowed', {}, { alg: 'ES256' }],
      ['logout_token_typ_not_allowed', {}, { typ: 'x' }],
      ['logout_token_crit_not_supported', {}, { crit: ['x'] }],
      ['logout_token_iat_invalid', { iat: undefined }, {}],
      ['logout_token_expired', { exp: 'x' }, {}],
      ['logout_token_events_invalid', { events: 1 }, {}],
      ['logout_token_nonce_present', { nonce: 1 }, {}],
      ['logout_token_jti_missing', { jti: 1 }, {}],
      ['logout_token_subject_missing', { sid: 1 }, {}],
    ];
    for (const [index, [code]] of faults.entries()) {
      const rest = faults.slice(index);
      const all = (part: 1 | 2) => Object.assign({}, ...rest.map((fault) => fault[part])) as Claims;
      const logoutToken = await token({ key: stranger, claims: all(1), header: all(2) });

      expect(await refusalOf(logoutToken)).toMatchObject({ code, requests: 0 });
    }
  });

  describe('with a request to the provider', () => {
    const order = [endpointPaths.discovery, endpointPaths.jwks];

    it("refuses an iss that differs from the provider's issuer, before it fetches the keys", async () => {
      const iss = oneId.issuer.slice(0, -1);

      expect(await refusalOf(claims({ iss }))).toEqual(
        refused('logout_token_issuer_unknown', `iss is '${iss}', but the provider's issuer is '${oneId.issuer}'`, 1),
      );
      expect(oneId.requests.map(({ path }) => path)).toEqual(order.slice(0, 1));
    });

    it('P2: an iat that is dated back may be so much older', async () => {
      const verifier = verifierOf({ iatBackdatingSeconds: 300 });
      expect(await verifier.verify(await claims({ iat: seconds - 930 }))).toMatchObject({ iat: seconds - 930 });
      expect(await refusalOf(claims({ iat: seconds - 931 }), verifier)).toMatchObject({ code: 'logout_token_too_old' });
    });

    it.each<[string, Claims, string, string]>([
      ['a future iat', { iat: seconds + 31 }, 'logout_token_iat_invalid', 'iat is missing or in the future'],
      ['an old iat', { iat: seconds - 631 }, 'logout_token_too_old', 'iat is too long ago'],
      ['a past exp', { exp: seconds - 30 }, 'logout_token_expired', 'exp is in the past, or is not a time'],
    ])('refuses %s, and first a bad signature', async (_name, changed, code, message) => {
      expect(await refusalOf(claims(changed))).toEqual(refused(code, message, 2));
      const { kid } = oneId.signingKey;
      expect(await refusalOf(token({ claims: changed, key: stranger, header: { kid } }))).toMatchObject({
        code: 'logout_token_signature_invalid',
      });
    });

    it('refuses a bad signature and an unknown key', async () => {
      const { kid } = oneId.signingKey;
      expect(await refusalOf(token({ key: stranger, header: { kid } }))).toEqual(
        refused('logout_token_signature_invalid', 'the signature is not valid', 2),
      );
      oneId.clearRequests();
      const old = { iat: seconds - 31 };
      expect(await refusalOf(token({ key: stranger, claims: old }))).toEqual(
        refused('logout_token_key_unknown', 'the provider has no such signing key', 2),
      );
      expect(oneId.requests.map(({ path }) => path)).toEqual(order);
    });

    it('P13: a key that may be newer than the fetched keys: fetches a few times, then answers 503', async () => {
      const verifier = verifierOf({});
      const { kid } = oneId.signingKey;
      const fresh = () => token({ key: stranger });
      const old = (iat: number) => token({ key: stranger, claims: { iat } });
      // the keys were fetched after these tokens arrived, so they decide
      for (let count = 2; count <= 4; count++) {
        expect(await refusalOf(fresh(), verifier)).toEqual(
          refused('logout_token_key_unknown', 'the provider has no such signing key', count),
        );
      }
      // no fetch is left, and the key of this token may be newer
      for (const undecided of [fresh(), old(seconds - 30), token({ key: stranger, header: { kid } })]) {
        await expect(verifier.verify(await undecided)).rejects.toMatchObject({
          code: 'provider_unavailable',
          status: 503,
          message: "The provider's current keys are not available, try again",
        });
      }
      expect(await refusalOf(old(seconds - 31), verifier)).toEqual(
        refused('logout_token_key_unknown', 'the provider has no such signing key', 4),
      );
      expect(await verifier.verify(await token())).toMatchObject({ sid: 'sid' });
    });

    it('P36: takes the header EdDSA with the option Ed25519, and the reverse', async () => {
      const key = await oneId.addKey('Ed25519');
      for (const [option, alg] of [
        ['Ed25519', 'EdDSA'],
        ['EdDSA', 'Ed25519'],
      ] as const) {
        const verifier = verifierOf({ idTokenSignedResponseAlg: option });
        expect(await verifier.verify(await token({ key, header: { alg } }))).toMatchObject({ sid: 'sid' });
        expect((await refusalOf(token({ key, header: { alg: 'ES256' } }), verifier)).code).toBe(
          'logout_token_alg_not_allowed',
        );
      }
    });
  });

  it.each(['=', '==', '+', '/', ' ', '\n', '\u00e9', '.'])(
    'P22: refuses a token with %j in any part (RFC 7515 §2), before any request',
    async (character) => {
      const parts = (await token()).split('.');
      for (const [n, part] of parts.entries()) {
        for (const odd of [part + character, character + part]) {
          expect(await refusalOf(parts.with(n, odd).join('.'))).toEqual(malformed);
        }
      }
    },
  );

  describe('with tokens signed by the client secret', () => {
    const clientSecret = 's'.repeat(64);
    const clientAuthentication = { clientSecret };

    it.each(['HS256', 'HS384', 'HS512'] as const)('BC-3, P35: accepts %s and never fetches keys', async (alg) => {
      const verifier = verifierOf({ clientAuthentication, idTokenSignedResponseAlg: alg });

      expect(await verifier.verify(await token({ key: { secret: clientSecret, alg } }))).toMatchObject({ sid: 'sid' });
      expect(await refusalOf(token({ key: { secret: 'other', alg } }), verifier)).toEqual(
        refused('logout_token_signature_invalid', secretHint.replace('HS256', alg), 1),
      );
      expect(oneId.count(endpointPaths.jwks)).toBe(0);
    });

    it('BC-3: accepts no other alg then, and no HS256 for another client', async () => {
      const verifier = verifierOf({ clientAuthentication, idTokenSignedResponseAlg: 'HS256' });
      const notAllowed = refused('logout_token_alg_not_allowed', 'alg is not the algorithm that the options name');

      expect(await refusalOf(token(), verifier)).toEqual(notAllowed);
      expect(await refusalOf(token({ key: { secret: clientSecret, alg: 'HS512' } }), verifier)).toEqual(notAllowed);
      expect(await refusalOf(token({ key: { secret: clientSecret } }), verifierOf({ clientAuthentication }))).toEqual(
        notAllowed,
      );
    });

    it.each([
      ['HS256', 32],
      ['HS384', 48],
      ['HS512', 64],
    ])('BC-3: %s needs a secret of %d bytes, and the boot checks this', (alg, least) => {
      const fault = {
        code: 'options_invalid',
        faults: [
          `clients[0].clientAuthentication.clientSecret must have at least ${least} bytes, because idTokenSignedResponseAlg is ${alg}`,
        ],
      };
      const boot = (secret?: string) => () => {
        verifierOf({
          idTokenSignedResponseAlg: alg,
          ...(secret !== undefined && { clientAuthentication: { clientSecret: secret } }),
        });
      };

      expect(boot()).toThrow(expect.objectContaining(fault));
      expect(boot('s'.repeat(least - 1))).toThrow(expect.objectContaining(fault));
      expect(boot('s'.repeat(least))).not.toThrow();
    });

    it("BC-3: refuses a MAC made with a public key or with another client's secret", async () => {
      const verifier = verifierOf(
        { clientAuthentication, idTokenSignedResponseAlg: 'HS256' },
        {
          clientId: 'other',
          clientAuthentication: { clientSecret: 'o'.repeat(32) },
          idTokenSignedResponseAlg: 'HS256',
        },
      );
      for (const secret of [oneId.signingKey.publicPem, 'o'.repeat(32), '']) {
        expect(await refusalOf(token({ key: { secret } }), verifier)).toMatchObject({
          code: 'logout_token_signature_invalid',
        });
      }
    });

    it('BC-3: each client has its own algorithm at the same provider', async () => {
      const verifier = verifierOf(
        { clientAuthentication, idTokenSignedResponseAlg: 'HS256' },
        { clientId: 'other', clientAuthentication: { clientSecret: 'o'.repeat(32) } },
      );

      expect(await verifier.verify(await token({ key: { secret: clientSecret } }))).toMatchObject({ clientId });
      expect(await verifier.verify(await token({ clientId: 'other' }))).toMatchObject({ clientId: 'other' });
      expect(await refusalOf(token({ clientId: 'other', key: { secret: clientSecret } }), verifier)).toMatchObject({
        code: 'logout_token_alg_not_allowed',
      });
    });
  });

  describe('with encrypted tokens', () => {
    const makeKeys = async (alg: string, options: object = {}): Promise<{ own: JWK; theirs: JWK }> => {
      const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true, ...options });
      return { own: await exportJWK(privateKey), theirs: await exportJWK(publicKey) };
    };
    let rsa: { own: JWK; theirs: JWK };
    let other: { own: JWK; theirs: JWK };
    beforeAll(async () => {
      [rsa, other] = [await makeKeys('RSA-OAEP-256'), await makeKeys('RSA-OAEP-256')];
    });
    const client = (changed: Partial<IdTokenEncryptionOptions> = {}): Partial<OneIdClientOptions> => ({
      idTokenEncryption: { alg: 'RSA-OAEP-256', enc: 'A256GCM', privateKeys: [rsa.own], ...changed },
    });
    const failed = refused('logout_token_decryption_failed', 'the logout token cannot be decrypted');

    it.each([
      ['RSA-OAEP', 'A128CBC-HS256', {}],
      ['RSA-OAEP-256', 'A256GCM', {}],
      ['RSA-OAEP-512', 'A256CBC-HS512', {}],
      ['ECDH-ES', 'A128GCM', { crv: 'P-256' }],
      ['ECDH-ES+A256KW', 'A256GCM', { crv: 'P-384' }],
      ['ECDH-ES+A128KW', 'A192GCM', { crv: 'X25519' }],
    ])('BC-14: accepts %s with %s', async (alg, enc, options) => {
      const { own, theirs } = await makeKeys(alg, options);
      const verifier = verifierOf(client({ alg, enc, privateKeys: [own] }));

      expect(await verifier.verify(await token({ encryptTo: { key: theirs, alg, enc } }))).toMatchObject({
        sid: 'sid',
      });
    });

    it('BC-14: checks the token inside completely', async () => {
      const encryptTo = { key: rsa.theirs };
      const verifier = verifierOf(client());

      expect(await refusalOf(token({ encryptTo, claims: { nonce: 'n' } }), verifier)).toMatchObject({
        code: 'logout_token_nonce_present',
        requests: 0,
      });
      expect(await refusalOf(token({ encryptTo, key: 'none' }), verifier)).toMatchObject({
        code: 'logout_token_alg_not_allowed',
        requests: 0,
      });
      const header = { kid: oneId.signingKey.kid };
      expect(await refusalOf(token({ encryptTo, key: stranger, header }), verifier)).toMatchObject({
        code: 'logout_token_signature_invalid',
      });
    });

    it('BC-14: refuses a plain token then, before it checks the claims', async () => {
      expect(await refusalOf(claims({ nonce: 'n' }), verifierOf(client()))).toEqual(encryption());
    });

    it('BC-14: refuses an encrypted token when the options name no encryption', async () => {
      expect(await refusalOf(token({ encryptTo: { key: rsa.theirs } }))).toEqual(encryption());
    });

    it('BC-14: refuses another alg or enc with every key', async () => {
      const verifier = verifierOf(client());
      const secret = new TextEncoder().encode('the-secret-of-app-the-secret-of-');
      for (const encryptTo of [
        { key: rsa.theirs, alg: 'RSA-OAEP' },
        { key: rsa.theirs, enc: 'A128GCM' },
        { key: secret, alg: 'dir' },
        { key: secret, alg: 'A256KW' },
        { key: secret, alg: 'A256GCMKW' },
        { key: secret, alg: 'PBES2-HS256+A128KW' },
      ]) {
        expect(await refusalOf(token({ encryptTo }), verifier)).toEqual(encryption());
      }
    });

    it('BC-14: refuses zip and crit', async () => {
      const [header, ...rest] = (await token({ encryptTo: { key: rsa.theirs } })).split('.');
      const parsed = JSON.parse(Buffer.from(header ?? '', 'base64url').toString()) as object;
      for (const added of [{ zip: 'DEF' }, { zip: 7 }, { crit: ['x'], x: 1 }]) {
        const changed = Buffer.from(JSON.stringify({ ...parsed, ...added })).toString('base64url');
        expect(await refusalOf([changed, ...rest].join('.'), verifierOf(client()))).toEqual(encryption());
      }
    });

    it('BC-14: refuses a token that its keys do not decrypt, with the same error for every cause', async () => {
      const [header, key, iv, ciphertext, tag] = (await token({ encryptTo: { key: rsa.theirs } })).split('.');
      const changed = (part: string | undefined) =>
        `${part?.startsWith('A') === true ? 'B' : 'A'}${part?.slice(1) ?? ''}`;
      const tokens = [
        await token({ encryptTo: { key: other.theirs } }),
        [header, changed(key), iv, ciphertext, tag].join('.'),
        [header, key, changed(iv), ciphertext, tag].join('.'),
        [header, key, iv, changed(ciphertext), tag].join('.'),
        [header, key, iv, ciphertext, changed(tag)].join('.'),
        [header, '', iv, ciphertext, tag].join('.'),
      ];
      for (const wrong of tokens) expect(await refusalOf(wrong, verifierOf(client()))).toEqual(failed);
    });

    it.each(['a.b.c.d.e', '....', 'e30.e30.e30.e30.', `${Buffer.from('[]').toString('base64url')}....`])(
      'BC-14: refuses %s',
      async (wrong) => {
        expect(await refusalOf(wrong, verifierOf(client()))).toMatchObject({ name: 'InvalidLogoutTokenError' });
      },
    );

    it('BC-14: accepts the enc A128CBC-HS256 when the options name no enc', async () => {
      const verifier = verifierOf({ idTokenEncryption: { alg: 'RSA-OAEP-256', privateKeys: [rsa.own] } });
      const withEnc = (enc: string) => token({ encryptTo: { key: rsa.theirs, enc } });

      expect(await verifier.verify(await withEnc('A128CBC-HS256'))).toMatchObject({ sid: 'sid' });
      expect(await refusalOf(withEnc('A256GCM'), verifier)).toEqual(encryption(2));
    });

    it('P30: takes plain logout tokens beside encrypted ID tokens, as the options say', async () => {
      const verifier = verifierOf({ ...client(), logoutTokenEncryption: 'none' });

      expect(await verifier.verify(await token())).toMatchObject({ sid: 'sid' });
      oneId.clearRequests();
      expect(await refusalOf(token({ encryptTo: { key: rsa.theirs } }), verifier)).toEqual(
        refused(
          'logout_token_encryption_not_allowed',
          "the logout token does not have the encryption that the options name: it has 'RSA-OAEP-256' with 'A256GCM', which no client's logoutTokenEncryption names",
        ),
      );
      expect(await refusalOf(token(), verifierOf(client()))).toEqual(
        refused(
          'logout_token_encryption_not_allowed',
          "the logout token does not have the encryption that the options name: it has none, the client's logoutTokenEncryption expects RSA-OAEP-256 with A256GCM",
        ),
      );
      const plain = verifierOf({ ...client(), logoutTokenEncryption: 'none' }, { clientId: 'second', ...client() });
      expect(await refusalOf(token({ encryptTo: { key: rsa.theirs } }), plain)).toEqual(
        refused(
          'logout_token_encryption_not_allowed',
          "the logout token does not have the encryption that the options name: it has one of another client, the client's logoutTokenEncryption expects none",
        ),
      );
    });

    it('P30: takes logout tokens with an encryption of their own', async () => {
      const own = { alg: 'RSA-OAEP-256', enc: 'A256GCM', privateKeys: [other.own] };
      const verifier = verifierOf({ ...client(), logoutTokenEncryption: own });

      expect(await verifier.verify(await token({ encryptTo: { key: other.theirs } }))).toMatchObject({ sid: 'sid' });
      oneId.clearRequests();
      expect(await refusalOf(token({ encryptTo: { key: rsa.theirs } }), verifier)).toEqual(failed);
    });

    it('BC-14: requires keys and algorithm together, and the boot checks this', () => {
      const faultsOf = (changed: object) => {
        try {
          verifierOf(changed);
          return [];
        } catch (error) {
          return (error as { faults?: unknown }).faults;
        }
      };
      const publicKey: JWK = { ...rsa.own };
      delete publicKey.d;

      const noKeys = [
        'clients[0].idTokenEncryption.privateKeys must be a list of one or more complete private JWKs (RSA, EC or OKP)',
      ];
      const noAlg = [
        expect.stringMatching(/^clients\[0\]\.idTokenEncryption\.alg must be one of the following values: RSA-OAEP, /),
      ];
      expect(faultsOf({ idTokenEncryption: { alg: 'RSA-OAEP-256' } })).toEqual(noKeys);
      expect(faultsOf({ idTokenEncryption: { privateKeys: [rsa.own] } })).toEqual(noAlg);
      expect(faultsOf(client({ privateKeys: [] }))).toEqual(noKeys);
      for (const key of [publicKey, { kty: 'oct', k: 'c2VjcmV0', d: 'x' }, 'pem', null]) {
        expect(faultsOf(client({ privateKeys: [key as JWK] }))).toEqual(noKeys);
      }
      for (const alg of ['dir', 'PBES2-HS256+A128KW', 'A256KW', 'A256GCMKW', 'RSA1_5']) {
        expect(faultsOf(client({ alg }))).toEqual(noAlg);
      }
      expect(faultsOf(client({ enc: 'none' }))).toEqual([
        expect.stringMatching(/^clients\[0\]\.idTokenEncryption\.enc must be one of /),
      ]);
    });

    it('BC-14: refuses an encrypted token inside an encrypted token', async () => {
      const inner = await token({ encryptTo: { key: rsa.theirs } });
      const outer = await new CompactEncrypt(new TextEncoder().encode(inner))
        .setProtectedHeader({ alg: 'RSA-OAEP-256', enc: 'A256GCM' })
        .encrypt(rsa.theirs);

      expect(await refusalOf(outer, verifierOf(client()))).toEqual(malformed);
    });

    it('BC-14: accepts the key that the token names, and an older key', async () => {
      const privateKeys = [
        { ...other.own, kid: 'new' },
        { ...rsa.own, kid: 'old' },
      ];
      const verifier = verifierOf(client({ privateKeys }));
      const encrypted = (kid: string | undefined, key: JWK) => token({ encryptTo: { key, header: { kid } } });

      for (const good of [
        encrypted('new', other.theirs),
        encrypted('old', rsa.theirs),
        encrypted(undefined, rsa.theirs),
        encrypted('unheard-of', rsa.theirs),
      ]) {
        expect(await verifier.verify(await good)).toMatchObject({ sid: 'sid' });
      }
      expect(await refusalOf(encrypted('new', rsa.theirs), verifier)).toMatchObject({ code: failed.code });
    });

    it("BC-14: refuses one client's token that is encrypted for another client", async () => {
      const verifier = verifierOf(
        client(),
        { clientId: 'other', ...client({ privateKeys: [other.own] }) },
        { clientId: 'plain' },
      );

      expect(await verifier.verify(await token({ clientId: 'other', encryptTo: { key: other.theirs } }))).toMatchObject(
        {
          clientId: 'other',
        },
      );
      oneId.clearRequests();
      expect(await refusalOf(token({ clientId: 'other', encryptTo: { key: rsa.theirs } }), verifier)).toEqual(
        encryption(),
      );
      expect(await refusalOf(token({ clientId: 'plain', encryptTo: { key: rsa.theirs } }), verifier)).toEqual(
        encryption(),
      );
      expect(await verifier.verify(await token({ clientId: 'plain' }))).toMatchObject({ clientId: 'plain' });
    });
  });
});
