import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { CompactEncrypt, exportJWK, generateKeyPair } from 'jose';
import helmet from 'helmet';
import { type INestApplication, Logger } from '@nestjs/common';
import { LogoutService, SessionRegistry, type OneIdLogoutOptions, type SessionFacts } from 'nestjs-oneid-logout';
import { type Claims, OneIdTestProvider, signCompact } from 'nestjs-oneid-logout/testing';
import { SCRIPT_SOURCE, STYLE_SOURCE } from '../libs/oneid-logout/src/logout/logout-pages.js';
import { targetOf } from '../libs/oneid-logout/src/rule/targets.js';
import { Browser, sendRequest, nextRequest } from './support/browser.js';
import { clientId, clientSecret, type Host, type HostSettings } from './support/host.js';
import { callbackUri, pathOf, reasonAtMe, sharedWith, signIn, start, startHost } from './support/logout-host.js';
import { shareAmongTests } from './support/share-among-tests.js';
import { suiteKey } from './support/suite-key.js';
import { until } from './support/until.js';

describe('the option statePlacement', () => {
  /** An app with its own OneID; `old` is Hydra up to v1.8. */
  async function startAt(old: boolean, client: NonNullable<HostSettings['client']>) {
    const oneId = await OneIdTestProvider.start({
      clients: [{ clientId, clientSecret }],
      alwaysSetsState: old,
      signingKey: await suiteKey(),
    });
    const host = await startHost({ client: { ...client, issuer: oneId.issuer } });
    const stop = async () => {
      await host.stop();
      await oneId.close();
    };
    return { host: Object.assign(Object.create(host) as Host, { oneId }), oneId, stop };
  }

  const uri = 'https://app.example/logout/callback';

  it.each<[string, 'parameter' | 'redirectUri' | 'both', boolean, string, string]>([
    ['parameter', 'parameter', false, uri, '/goodbye'],
    ['parameter, Hydra up to v1.8', 'parameter', true, uri, '/goodbye'],
    ['redirectUri', 'redirectUri', false, `${uri}?state=STATE`, '/goodbye'],
    // this Hydra empties the state inside the URI: the user gets the default page, and no error
    ['redirectUri, Hydra up to v1.8', 'redirectUri', true, `${uri}?state=STATE`, '/'],
    ['both', 'both', false, `${uri}?state=STATE`, '/goodbye'],
    ['both, Hydra up to v1.8', 'both', true, `${uri}?state=STATE`, '/goodbye'],
  ])('RPI-1: the state is sent as %s', async (_name, statePlacement, old, expectedUri, landsOn) => {
    const { host, oneId, stop } = await startAt(old, { statePlacement });
    try {
      const { browser } = await signIn(host);
      const toOneId = nextRequest(await (await start(browser, { returnTo: '/goodbye' })).text());
      const sentUri = toOneId.fields['post_logout_redirect_uri'] ?? '';
      const state = new URL(sentUri).searchParams.get('state') ?? toOneId.fields['state'] ?? '';
      expect(state).toMatch(/^[\w-]{43}$/);
      expect(sentUri).toBe(expectedUri.replace('STATE', state));
      expect(toOneId.fields['state']).toBe(statePlacement === 'redirectUri' ? undefined : state);

      // a registration with this redirect URI
      oneId.registerClient({ clientId, postLogoutRedirectUris: [sentUri] });
      const location = (await sendRequest(toOneId)).headers.get('location') ?? '';
      const landed = await browser.visit(pathOf(location));
      expect([landed.status, landed.headers.get('location')]).toEqual([303, landsOn]);
    } finally {
      await stop();
    }
  });

  it('RPI-1: an end_session_endpoint keeps its own query, in the URL and in the form', async () => {
    const { host, oneId, stop } = await startAt(false, {});
    try {
      const endpoint = `${oneId.url('/oauth2/sessions/logout')}?tenant=a%2fb`;
      oneId.setMetadata({ end_session_endpoint: endpoint });
      oneId.registerClient({ clientId, postLogoutRedirectUris: [uri] });
      const short = await signIn(host);
      const page = nextRequest(await (await start(short.browser)).text());
      expect(page.url.startsWith(`${endpoint}&`)).toBe(true);
      expect((await sendRequest(page)).headers.get('location')).toBe(`${uri}?state=${page.fields['state'] ?? ''}`);
      expect(oneId.requests.at(-1)?.query['tenant']).toBe('a/b');

      const long = await signIn(host, { claims: { groups: 'x'.repeat(13_500) } });
      const form = nextRequest(await (await start(long.browser)).text());
      expect(form).toMatchObject({ method: 'POST', url: endpoint });
      expect((await sendRequest(form)).headers.get('location')).toBe(`${uri}?state=${form.fields['state'] ?? ''}`);
    } finally {
      await stop();
    }
  });
});

describe('a host with other settings', () => {
  it.each(['express', 'fastify'] as const)(
    "RPI-2: the page's own policy replaces helmet's defaults on %s",
    async (adapter) => {
      const configure = (app: INestApplication) => void app.use(helmet());
      const host = await startHost({ adapter, configure });
      try {
        const { browser } = await signIn(host);
        const page = await start(browser);
        expect(page.headers.get('content-security-policy')).toBe(
          `default-src 'none'; style-src ${STYLE_SOURCE}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
        );
        const long = await signIn(host, { claims: { groups: 'x'.repeat(13_500) } });
        const form = await start(long.browser);
        expect(form.headers.get('content-security-policy')).toBe(
          `default-src 'none'; style-src ${STYLE_SOURCE}; base-uri 'none'; script-src ${SCRIPT_SOURCE}; frame-ancestors 'none'`,
        );
        expect(form.headers.get('x-content-type-options')).toBe('nosniff');
        expect((await sendRequest(nextRequest(await form.text()))).status).toBe(302);
      } finally {
        await host.stop();
      }
    },
  );

  it('RPI-6: a user who cancels goes to the default page and stays signed in', async () => {
    const host = await startHost({ options: { returnUrls: ['/welcome?a=1&b=2'] } });
    try {
      const { browser } = await signIn(host);
      const html = await (await start(browser, {}, { from: 'cross-site', method: 'GET' })).text();
      expect(html).toContain('<h1>Log out?</h1>');
      expect(html).toContain('<a href="/welcome?a=1&amp;b=2">Cancel</a>');
      expect(await reasonAtMe(browser)).toBe('alive');
    } finally {
      await host.stop();
    }
  });

  it('without secrets the library has no hint, so it sends no state and no post_logout_redirect_uri', async () => {
    const host = await startHost({ options: { secrets: [] } });
    try {
      const { browser, idToken } = await signIn(host);
      expect((await host.stored()).tokens).toEqual([]);
      expect(nextRequest(await (await start(browser)).text()).fields).toEqual({ client_id: clientId });
      const other = await signIn(host);
      expect(
        nextRequest(await (await start(other.browser, { idTokenHint: other.idToken })).text()).fields,
      ).toMatchObject({
        id_token_hint: other.idToken,
        post_logout_redirect_uri: callbackUri,
      });
      expect(idToken).not.toBe(other.idToken);
    } finally {
      await host.stop();
    }
  });

  it('with a lost secret the library has no hint, and still logs the user out', async () => {
    const before = await startHost();
    const after = await startHost({
      database: sharedWith(before),
      client: { issuer: before.oneId.issuer },
      options: { secrets: ['quite another secret, long enough'] },
    });
    try {
      const { browser, session } = await signIn(before);
      const moved = new Browser(after);
      moved.cookies.set('session', session.sessionToken);
      const page = await start(moved);
      expect(page.status).toBe(200);
      expect(nextRequest(await page.text()).fields).toEqual({ client_id: clientId });
      expect(await reasonAtMe(browser)).toBe('logged_out');
    } finally {
      await after.stop();
      await before.stop();
    }
  });

  it("removes the app's cookies with the attributes of their options", async () => {
    const clearCookies: OneIdLogoutOptions['clearCookies'] = [
      { name: 'session' },
      {
        name: 'wide',
        domain: 'app.example',
        path: '/app',
        secure: true,
        httpOnly: true,
        sameSite: 'none',
        partitioned: true,
      },
      { name: '__Host-strict', secure: true, sameSite: 'strict' },
    ];
    const host = await startHost({ options: { clearCookies } });
    const expires = 'Max-Age=0; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT';
    const cleared = [
      `session=; ${expires}`,
      'wide=; Max-Age=0; Domain=app.example; Path=/app; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; Secure; Partitioned; SameSite=None',
      `__Host-strict=; ${expires}; Secure; SameSite=Strict`,
    ];
    try {
      const { browser } = await signIn(host);
      const page = await start(browser);
      expect(page.headers.getSetCookie()).toEqual([...cleared, expect.stringMatching(/^__Host-oneid-logout-/)]);
      const { cookies } = await host.app.get(LogoutService).start({});
      expect(cookies).toEqual(cleared);
    } finally {
      await host.stop();
    }
  });

  it("RPI-6: on http, for development, the library's cookies have no Secure and no __Host- prefix", async () => {
    const host = await startHost({ client: { postLogoutRedirectUri: 'http://localhost:3000/logout/callback' } });
    host.oneId.registerClient({ clientId, postLogoutRedirectUris: ['http://localhost:3000/logout/callback'] });
    try {
      const { browser } = await signIn(host);
      const page = await start(
        browser,
        { returnTo: '/goodbye' },
        { from: 'old-browser', headers: { origin: 'http://localhost:3000' } },
      );
      expect(page.headers.getSetCookie()).toEqual([
        expect.stringMatching(/^oneid-logout-[0-9a-f]{16}=%2Fgoodbye; Max-Age=900; Path=\/; HttpOnly; SameSite=Lax$/),
      ]);
      const location = (await sendRequest(nextRequest(await page.text()))).headers.get('location') ?? '';
      const landed = await browser.visit(location.slice('http://localhost:3000'.length));
      expect(landed.headers.get('location')).toBe('/goodbye');
    } finally {
      await host.stop();
    }
  });
});

describe('a provider without end_session_endpoint', () => {
  const says = (issuer: string) =>
    `${issuer} has no end_session_endpoint: a logout ends the session in this app only, and the browser goes to returnTo`;
  const warnings = () => jest.spyOn(Logger.prototype, 'warn').mockReturnValue();
  afterEach(() => {
    jest.restoreAllMocks();
  });

  it('P9: discovered: the session ends here, and the browser goes to returnTo', async () => {
    const warn = warnings();
    const host = await startHost({ options: { clearCookies: [{ name: 'session' }], clearSiteData: ['cache'] } });
    try {
      host.oneId.setMetadata({ end_session_endpoint: undefined });
      const { browser } = await signIn(host);
      const page = await start(browser, { returnTo: '/goodbye' });
      expect([page.status, page.headers.get('clear-site-data')]).toEqual([200, '"cache"']);
      expect(page.headers.getSetCookie()).toEqual([
        'session=; Max-Age=0; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT',
      ]);
      expect(await page.text()).toContain('<meta http-equiv="refresh" content="0; url=/goodbye">');

      const script = await signIn(host);
      const answer = await start(script.browser, {}, { headers: { accept: 'application/json' } });
      expect([answer.status, await answer.json()]).toEqual([200, { url: '/' }]);
      expect(answer.headers.get('clear-site-data')).toBe('"cache"');
      expect((await host.stored()).logouts.map(({ channel }) => channel)).toEqual(['app', 'app']);
      expect(await reasonAtMe(script.browser)).toBe('missing');

      // discovered again: said once
      host.clock.advance(2 * 60 * 60 * 1000);
      expect((await start(new Browser(host), { returnTo: '/goodbye' })).status).toBe(200);
      const said = warn.mock.calls.filter(([message]) => message === says(host.oneId.issuer));
      expect(said).toHaveLength(1);
    } finally {
      await host.stop();
    }
  });

  it('P9: left out of the endpoints by hand: said at boot', async () => {
    const warn = warnings();
    const client = (clientId: string) => ({
      issuer: 'https://one.example/',
      clientId,
      postLogoutRedirectUri: callbackUri,
      endpoints: { jwks_uri: 'https://one.example/jwks' },
    });
    const host = await startHost({ options: { clients: [client('a'), client('b')] } });
    try {
      const said = warn.mock.calls.filter(([message]) => message === says('https://one.example/'));
      expect(said).toHaveLength(1);
      const session = {
        issuer: 'https://one.example/',
        clientId: 'a',
        sub: 'alice',
        sid: 's',
        iat: 1,
        registeredAt: 1,
      };
      expect(await host.app.get(LogoutService).start({ session, returnTo: '/goodbye' })).toEqual({
        method: 'GET',
        url: '/goodbye',
        action: '/goodbye',
        fields: {},
        cookies: [],
        leadsToProvider: false,
      });
      expect((await host.stored()).logouts).toMatchObject([{ channel: 'app' }]);
    } finally {
      await host.stop();
    }
  });
});

describe('the option hintlessLogout', () => {
  let host: Host;
  shareAmongTests(
    () => startHost({ client: { hintlessLogout: true }, options: { secrets: [] } }),
    (started) => void (host = started),
  );

  it('P15: the user comes back without a stored ID token', async () => {
    const { browser } = await signIn(host);
    const toProvider = nextRequest(await (await start(browser, { returnTo: '/goodbye' })).text());
    const state = toProvider.fields['state'] ?? '';
    expect(toProvider.fields).toEqual({
      client_id: clientId,
      post_logout_redirect_uri: callbackUri,
      state: expect.stringMatching(/^[\w-]{43}$/),
    });
    // as a provider answers that takes the client_id in place of the hint
    const landed = await browser.visit(`/logout/callback?state=${state}`);
    expect([landed.status, landed.headers.get('location')]).toEqual([303, '/goodbye']);
    expect(await reasonAtMe(browser)).toBe('logged_out');
  });

  it('P15: the user comes back with an expired session, to the default page', async () => {
    const { browser } = await signIn(host);
    host.clock.advance(31 * 24 * 60 * 60 * 1000);
    expect(await reasonAtMe(browser)).toBe('expired');
    const { fields } = nextRequest(await (await start(browser, { returnTo: '/goodbye' })).text());
    expect(fields).toEqual({ client_id: clientId, post_logout_redirect_uri: callbackUri });
    expect((await browser.visit('/logout/callback')).headers.get('location')).toBe('/');
  });

  it('P15: a hint is still sent, if there is one', async () => {
    const { browser, idToken } = await signIn(host);
    const { fields } = nextRequest(await (await start(browser, { idTokenHint: idToken })).text());
    expect(fields).toMatchObject({ id_token_hint: idToken, post_logout_redirect_uri: callbackUri });
  });
});

describe('the key of the ID token', () => {
  const hosts: Host[] = [];
  afterEach(async () => {
    for (const host of hosts.splice(0)) await host.stop();
  });
  async function startWith(idTokenHint?: 'newestKey' | 'publishedKey', database?: HostSettings['database']) {
    const host = await startHost({ ...(idTokenHint && { client: { idTokenHint } }), ...(database && { database }) });
    hosts.push(host);
    return host;
  }
  const hintOf = async (browser: Browser, options = {}) => {
    const toOneId = nextRequest(await (await start(browser, options)).text());
    return { hint: toOneId.fields['id_token_hint'], toOneId };
  };

  it.each<[string, 'newestKey' | 'publishedKey' | undefined, object, boolean]>([
    ['a newer one is published', undefined, {}, false],
    ['a newer one is published', 'newestKey', {}, false],
    ['a newer one is published', 'publishedKey', {}, true],
    ['it is no longer published', undefined, { keepOld: false }, false],
    ['it is no longer published', 'publishedKey', { keepOld: false }, false],
    ['a newer one is published, for another alg', undefined, { alg: 'ES256' }, true],
  ])('P26: %s, idTokenHint %s', async (_what, idTokenHint, rotation, sends) => {
    const host = await startWith(idTokenHint);
    const { browser, idToken } = await signIn(host);
    await host.oneId.rotateKeys(rotation);
    const { hint, toOneId } = await hintOf(browser);
    expect(hint).toBe(sends ? idToken : undefined);
    if (!sends) expect(toOneId.fields).toEqual({ client_id: clientId });
    expect(await reasonAtMe(browser)).toBe('logged_out');
  });

  it('P26: without the hint, OneID shows its own page, and the login there ends', async () => {
    const host = await startWith();
    const { browser } = await signIn(host);
    await host.oneId.rotateKeys();
    const { toOneId } = await hintOf(browser);
    const answer = await sendRequest(toOneId);
    expect(answer.headers.get('location')).toBe(host.oneId.url('/oauth2/fallbacks/logout/callback'));
    expect(host.oneId.login).toBeUndefined();
  });

  it('P26: a new key under the same kid counts as another key, also with publishedKey', async () => {
    const host = await startWith('publishedKey');
    const { browser } = await signIn(host);
    await host.oneId.rotateKeys({ kid: host.oneId.signingKey.kid, keepOld: false });
    expect((await hintOf(browser)).hint).toBeUndefined();
  });

  it('P26: while the keys cannot be fetched, the last known keys decide', async () => {
    const host = await startWith();
    const first = await signIn(host);
    const other = await signIn(host);
    host.oneId.fail('/.well-known/jwks.json', { status: 500 });
    expect((await hintOf(first.browser)).hint).toBe(first.idToken);

    host.oneId.fail('/.well-known/jwks.json', { hang: true });
    const before = host.oneId.count('/.well-known/jwks.json');
    const slow = hintOf(other.browser);
    await until('OneID is asked for its keys', () => host.oneId.count('/.well-known/jwks.json') > before);
    host.clock.advance(1_000);
    expect((await slow).hint).toBe(other.idToken);
  });

  it('P26: a process that could never fetch the keys sends the hint', async () => {
    const before = await startWith();
    const host = await startHost({ database: sharedWith(before), client: { issuer: before.oneId.issuer } });
    hosts.unshift(host);
    const { browser, idToken } = await signIn(before);
    const moved = new Browser(host);
    moved.cookies.set('session', browser.cookies.get('session') ?? '');
    before.oneId.fail('/.well-known/jwks.json', { reset: true });
    expect((await hintOf(moved)).hint).toBe(idToken);
  });
});

describe('an encrypted ID token', () => {
  it('P31: the decrypted token is the hint, stored or given by the app', async () => {
    const { publicKey, privateKey } = await generateKeyPair('ECDH-ES', { extractable: true });
    const idTokenEncryption = { alg: 'ECDH-ES', privateKeys: [await exportJWK(privateKey)] };
    const host = await startHost({ client: { idTokenEncryption } });
    const encrypt = (text: string, key = publicKey) =>
      new CompactEncrypt(new TextEncoder().encode(text))
        .setProtectedHeader({ alg: 'ECDH-ES', enc: 'A128CBC-HS256', cty: 'JWT' })
        .encrypt(key);
    const hint = async (session: SessionFacts, idTokenHint?: string) =>
      (await host.app.get(LogoutService).start({ session, idTokenHint })).fields['id_token_hint'];
    try {
      const inner = await host.oneId.idToken({ clientId, login: host.oneId.signIn({ sub: 'alice' }) });
      const session = await host.app.get(SessionRegistry).register({ idToken: await encrypt(inner) });
      expect(await hint(session, await encrypt(inner))).toBe(inner);
      expect(await hint(session, 'a.b.c.d.e')).toBeUndefined();
      const { publicKey: another } = await generateKeyPair('ECDH-ES');
      expect(await hint(session, await encrypt(inner, another))).toBeUndefined();

      const second = await host.oneId.idToken({ clientId, login: host.oneId.signIn({ sub: 'bob' }) });
      const stored = await host.app.get(SessionRegistry).register({ idToken: await encrypt(second) });
      const started = await host.app.get(LogoutService).start({ session: stored });
      expect(started.fields).toEqual({
        id_token_hint: second,
        client_id: clientId,
        post_logout_redirect_uri: callbackUri,
        state: expect.stringMatching(/^[\w-]{43}$/),
      });
      const location = (await fetch(started.url, { redirect: 'manual' })).headers.get('location');
      expect(location).toBe(`${callbackUri}?state=${started.fields['state'] ?? ''}`);
    } finally {
      await host.stop();
    }
  });
});

describe('with several clients', () => {
  const issuers = ['https://one.example/', 'https://two.example/'] as const;
  const [one, two] = issuers;
  const endpoints = (issuer: string) => ({
    jwks_uri: `${issuer}jwks`,
    end_session_endpoint: `${issuer}logout`,
  });
  const client = (id: string, issuer: string) => ({
    issuer,
    clientId: id,
    postLogoutRedirectUri: callbackUri,
    endpoints: endpoints(issuer),
  });
  const facts = { sub: 'alice', sid: 'sid', iat: 1, registeredAt: 1 };

  let host: Host;
  const clients = [client('a', one), client('b', one), client('a', two)];
  shareAmongTests(
    () => startHost({ options: { clients } }),
    (started) => void (host = started),
  );

  const ambiguous = { code: 'client_ambiguous', message: 'Several clients are configured: name one of them' };
  const unknown = { code: 'client_unknown', message: 'This client is not configured' };

  it('a logout without a session must name a client', async () => {
    const logout = host.app.get(LogoutService);
    await expect(logout.start({})).rejects.toMatchObject(ambiguous);
    await expect(logout.start({ clientId: 'a' })).rejects.toMatchObject(ambiguous);
    await expect(logout.start({ clientId: 'c' })).rejects.toMatchObject(unknown);
    expect(await logout.start({ clientId: 'b' })).toMatchObject({ url: 'https://one.example/logout?client_id=b' });
  });

  it('a session names its client', async () => {
    const logout = host.app.get(LogoutService);
    const at = (issuer: string, clientId: string) => logout.start({ session: { ...facts, issuer, clientId } });
    expect((await at('https://one.example/', 'a')).url).toBe('https://one.example/logout?client_id=a');
    expect((await at('https://one.example', 'b')).url).toBe('https://one.example/logout?client_id=b');
    expect((await at('https://two.example/', 'a')).url).toBe('https://two.example/logout?client_id=a');
  });

  it('a session by claims names its client when the issuer has only one client', async () => {
    const logout = host.app.get(LogoutService);
    const session = { ...facts, issuer: 'https://two.example/' };
    expect((await logout.start({ session })).url).toBe('https://two.example/logout?client_id=a');
    const shared = { ...facts, issuer: 'https://one.example/' };
    await expect(logout.start({ session: shared })).rejects.toMatchObject(ambiguous);
    expect((await logout.start({ session: shared, clientId: 'b' })).url).toBe('https://one.example/logout?client_id=b');
  });

  it('RPI-4: a return is recognised on the origin of every client', async () => {
    const local = { ...client('a', one), postLogoutRedirectUri: 'http://localhost:3000/logout/callback' };
    const mixed = await startHost({ options: { clients: [local, client('a', two)] } });
    try {
      for (const issuer of issuers) {
        const session = { ...facts, issuer, sid: issuer };
        const claims: Claims = { iss: issuer, aud: 'a', sub: 'alice', sid: issuer, iat: 1 };
        const idTokenHint = signCompact(claims, 'none');
        const started = await mixed.app.get(LogoutService).start({ session, idTokenHint, returnTo: '/goodbye' });
        const cookie = started.cookies.at(-1)?.split(';')[0] ?? '';
        expect(cookie.startsWith('__Host-')).toBe(issuer === two);
        const answer = await mixed.fetch(`/logout/callback?state=${started.fields['state'] ?? ''}`, {
          headers: { cookie },
        });
        expect([answer.status, answer.headers.get('location')]).toEqual([303, '/goodbye']);
      }
    } finally {
      await mixed.stop();
    }
  });

  it('a session of a removed client can be logged out with the name of another client', async () => {
    const logout = host.app.get(LogoutService);
    const session = { ...facts, issuer: 'https://one.example/', clientId: 'retired' };
    const before = (await host.stored()).logouts.length;
    await expect(logout.start({ session })).rejects.toMatchObject(unknown);
    await expect(logout.start({ session: { ...session, issuer: 'https://three.example/' } })).rejects.toMatchObject(
      unknown,
    );
    expect((await host.stored()).logouts).toHaveLength(before);
    expect((await logout.start({ session, clientId: 'a' })).url).toBe('https://one.example/logout?client_id=a');
  });

  it('endAll() must name the issuer', async () => {
    const sessions = host.app.get(SessionRegistry);
    const before = (await host.stored()).logouts.length;
    await expect(sessions.endAll({ sub: 'alice' })).rejects.toMatchObject({
      code: 'client_ambiguous',
      message: 'Several issuers are configured: name one of them',
    });
    await expect(sessions.endAll({ sub: 'alice', issuer: 'https://three.example/' })).rejects.toMatchObject({
      code: 'client_unknown',
      message: 'The issuer has no configured client',
    });
    await expect(sessions.endAll({ sub: '', issuer: 'https://one.example/' })).rejects.toMatchObject({
      code: 'user_invalid',
      message: 'The sub is missing or empty',
    });
    await expect(sessions.endAll({ sub: 'alice', issuer: ['https://one.example/'] as never })).rejects.toMatchObject({
      code: 'client_unknown',
    });
    await expect(sessions.endAll(undefined as never)).rejects.toMatchObject({ code: 'client_ambiguous' });
    expect((await host.stored()).logouts).toHaveLength(before);
    await sessions.endAll({ sub: 'alice', issuer: 'https://two.example' });
    expect((await host.stored()).logouts.at(-1)).toMatchObject({
      target: targetOf('sub', 'https://two.example/', 'alice'),
      channel: 'admin',
    });
  });

  it.each<[string, unknown]>([
    ['an unknown issuer', { issuer: 'https://three.example/' }],
    ['no issuer', {}],
    ['an issuer that is undefined', { issuer: undefined }],
    ['a client of another issuer', { issuer: 'https://two.example/', clientId: 'b' }],
    ['an unknown client', { issuer: 'https://two.example/', clientId: 'c' }],
    ['an empty clientId', { issuer: 'https://one.example/', clientId: '' }],
    ['a clientId that is undefined', { issuer: 'https://one.example/', clientId: undefined }],
    ['a clientId that is no text', { issuer: 'https://one.example/', clientId: ['a'] }],
    ['an issuer that is no text', { issuer: ['https://one.example/'] }],
    ['a missing argument', undefined],
    ['null', null],
    ['a text', 'https://one.example/'],
  ])('endEveryone() refuses %s, and ends no session', async (_what, everyone) => {
    const sessions = host.app.get(SessionRegistry);
    const before = (await host.stored()).logouts.length;
    await expect(sessions.endEveryone(everyone as { issuer: string })).rejects.toMatchObject({
      code: 'client_unknown',
      message: 'No configured client has this issuer and clientId',
    });
    expect((await host.stored()).logouts).toHaveLength(before);
  });

  it('endEveryone() names the issuer, or one client of it', async () => {
    const sessions = host.app.get(SessionRegistry);
    await sessions.endEveryone({ issuer: 'https://one.example' });
    await sessions.endEveryone({ issuer: 'https://one.example/', clientId: 'a' });
    expect((await host.stored()).logouts.slice(-2)).toEqual([
      expect.objectContaining({ target: targetOf('issuer', 'https://one.example/', ''), channel: 'admin' }),
      expect.objectContaining({ target: targetOf('client', 'https://one.example/', 'a'), channel: 'admin' }),
    ]);
  });
});
