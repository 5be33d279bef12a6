import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { endpointPaths } from './endpoint-paths.js';
import { OneIdTestProvider } from './oneid-test-provider.js';
import { createSigningKey } from './signing-keys.js';
import { suiteKey } from '../../../../test/support/suite-key.js';

describe('end-session endpoint', () => {
  let oneId: OneIdTestProvider;
  let now = 1_700_000_000_000;
  const uri = 'https://rp.test/bye?z=1&state=inside';
  beforeAll(async () => {
    oneId = await OneIdTestProvider.start({
      signingKey: await suiteKey(),
      clients: [
        { clientId: 'shop', postLogoutRedirectUris: ['https://rp.test/bye', uri] },
        { clientId: 'framed', frontchannelLogoutUri: 'https://rp.test/fc?a="b' },
      ],
      now: () => now,
    });
  });
  afterAll(() => oneId.close());

  const endSession = async (parameters: Record<string, string>, method = 'GET') => {
    const url = oneId.url(endpointPaths.endSession);
    const query = new URLSearchParams(parameters);
    const response = await (method === 'GET'
      ? fetch(`${url}?${query.toString()}`, { redirect: 'manual' })
      : fetch(url, { method, body: query, redirect: 'manual' }));
    return { status: response.status, location: response.headers.get('location'), body: await response.text() };
  };

  it.each(['GET', 'POST'])(
    'by %s ends the login of the hint and sends the browser back with the state',
    async (method) => {
      const login = oneId.signIn();
      const id_token_hint = await oneId.idToken({ clientId: 'shop', login });
      const redirected = await endSession(
        { id_token_hint, post_logout_redirect_uri: 'https://rp.test/bye', state: 'a b' },
        method,
      );

      expect(redirected).toEqual({ status: 302, location: 'https://rp.test/bye?state=a+b', body: '' });
      expect(oneId.login).toBeUndefined();
    },
  );

  it('adds the state to the sorted query, and replaces an existing state', async () => {
    const id_token_hint = await oneId.idToken({ clientId: 'shop' });
    const request = { id_token_hint, post_logout_redirect_uri: uri };

    expect((await endSession({ ...request, state: 'top' })).location).toBe('https://rp.test/bye?state=top&z=1');
    expect((await endSession(request)).location).toBe('https://rp.test/bye?state=inside&z=1');
  });

  it('up to v1.8 blanks a state inside the URI', async () => {
    const old = await OneIdTestProvider.start({
      signingKey: await suiteKey(),
      clients: [{ clientId: 'shop', postLogoutRedirectUris: [uri] }],
      alwaysSetsState: true,
    });
    const hint = await old.idToken({ clientId: 'shop' });
    const query = new URLSearchParams({ id_token_hint: hint, post_logout_redirect_uri: uri });
    const response = await fetch(`${old.url(endpointPaths.endSession)}?${query.toString()}`, { redirect: 'manual' });
    await old.close();

    expect(response.headers.get('location')).toBe('https://rp.test/bye?state=&z=1');
  });

  it("ends on OneID's own page without a redirect URI, with or without a hint", async () => {
    const location = oneId.url(endpointPaths.loggedOut);
    const hint = await oneId.idToken({ clientId: 'shop', login: oneId.signIn() });

    expect(await endSession({ id_token_hint: hint, state: 'x' })).toMatchObject({ status: 302, location });
    oneId.signIn();
    expect(await endSession({})).toMatchObject({ status: 302, location });
    expect(oneId.login).toBeUndefined();
    expect((await fetch(location)).status).toBe(200);
  });

  it('accepts an expired hint', async () => {
    const id_token_hint = await oneId.idToken({ clientId: 'shop' });
    now += 7_200_000;

    expect((await endSession({ id_token_hint })).status).toBe(302);
  });

  it('P26: shows an error page for a hint that an older key has signed, also while that key is published', async () => {
    const login = oneId.signIn();
    const id_token_hint = await oneId.idToken({ clientId: 'shop', login });
    const old = oneId.signingKey;
    await oneId.rotateKeys();
    const refused = await endSession({ id_token_hint });

    expect(oneId.jwks.keys[1]).toEqual(old.publicJwk);
    expect([refused.status, refused.location]).toEqual([400, null]);
    expect(refused.body).toContain('Logout failed because the id_token_hint has no valid signature.');
    expect(oneId.login).toEqual(login);

    const hint = await oneId.idToken({ clientId: 'shop', login });
    expect((await endSession({ id_token_hint: hint })).status).toBe(302);
  });

  it("ends the login of another user's hint, takes the browser's cookie, and tells nobody of the cookie's login", async () => {
    const other = oneId.signIn({ sub: 'bob' });
    const id_token_hint = await oneId.idToken({ clientId: 'framed', login: other });
    const own = oneId.signIn({ sub: 'alice' });
    await oneId.idToken({ clientId: 'framed', login: own });
    const { body } = await endSession({ id_token_hint });

    expect([body.match(/sid=[\w-]+/g), oneId.login]).toEqual([[`sid=${other.sid}`], undefined]);
    // the cookie's login is alive: an ID token of it still ends it
    const hint = await oneId.idToken({ clientId: 'framed', login: own });
    expect((await endSession({ id_token_hint: hint })).body).toContain(`sid=${own.sid}`);
  });

  it.each([{ state: 'x' }, { post_logout_redirect_uri: 'https://rp.test/bye' }])(
    'without a hint refuses %j',
    async (parameters: Record<string, string>) => {
      const { status, location, body } = await endSession(parameters);

      expect([status, location]).toEqual([400, null]);
      expect(body).toContain('is set but id_token_hint is missing.');
    },
  );

  it.each(['https://rp.test/bye?', 'https://rp.test/bye/', 'https://rp.test/bye?state=x', 'https://evil.test'])(
    'refuses %s, which is not registered',
    async (post_logout_redirect_uri) => {
      const login = oneId.signIn();
      const id_token_hint = await oneId.idToken({ clientId: 'shop', login });

      expect(await endSession({ id_token_hint, post_logout_redirect_uri })).toMatchObject({
        status: 400,
        body: expect.stringContaining('post_logout_redirect_uri is not registered for the client.') as unknown,
      });
      expect(oneId.login).toEqual(login);
    },
  );

  it.each([
    ['no valid signature', async () => oneId.idToken({ clientId: 'shop', key: await createSigningKey() })],
    ['no valid signature', () => oneId.idToken({ clientId: 'shop', key: 'none' })],
    ['no valid signature', () => Promise.resolve('junk')],
    ['issuer of id_token_hint is another', () => oneId.idToken({ clientId: 'shop', claims: { iss: 'x' } })],
    ['in the future', () => oneId.idToken({ clientId: 'shop', claims: { iat: 9_999_999_999 } })],
    ['missing sid', () => oneId.idToken({ clientId: 'shop', claims: { sid: undefined } })],
    ['missing sub', () => oneId.idToken({ clientId: 'shop', claims: { sub: '' } })],
    ['none of the listed audiences', () => oneId.idToken({ clientId: 'unknown' })],
  ])('refuses a hint: %s', async (reason, hint) => {
    const { status, body } = await endSession({ id_token_hint: await hint() });

    expect(status).toBe(400);
    expect(body).toContain(reason);
  });

  it('shows a page of iframes once when a client has a front-channel URI', async () => {
    const login = oneId.signIn();
    const id_token_hint = await oneId.idToken({ clientId: 'framed', login });
    const first = await endSession({ id_token_hint });
    const iss = encodeURIComponent(oneId.issuer);

    expect(first.status).toBe(200);
    expect(first.body).toContain(`<iframe src="https://rp.test/fc?a=%22b&amp;iss=${iss}&amp;sid=${login.sid}"`);
    expect((await endSession({ id_token_hint })).status).toBe(302);
  });
});
