import { afterEach, describe, expect, it } from '@jest/globals';
import { createLocalJWKSet, createRemoteJWKSet, jwtVerify } from 'jose';
import { createSigningKey, endpointPaths, OneIdTestProvider, type OneIdTestProviderOptions } from './index.js';

describe('OneIdTestProvider', () => {
  const running: OneIdTestProvider[] = [];
  const start = async (options?: OneIdTestProviderOptions) => {
    const oneId = await OneIdTestProvider.start(options);
    running.push(oneId);
    return oneId;
  };
  afterEach(() => Promise.all(running.splice(0).map((oneId) => oneId.close())));

  const getJson = async (url: string): Promise<unknown> => (await fetch(url)).json();

  describe('discovery', () => {
    it('names all endpoints under an issuer that ends in a slash', async () => {
      const oneId = await start();
      const origin = oneId.issuer.slice(0, -1);

      expect(origin).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
      expect(await getJson(`${origin}/.well-known/openid-configuration`)).toEqual({
        issuer: `${origin}/`,
        authorization_endpoint: `${origin}/oauth2/auth`,
        token_endpoint: `${origin}/oauth2/token`,
        jwks_uri: `${origin}/.well-known/jwks.json`,
        revocation_endpoint: `${origin}/oauth2/revoke`,
        end_session_endpoint: `${origin}/oauth2/sessions/logout`,
        userinfo_endpoint: `${origin}/userinfo`,
        subject_types_supported: ['public'],
        response_types_supported: ['code'],
        response_modes_supported: ['query'],
        grant_types_supported: ['authorization_code', 'refresh_token'],
        scopes_supported: ['offline_access', 'offline', 'openid'],
        claims_supported: ['sub'],
        token_endpoint_auth_methods_supported: ['client_secret_post', 'client_secret_basic', 'none'],
        id_token_signing_alg_values_supported: ['RS256'],
        code_challenge_methods_supported: ['S256'],
        claims_parameter_supported: false,
        request_parameter_supported: false,
        request_uri_parameter_supported: false,
        backchannel_logout_supported: true,
        backchannel_logout_session_supported: true,
        frontchannel_logout_supported: true,
        frontchannel_logout_session_supported: true,
      });
    });

    it.each([
      ['/tenant', true, '/tenant/', '/tenant'],
      ['tenant/', false, '/tenant', '/tenant'],
      ['', false, '', ''],
    ])('with issuerPath %p and trailingSlash %p', async (issuerPath, trailingSlash, issuer, base) => {
      const oneId = await start({ issuerPath, trailingSlash });
      const { origin } = new URL(oneId.issuer);

      expect(oneId.issuer).toBe(origin + issuer);
      expect(await getJson(`${origin}${base}/.well-known/openid-configuration`)).toMatchObject({
        issuer: origin + issuer,
        jwks_uri: `${origin}${base}/.well-known/jwks.json`,
      });
      expect(await getJson(oneId.url(endpointPaths.jwks))).toEqual(oneId.jwks);
    });

    it('Hydra v1.11 ends every issuer in a slash', async () => {
      await expect(start({ hydra: '1.11', trailingSlash: false })).rejects.toThrow(
        "trailingSlash: false needs hydra: '2', because Hydra v1.11 ends every iss in a slash.",
      );
    });

    it("answers nothing outside of the issuer's path", async () => {
      const oneId = await start({ issuerPath: '/tenant' });
      const response = await fetch(new URL('/.well-known/openid-configuration', oneId.issuer));

      expect(response.status).toBe(404);
      expect(oneId.requests.map(({ path }) => path)).toEqual(['/../.well-known/openid-configuration']);
    });

    it('can be changed, at the start and later', async () => {
      const oneId = await start({
        metadata: { end_session_endpoint: undefined, frontchannel_logout_supported: false },
      });
      oneId.setMetadata({ issuer: 'https://evil.test' });
      const document = await getJson(oneId.url(endpointPaths.discovery));

      expect(document).toMatchObject({ issuer: 'https://evil.test', frontchannel_logout_supported: false });
      expect(document).not.toHaveProperty('end_session_endpoint');
    });
  });

  describe('keys', () => {
    it('serves the key that signs', async () => {
      const oneId = await start({ signingKey: await createSigningKey('ES256') });
      const jwks = createRemoteJWKSet(new URL(oneId.url(endpointPaths.jwks)));

      await expect(jwtVerify(await oneId.idToken({ clientId: 'shop' }), jwks)).resolves.toMatchObject({
        protectedHeader: { alg: 'ES256', kid: oneId.signingKey.kid },
      });
      expect(oneId.metadata.id_token_signing_alg_values_supported).toEqual(['ES256']);
    });

    it('rotates, and serves the new key before the old one', async () => {
      const oneId = await start();
      const [old, oldToken] = [oneId.signingKey, await oneId.idToken({ clientId: 'shop' })];
      const fresh = await oneId.rotateKeys();

      expect(oneId.signingKey).toBe(fresh);
      expect(oneId.jwks).toEqual({ keys: [fresh.publicJwk, old.publicJwk] });
      await expect(jwtVerify(oldToken, createLocalJWKSet(oneId.jwks))).resolves.toBeDefined();
    });

    it('rotates, and does not serve the old keys', async () => {
      const oneId = await start();
      const { publicJwk } = await oneId.rotateKeys({ keepOld: false, alg: 'PS256' });

      expect(oneId.jwks).toEqual({ keys: [publicJwk] });
      expect(publicJwk).toMatchObject({ alg: 'PS256', use: 'sig', kty: 'RSA' });
      expect(publicJwk).not.toHaveProperty('d');
    });

    it("P13: with Hydra v1.11, makes the key anew under Hydra's fixed kid", async () => {
      const oneId = await start({ hydra: '1.11' });
      const [old, oldToken] = [oneId.signingKey, await oneId.idToken({ clientId: 'shop' })];
      const fresh = await oneId.rotateKeys();

      expect([old.kid, fresh.kid]).toEqual(['public:hydra.openid.id-token', 'public:hydra.openid.id-token']);
      expect(fresh.publicJwk.n).not.toBe(old.publicJwk.n);
      expect(oneId.jwks).toEqual({ keys: [fresh.publicJwk] });
      await expect(jwtVerify(oldToken, createLocalJWKSet(oneId.jwks))).rejects.toMatchObject({
        code: 'ERR_JWS_SIGNATURE_VERIFICATION_FAILED',
      });
    });

    it('rotates under a kid of the test, with Hydra v1.11 also beside the old key', async () => {
      const signingKey = await createSigningKey('ES256', 'mine');
      const [one, two] = [await start({ signingKey, hydra: '1.11' }), await start({ signingKey })];
      await one.rotateKeys({ keepOld: true, kid: 'next' });
      await two.rotateKeys({ keepOld: false, kid: 'mine' });

      expect(one.jwks.keys.map(({ kid }) => kid)).toEqual(['next', 'mine']);
      expect(two.jwks.keys.map(({ kid }) => kid)).toEqual(['mine']);
    });

    it('adds a key of another algorithm, which signs on request', async () => {
      const oneId = await start();
      const { signingKey } = oneId;
      const key = await oneId.addKey('ES256');
      const token = await oneId.logoutToken({ clientId: 'shop', key });

      expect(oneId.signingKey).toBe(signingKey);
      await expect(jwtVerify(token, createLocalJWKSet(oneId.jwks))).resolves.toMatchObject({
        protectedHeader: { alg: 'ES256', kid: key.kid },
      });
    });
  });

  it('records the received requests', async () => {
    const oneId = await start({ now: () => 1_700_000_000_123 });
    await fetch(`${oneId.url('/somewhere')}?a=1&a=2`, {
      method: 'POST',
      headers: { 'X-Id': '7' },
      body: new URLSearchParams({ b: '3' }),
    });
    await fetch(oneId.url('/somewhere'), { method: 'POST', body: 'plain' });

    expect(oneId.requests[0]).toEqual({
      method: 'POST',
      path: '/somewhere',
      query: { a: '1' },
      form: { b: '3' },
      headers: expect.objectContaining({ 'x-id': '7' }) as unknown,
      body: 'b=3',
      at: 1_700_000_000_123,
    });
    expect(oneId.requests[1]).toMatchObject({ form: {}, body: 'plain' });
    expect([oneId.count('/somewhere'), oneId.count('/elsewhere')]).toEqual([2, 0]);
  });

  it('answers 500 with the reason when the test has an error', async () => {
    const oneId = await start({ wait: () => Promise.reject(new Error('no such wait')) });
    oneId.fail('/slow', { delayMs: 1 });
    const response = await fetch(oneId.url('/slow'));

    expect([response.status, await response.text()]).toEqual([500, 'Error: no such wait']);
  });

  it('answers 404 to an unknown path and 405 to a wrong method', async () => {
    const oneId = await start();
    const statuses = [await fetch(oneId.url('/nowhere')), await fetch(oneId.url(endpointPaths.token))];

    expect(statuses.map(({ status }) => status)).toEqual([404, 405]);
  });

  it('builds front-channel URLs and keeps the query', async () => {
    const oneId = await start();
    const iss = encodeURIComponent(oneId.issuer);

    expect(oneId.frontchannelUrl('https://rp.test/fc?tenant=a&z=1', { sid: 's' })).toBe(
      `https://rp.test/fc?iss=${iss}&sid=s&tenant=a&z=1`,
    );
    expect(oneId.frontchannelUrl('https://rp.test/fc', { sid: 's', iss: 'x' })).toBe('https://rp.test/fc?iss=x&sid=s');
  });
});
