import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { decodeJwt } from 'jose';
import * as client from 'openid-client';
import { endpointPaths } from './endpoint-paths.js';
import { OneIdTestProvider } from './oneid-test-provider.js';
import { suiteKey } from '../../../../test/support/suite-key.js';

const redirectUri = 'https://rp.test/callback?from=oneid';
// openid-client drops a query of the redirect URI when it exchanges the code.
const plainRedirectUri = 'https://rp.test/callback';
const verifier = 'a-code-verifier-of-at-least-43-characters-1234';
const state = 'state-of-8-or-more';

interface TokenAnswer {
  id_token?: string;
  refresh_token?: string;
  error?: string;
}

describe('sign-in', () => {
  let oneId: OneIdTestProvider;
  let now = Date.now();
  beforeAll(async () => {
    oneId = await OneIdTestProvider.start({
      signingKey: await suiteKey(),
      clients: [
        { clientId: 'shop', clientSecret: 'secret', redirectUris: [redirectUri, plainRedirectUri] },
        { clientId: 'spa', redirectUris: [redirectUri, plainRedirectUri] },
      ],
      now: () => now,
    });
  });
  beforeEach(() => void oneId.signIn({ sub: 'alice' }));
  afterAll(() => oneId.close());

  const discover = (clientId: string, secret?: string) =>
    client.discovery(new URL(oneId.issuer), clientId, secret, secret === undefined ? client.None() : undefined, {
      // eslint-disable-next-line @typescript-eslint/no-deprecated -- marked as a warning only; this OneID has no TLS
      execute: [client.allowInsecureRequests],
    });

  const authorize = async (parameters: Record<string, string> = {}, at = oneId) => {
    const query = new URLSearchParams({
      client_id: 'spa',
      redirect_uri: redirectUri,
      response_type: 'code',
      scope: 'openid offline',
      state,
      code_challenge: await client.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      ...parameters,
    });
    const url = `${at.url(endpointPaths.authorization)}?${query.toString()}`;
    const response = await fetch(url, { redirect: 'manual' });
    return { status: response.status, back: new URL(response.headers.get('location') ?? 'about:blank') };
  };

  const token = async (form: Record<string, string>, at = oneId) => {
    const body = new URLSearchParams({ client_id: 'spa', ...form });
    const response = await fetch(at.url(endpointPaths.token), { method: 'POST', body });
    const answer = (await response.json()) as TokenAnswer;
    return { ...answer, status: response.status };
  };

  const exchange = async (form: Record<string, string> = {}, parameters: Record<string, string> = {}, at = oneId) => {
    const code = (await authorize(parameters, at)).back.searchParams.get('code') ?? '';
    const grant = { grant_type: 'authorization_code', code, redirect_uri: redirectUri, code_verifier: verifier };
    return token({ ...grant, ...form }, at);
  };
  const refresh = (refresh_token = '', at = oneId) => token({ grant_type: 'refresh_token', refresh_token }, at);

  it.each([
    ['confidential', 'shop', 'secret'],
    ['public', 'spa', undefined],
  ])('works with openid-client for a %s client, refresh and revocation included', async (_, clientId, secret) => {
    const config = await discover(clientId, secret);
    const nonce = 'nonce-of-8-or-more';
    const authorizationUrl = client.buildAuthorizationUrl(config, {
      redirect_uri: plainRedirectUri,
      scope: 'openid offline',
      state,
      nonce,
      code_challenge: await client.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
    });
    const callback = new URL(
      (await fetch(authorizationUrl, { redirect: 'manual' })).headers.get('location') ?? 'about:blank',
    );
    const tokens = await client.authorizationCodeGrant(config, callback, {
      pkceCodeVerifier: verifier,
      expectedState: state,
      expectedNonce: nonce,
    });
    const refreshed = await client.refreshTokenGrant(config, tokens.refresh_token ?? '');

    expect(callback.href.startsWith('https://rp.test/callback?code=')).toBe(true);
    expect(tokens.claims()).toMatchObject({ sub: 'alice', sid: oneId.login?.sid, nonce, aud: [clientId] });
    expect(refreshed.claims()).toMatchObject({ sub: 'alice', sid: oneId.login?.sid });
    expect(refreshed.claims()).not.toHaveProperty('nonce');
    expect(refreshed.refresh_token).not.toBe(tokens.refresh_token);
    expect(decodeJwt(refreshed.access_token)).not.toHaveProperty('sid');
    expect(await client.fetchUserInfo(config, refreshed.access_token, 'alice')).toEqual({ sub: 'alice' });

    await client.tokenRevocation(config, refreshed.refresh_token ?? '');
    expect(oneId.revoked.at(-1)).toMatchObject({ token: refreshed.refresh_token, clientId, effective: true });
    await expect(client.refreshTokenGrant(config, refreshed.refresh_token ?? '')).rejects.toMatchObject({
      error: 'invalid_grant',
    });
    await expect(client.fetchUserInfo(config, refreshed.access_token, 'alice')).rejects.toMatchObject({ status: 401 });
  });

  describe('the login', () => {
    const sidNow = async (parameters?: Record<string, string>) =>
      decodeJwt((await exchange({}, parameters)).id_token ?? '').sid;

    it('stays the same for a silent sign-in, and is new after prompt=login, a passed max_age, and logout', async () => {
      const sids = [await sidNow(), await sidNow({ prompt: 'none' }), await sidNow({ max_age: '60' })];
      sids.push(await sidNow({ prompt: 'login' }));
      now += 61_000;
      sids.push(await sidNow({ max_age: '60' }));
      oneId.forget({ sid: String(sids.at(-1)) });
      sids.push(await sidNow());

      expect(sids.map((sid) => sids.indexOf(sid))).toEqual([0, 0, 0, 3, 4, 5]);
      expect(oneId.login?.sub).toBe('alice');
    });

    it('P23: with Hydra v2, the sign-in stops at OneID when the login ends at the consent page', async () => {
      oneId.atConsent(() => oneId.forget({ sid: oneId.login?.sid ?? '' }));
      const { status, back } = await authorize();

      expect([status, back.href]).toEqual([400, 'about:blank']);
      expect(oneId.login).toBeUndefined();
      expect((await authorize()).status).toBe(302);
    });

    it('P23: with Hydra v1.11, the tokens have no sid when the login ends at the consent page', async () => {
      const hydra1 = await OneIdTestProvider.start({
        ...{ signingKey: await suiteKey(), hydra: '1.11', clients: [{ clientId: 'spa', redirectUris: [redirectUri] }] },
      });
      const login = hydra1.signIn({ sub: 'alice' });
      hydra1.atConsent(() => hydra1.forget(login));
      const tokens = await exchange({}, {}, hydra1);
      const refreshed = await refresh(tokens.refresh_token, hydra1);
      const next = await exchange({}, { prompt: 'login' }, hydra1);
      await hydra1.close();

      const sids = [tokens, refreshed, next].map(({ id_token }) => decodeJwt(id_token ?? '').sid);
      expect(sids).toEqual(['', '', expect.stringMatching(/^[0-9a-f-]{36}$/)]);
    });

    it('is required by prompt=none', async () => {
      oneId.forget(oneId.signIn());
      const { back } = await authorize({ prompt: 'none' });

      expect(Object.fromEntries(back.searchParams)).toEqual({
        from: 'oneid',
        error: 'login_required',
        error_description: 'The user is not signed in.',
        state,
      });
    });
  });

  describe('authorization', () => {
    it.each([{ client_id: 'nobody' }, { redirect_uri: 'https://rp.test/callback/' }])(
      'does not redirect for %j',
      async (parameters: Record<string, string>) => {
        expect((await authorize(parameters)).status).toBe(400);
      },
    );

    it.each([
      [{ response_type: 'token' }, 'unsupported_response_type'],
      [{ state: 'short' }, 'invalid_state'],
      [{ nonce: 'short' }, 'insufficient_entropy'],
      [{ code_challenge: '' }, 'invalid_request'],
      [{ code_challenge_method: 'plain' }, 'invalid_request'],
    ])('refuses %j with %s', async (parameters: Record<string, string>, error) => {
      const { status, back } = await authorize(parameters);

      expect([status, back.searchParams.get('error')]).toEqual([302, error]);
    });
  });

  describe('token', () => {
    it('gives a refresh token only for offline or offline_access', async () => {
      const has = async (scope: string) => 'refresh_token' in (await exchange({}, { scope }));

      expect([await has('openid'), await has('openid offline'), await has('openid offline_access')]).toEqual([
        false,
        true,
        true,
      ]);
    });

    it.each([
      [{ client_id: 'nobody' }, 401, 'invalid_client'],
      [{ client_id: 'shop', client_secret: 'secret' }, 400, 'invalid_grant'],
      [{ redirect_uri: 'https://rp.test/' }, 400, 'invalid_grant'],
      [{ code_verifier: `${verifier}5` }, 400, 'invalid_grant'],
      [{ code: 'made-up' }, 400, 'invalid_grant'],
      [{ grant_type: 'password' }, 400, 'unsupported_grant_type'],
      [{ grant_type: 'refresh_token' }, 400, 'invalid_grant'],
    ])('refuses %j', async (form: Record<string, string>, status, error) => {
      expect(await exchange(form)).toMatchObject({ status, error });
    });

    it('accepts a code once, and revokes all of its tokens on a second use', async () => {
      const code = (await authorize()).back.searchParams.get('code') ?? '';
      const first = await exchange({ code });

      expect(await exchange({ code })).toMatchObject({ status: 400, error: 'invalid_grant' });
      expect(await refresh(first.refresh_token)).toMatchObject({ status: 400, error: 'invalid_grant' });
    });

    it('refuses a code after ten minutes and a refresh token after 720 hours', async () => {
      const code = (await authorize()).back.searchParams.get('code') ?? '';
      const { refresh_token } = await exchange();
      now += 600_000;
      expect(await exchange({ code })).toMatchObject({ error: 'invalid_grant' });
      now += 720 * 3_600_000;
      expect(await refresh(refresh_token)).toMatchObject({ error: 'invalid_grant' });
    });

    it('rotates refresh tokens, also after logout, and revokes all when an old one is used again', async () => {
      const { refresh_token: first } = await exchange();
      oneId.forget({ sid: oneId.login?.sid ?? '' });
      const { status, refresh_token: second } = await refresh(first);

      expect(status).toBe(200);
      expect(await refresh(first)).toMatchObject({ status: 400 });
      expect(await refresh(second)).toMatchObject({ status: 400 });
    });

    it('answers 200 to the revocation of a replaced token, and does nothing', async () => {
      const { refresh_token: first = '' } = await exchange();
      const { refresh_token: second } = await refresh(first);
      const body = new URLSearchParams({ client_id: 'spa', token: first });

      expect((await fetch(oneId.url(endpointPaths.revocation), { method: 'POST', body })).status).toBe(200);
      expect(oneId.revoked.at(-1)).toMatchObject({ token: first, effective: false });
      expect((await refresh(second)).status).toBe(200);
    });
  });
});
