import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { exportJWK, generateKeyPair, type GenerateKeyPairResult, SignJWT } from 'jose';
import { endpointPaths } from './endpoint-paths.js';
import { OneIdTestProvider } from './oneid-test-provider.js';
import { suiteKey } from '../../../../test/support/suite-key.js';

describe('revocation', () => {
  let oneId: OneIdTestProvider;
  let key: GenerateKeyPairResult;
  const now = 1_700_000_000_000;
  beforeAll(async () => {
    key = await generateKeyPair('ES256');
    oneId = await OneIdTestProvider.start({
      signingKey: await suiteKey(),
      clients: [
        { clientId: 'a b', clientSecret: 's:1/+%' },
        { clientId: 'post', clientSecret: 's2', tokenEndpointAuthMethod: 'client_secret_post' },
        { clientId: 'public' },
        { clientId: 'signed', assertionKey: { ...(await exportJWK(key.publicKey)), alg: 'ES256' } },
      ],
      now: () => now,
    });
  });
  afterAll(() => oneId.close());

  const revoke = (form: Record<string, string>, authorization?: string) =>
    fetch(oneId.url(endpointPaths.revocation), {
      method: 'POST',
      body: new URLSearchParams(form),
      headers: authorization === undefined ? {} : { Authorization: authorization },
    });
  const basic = (clientId: string, secret: string) =>
    `Basic ${Buffer.from([clientId, secret].map(encodeURIComponent).join(':')).toString('base64')}`;

  it('accepts Basic, form and public clients, and answers 200 to an unknown token', async () => {
    const responses = [
      await revoke({ token: 't1', token_type_hint: 'refresh_token' }, basic('a b', 's:1/+%')),
      await revoke({ token: 't2', client_id: 'post', client_secret: 's2' }),
      await revoke({ token: 't3', client_id: 'public' }),
    ];

    expect(responses.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(oneId.revoked).toEqual([
      { token: 't1', tokenTypeHint: 'refresh_token', clientId: 'a b', effective: false, at: now },
      { token: 't2', clientId: 'post', effective: false, at: now },
      { token: 't3', clientId: 'public', effective: false, at: now },
    ]);
  });

  it.each([
    ['no client', { token: 't' }, undefined],
    ['an unknown client', { token: 't', client_id: 'nobody' }, undefined],
    ['a wrong secret', { token: 't' }, basic('a b', 'wrong')],
    ['a missing secret', { token: 't', client_id: 'a b' }, undefined],
    ['another method than the registered one', { token: 't' }, basic('post', 's2')],
  ])('refuses %s', async (_, form, authorization) => {
    const before = oneId.revoked.length;
    const response = await revoke(form, authorization);

    expect(response.status).toBe(401);
    expect(await response.json()).toEqual({
      error: 'invalid_client',
      error_description: 'Client authentication failed.',
    });
    expect(oneId.revoked).toHaveLength(before);
  });

  it('accepts a client with private_key_jwt, and refuses a forged signature', async () => {
    const assertion = (claims: object = {}, signWith = key.privateKey) =>
      new SignJWT({
        iss: 'signed',
        sub: 'signed',
        aud: oneId.url(endpointPaths.token),
        exp: now / 1000 + 60,
        jti: 'j',
        ...claims,
      })
        .setProtectedHeader({ alg: 'ES256' })
        .sign(signWith);
    const statusOf = async (client_assertion: string, form = {}) => {
      const client_assertion_type = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
      return (await revoke({ token: 't', client_assertion_type, client_assertion, ...form })).status;
    };

    expect(await statusOf(await assertion())).toBe(200);
    expect(oneId.revoked.at(-1)?.clientId).toBe('signed');
    for (const claims of [{ aud: oneId.issuer }, { iss: 'x' }, { sub: 'x' }, { exp: now / 1000 }, { exp: undefined }]) {
      expect(await statusOf(await assertion(claims))).toBe(401);
    }
    expect(await statusOf(await assertion({}, (await generateKeyPair('ES256')).privateKey))).toBe(401);
    expect(await statusOf(await assertion(), { client_assertion_type: 'x' })).toBe(401);
    expect(await statusOf(await assertion(), { client_id: 'public' })).toBe(401);
    expect(await statusOf('x')).toBe(401);
    expect((await revoke({ token: 't', client_id: 'signed' })).status).toBe(401);
  });

  it('refuses a request without a token', async () => {
    const response = await revoke({ client_id: 'public' });

    expect(response.status).toBe(400);
    expect(await response.json()).toEqual({ error: 'invalid_request', error_description: 'The token is missing.' });
  });

  it("P24: revokes nothing while Hydra's database fails: 401 from v1.11, 200 from v2", async () => {
    const token = oneId.refreshToken({ clientId: 'public', login: oneId.signIn() });
    oneId.fail(endpointPaths.revocation, { databaseDown: true, times: 2 });
    expect((await revoke({ token, client_id: 'public' })).status).toBe(200);
    expect((await revoke({ token, client_id: 'nobody' })).status).toBe(401);
    expect(oneId.revoked.at(-1)).toEqual({ token, clientId: 'public', effective: false, at: now });
    await revoke({ token, client_id: 'public' });
    expect(oneId.revoked.at(-1)).toEqual({ token, clientId: 'public', effective: true, at: now });

    const old = await OneIdTestProvider.start({
      ...{ signingKey: await suiteKey(), hydra: '1.11', clients: [{ clientId: 'public' }] },
    });
    old.fail('*', { databaseDown: true });
    const body = new URLSearchParams({ token, client_id: 'public' });
    const answers = [
      await fetch(old.url(endpointPaths.revocation), { method: 'POST', body }),
      await fetch(old.url(endpointPaths.jwks)),
    ];
    const described = await Promise.all(answers.map(async (answer) => [answer.status, await answer.json()]));
    await old.close();

    expect([described, old.revoked]).toEqual([
      [
        [401, { error: 'invalid_client', error_description: 'Client authentication failed.' }],
        [500, { error: 'server_error', error_description: 'The database failed.' }],
      ],
      [],
    ]);
  });

  it('revokes an active refresh token once, and never a token of another client', async () => {
    const token = oneId.refreshToken({ clientId: 'public', login: oneId.signIn() });
    const before = oneId.revoked.length;
    await revoke({ token, client_id: 'post', client_secret: 's2' });
    await revoke({ token, client_id: 'public' });
    await revoke({ token, client_id: 'public' });

    expect(oneId.revoked.slice(before).map(({ effective }) => effective)).toEqual([false, true, false]);
  });
});
