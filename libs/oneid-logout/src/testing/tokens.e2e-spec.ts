import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { compactDecrypt, decodeJwt, decodeProtectedHeader, jwtVerify, createLocalJWKSet } from 'jose';
import { OneIdTestProvider } from './oneid-test-provider.js';
import { createSigningKey } from './signing-keys.js';
import { suiteKey } from '../../../../test/support/suite-key.js';

const uuid: unknown = expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
const events = { 'http://schemas.openid.net/event/backchannel-logout': {} };
const seconds = 1_700_000_000;

describe('tokens', () => {
  let oneId: OneIdTestProvider;
  beforeAll(async () => {
    oneId = await OneIdTestProvider.start({ signingKey: await suiteKey(), now: () => seconds * 1000 + 999 });
  });
  afterAll(() => oneId.close());

  describe('logoutToken', () => {
    it("is like Hydra's by default: only sid, aud an array, no exp, no sub", async () => {
      const login = oneId.signIn({ sub: 'alice' });
      const token = await oneId.logoutToken({ clientId: 'shop', login });

      expect(decodeProtectedHeader(token)).toEqual({ alg: 'RS256', typ: 'JWT', kid: oneId.signingKey.kid });
      expect(decodeJwt(token)).toEqual({
        iss: oneId.issuer,
        aud: ['shop'],
        iat: seconds,
        jti: uuid,
        sid: login.sid,
        events,
      });
    });

    it('is like in the specification on request', async () => {
      const login = oneId.signIn({ sub: 'alice' });
      const token = await oneId.logoutToken({ clientId: 'shop', login, shape: 'spec' });

      expect(decodeProtectedHeader(token)).toEqual({ alg: 'RS256', typ: 'logout+jwt', kid: oneId.signingKey.kid });
      expect(decodeJwt(token)).toEqual({
        iss: oneId.issuer,
        aud: 'shop',
        iat: seconds,
        exp: seconds + 120,
        jti: uuid,
        sub: 'alice',
        sid: login.sid,
        events,
      });
    });

    it('has a sub on request', async () => {
      const { sub, sid } = decodeJwt(await oneId.logoutToken({ clientId: 'shop', sub: 'alice' }));

      expect([sub, sid]).toEqual(['alice', undefined]);
    });

    it('accepts any claim and header parameter, and omits undefined ones', async () => {
      const token = await oneId.logoutToken({
        clientId: 'shop',
        sid: 's',
        claims: { iss: 'https://evil.test', jti: undefined, events: [], nonce: 'n' },
        header: { typ: undefined, kid: 'other' },
      });

      expect(decodeProtectedHeader(token)).toEqual({ alg: 'RS256', kid: 'other' });
      expect(decodeJwt(token)).toEqual({
        iss: 'https://evil.test',
        aud: ['shop'],
        iat: seconds,
        sid: 's',
        events: [],
        nonce: 'n',
      });
    });

    it('is signed by the provider, with an unknown key, or not at all', async () => {
      const jwks = createLocalJWKSet(oneId.jwks);
      const request = { clientId: 'shop', sid: 's' };
      const stranger = await createSigningKey();
      const impostor = { key: stranger, header: { kid: oneId.signingKey.kid } };

      await expect(jwtVerify(await oneId.logoutToken(request), jwks)).resolves.toBeDefined();
      await expect(jwtVerify(await oneId.logoutToken({ ...request, key: stranger }), jwks)).rejects.toMatchObject({
        code: 'ERR_JWKS_NO_MATCHING_KEY',
      });
      await expect(jwtVerify(await oneId.logoutToken({ ...request, ...impostor }), jwks)).rejects.toMatchObject({
        code: 'ERR_JWS_SIGNATURE_VERIFICATION_FAILED',
      });
      expect(await oneId.logoutToken({ ...request, key: 'none' })).toMatch(/^[^.]+\.[^.]+\.$/);
    });

    it('is encrypted for a recipient on request', async () => {
      const { privateKey, publicJwk } = await createSigningKey();
      const key = { ...publicJwk, alg: 'RSA-OAEP-256', use: 'enc' };
      const token = await oneId.logoutToken({ clientId: 'shop', sid: 's', encryptTo: { key, header: { kid: 'enc' } } });

      const { plaintext, protectedHeader } = await compactDecrypt(token, privateKey);

      expect(protectedHeader).toEqual({ alg: 'RSA-OAEP-256', enc: 'A256GCM', cty: 'JWT', kid: 'enc' });
      expect(decodeJwt(new TextDecoder().decode(plaintext)).sid).toBe('s');
    });
  });

  it('idToken has the claims of the login, for an hour', async () => {
    const login = oneId.signIn({ sub: 'alice' });
    const token = await oneId.idToken({ clientId: 'shop', login, nonce: 'n-123456' });

    expect(decodeProtectedHeader(token)).toEqual({ alg: 'RS256', typ: 'JWT', kid: oneId.signingKey.kid });
    expect(decodeJwt(token)).toEqual({
      iss: oneId.issuer,
      aud: ['shop'],
      sub: 'alice',
      sid: login.sid,
      iat: seconds,
      exp: seconds + 3600,
      auth_time: seconds,
      rat: seconds,
      jti: uuid,
      nonce: 'n-123456',
    });
  });

  it('idToken has a random sub and sid, and no nonce', async () => {
    const claims = decodeJwt(await oneId.idToken({ clientId: 'shop' }));

    expect(claims).toMatchObject({ sub: uuid, sid: uuid });
    expect(claims).not.toHaveProperty('nonce');
  });

  it('P38: accessToken has the sid of the request, and with Hydra v1.11 null instead', async () => {
    const old = await OneIdTestProvider.start({ signingKey: await suiteKey(), hydra: '1.11' });
    const request = { clientId: 'shop', sid: 's' };
    const sids = [
      decodeJwt(await oneId.accessToken(request)).sid,
      decodeJwt(await old.accessToken(request)).sid,
      decodeJwt(await old.accessToken({ ...request, claims: { sid: 'x' } })).sid,
      decodeJwt(await old.accessToken({ clientId: 'shop' })).sid,
    ];
    await old.close();

    expect(sids).toEqual(['s', null, 'x', undefined]);
  });

  it("accessToken has the login's sub and never its sid", async () => {
    const login = oneId.signIn({ sub: 'alice' });

    expect(decodeJwt(await oneId.accessToken({ clientId: 'shop', login }))).toEqual({
      iss: oneId.issuer,
      aud: [],
      sub: 'alice',
      client_id: 'shop',
      scp: ['openid'],
      ext: {},
      iat: seconds,
      nbf: seconds,
      exp: seconds + 3600,
      jti: uuid,
    });
  });
});
