import { describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { JwtService } from '@nestjs/jwt';
import { createClient } from 'graphql-ws';
import { SessionRegistry } from 'nestjs-oneid-logout';
import { createSigningKey, endpointPaths } from 'nestjs-oneid-logout/testing';
import { io } from 'socket.io-client';
import { WebSocket } from 'ws';
import { sendRequest, nextRequest } from '../support/browser.js';
import { shareAmongTests } from '../support/share-among-tests.js';
import { until } from '../support/until.js';
import { fakeRedis } from './support/fake-redis.js';
import { clientId, publicUrl, Recipe } from './support/recipe.js';

/** The headers of a signed-in user's request, and the user's login. */
interface SignedIn {
  readonly sid: string;
  readonly headers: Record<string, string>;
}

const rejected = (reason: string, message: string) => [
  401,
  { statusCode: 401, error: `session_${reason}`, message, reason },
];
const missing = rejected('missing', 'The request carries no session');
const loggedOut = rejected('logged_out', 'A logout has ended the session');
const redis = fakeRedis();
const alive = (sub: string) => [200, { sub }];
const json = { 'content-type': 'application/json' };

/** Origins of other pages: pages of the same site, which get the `SameSite=Lax` cookie, and a sandbox. */
const foreignOrigins = [`${publicUrl}:8443`, publicUrl.replace('//', '//blog.'), publicUrl.replace('s:', ':'), 'null'];

/** The status and body of a guarded route. */
async function me(recipe: Recipe, headers: Record<string, string> = {}): Promise<unknown> {
  const response = await fetch(`${recipe.url}/me`, { headers: { 'x-forwarded-proto': 'https', ...headers } });
  return [response.status, await response.json()];
}

/** Signs in through OneID's pages. */
async function signInByBrowser(recipe: Recipe, sub: string): Promise<SignedIn> {
  const { sid } = recipe.oneId.signIn({ sub });
  const browser = recipe.browser();
  const answer = await browser.signIn();
  expect([answer.status, answer.headers.get('location')]).toEqual([302, '/me']);
  return { sid, headers: { cookie: browser.cookieHeader } };
}

/** Does what the end of the recipe's sign-in does, because the test cannot call it. */
async function signInByRegistry(recipe: Recipe, sub: string): Promise<SignedIn> {
  const login = recipe.oneId.signIn({ sub });
  const { sessionToken } = await recipe.app
    .get(SessionRegistry)
    .register({ idToken: await recipe.oneId.idToken({ clientId, login }) });
  return { sid: login.sid, headers: { cookie: `__Host-session=${sessionToken}` } };
}

async function signInByIdToken(recipe: Recipe, sub: string): Promise<SignedIn> {
  const login = recipe.oneId.signIn({ sub });
  const token = await recipe.oneId.idToken({ clientId, login });
  return { sid: login.sid, headers: { authorization: `Bearer ${token}` } };
}

/** The guard's answers to the user, before and after the logout. */
async function expectLogout(recipe: Recipe, signIn: (recipe: Recipe, sub: string) => Promise<SignedIn>): Promise<void> {
  const [alice, bob] = [await signIn(recipe, 'alice'), await signIn(recipe, 'bob')];
  expect(await me(recipe, alice.headers)).toEqual(alive('alice'));
  await recipe.logOut(alice.sid);
  expect(await me(recipe, alice.headers)).toEqual(loggedOut);
  expect(await me(recipe, bob.headers)).toEqual(alive('bob'));
  const again = await signIn(recipe, 'alice');
  expect(again.sid).not.toBe(alice.sid);
  expect(await me(recipe, again.headers)).toEqual(alive('alice'));
  expect(await me(recipe, alice.headers)).toEqual(loggedOut);
}

async function expectNotStored(recipe: Recipe, headers: Record<string, string>): Promise<void> {
  const response = await fetch(`${recipe.url}/me`, { headers: { 'x-forwarded-proto': 'https', ...headers } });
  expect([response.status, response.headers.get('cache-control')]).toEqual([200, 'no-store']);
}

const asForm = { headers: { accept: 'text/html' } };

/** The app's first page, as a browser shows it. */
async function expectHome(answer: Response): Promise<string> {
  expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
  return answer.text();
}

/** OneID's page loads the app in an iframe. */
function frontchannel(recipe: Recipe, sid: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(recipe.oneId.frontchannelUrl(`${recipe.url}/frontchannel_logout`, { sid }), {
    headers: { 'sec-fetch-dest': 'iframe', 'sec-fetch-site': 'cross-site', ...headers },
  });
}

describe.each([
  { name: 'cookie', cookie: '__Host-session', signIn: signInByBrowser },
  { name: 'public-client', cookie: '__Host-session', signIn: signInByBrowser, settings: { isPublic: true } },
  { name: 'refresh', cookie: '__Host-session', signIn: signInByBrowser },
  { name: 'express-session', cookie: '__Host-app', signIn: signInByBrowser },
  { name: 'redis-session', cookie: '__Host-app', signIn: signInByBrowser },
  { name: 'passport', cookie: '__Host-app', signIn: signInByBrowser },
  { name: 'better-auth', cookie: '__Secure-better-auth.session_token', signIn: signInByBrowser },
  { name: 'fastify', cookie: '__Host-session', signIn: signInByBrowser },
])('the recipe $name', ({ name, cookie, signIn, settings = {} }) => {
  let recipe: Recipe;
  shareAmongTests(
    () => Recipe.start(name, settings),
    (started) => void (recipe = started),
  );

  it('refuses a request without a session', async () => {
    expect(await me(recipe)).toEqual(missing);
  });

  it('forbids caches to keep pages for users', async () => {
    await expectNotStored(recipe, (await signIn(recipe, 'alice')).headers);
  });

  it('OneID ends one login by the back-channel: this login stays ended, and the other is alive', async () => {
    await expectLogout(recipe, signIn);
  });

  it("OneID ends a login by the front-channel, without the app's cookies", async () => {
    const [alice, bob] = [await signIn(recipe, 'alice'), await signIn(recipe, 'bob')];
    const frame = await frontchannel(recipe, alice.sid);
    expect([frame.status, frame.headers.getSetCookie()]).toEqual([200, []]);
    expect(await recipe.logouts('frontchannel')).toBe(1);
    expect(await me(recipe, alice.headers)).toEqual(loggedOut);
    expect(await me(recipe, bob.headers)).toEqual(alive('bob'));
  });

  it('the front-channel removes the cookie when the request has it', async () => {
    const { sid, headers } = await signIn(recipe, 'alice');
    const frame = await frontchannel(recipe, sid, headers);
    expect(frame.headers.getSetCookie()).toEqual([
      `${cookie}=; Max-Age=0; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; Secure; SameSite=Lax`,
    ]);
  });

  it('the user logs out on a page of the app and at OneID, and comes back', async () => {
    const browser = recipe.browser();
    const { headers } = await signIn(recipe, 'alice');
    for (const pair of headers['cookie']?.split('; ') ?? []) {
      const [key = '', value = ''] = pair.split('=');
      browser.cookies.set(key, value);
    }

    const home = await expectHome(await browser.visit('/'));
    const { method, url, fields } = nextRequest(home);
    const page = await browser.visit(url, { ...asForm, method, body: new URLSearchParams(fields) });
    expect([page.status, browser.cookies.has(cookie)]).toEqual([200, false]);
    const toOneId = nextRequest(await page.text());
    expect(toOneId.url.startsWith(recipe.oneId.url(endpointPaths.endSession))).toBe(true);
    const atOneId = await sendRequest(toOneId);
    expect(atOneId.headers.get('location')).toMatch(`${publicUrl}/logout/callback?state=`);
    const back = await browser.follow(atOneId);

    expect([back.status, back.headers.get('location')]).toEqual([303, '/']);
    expect(await expectHome(await browser.follow(back))).toBe(home);
    expect(recipe.oneId.login).toBeUndefined();
    const deliveries = await recipe.oneId.deliveries();
    expect(deliveries.map(({ attempts }) => attempts.map(({ status }) => status))).toEqual([[200]]);
    expect(await me(recipe, headers)).toEqual(loggedOut);
    expect(await me(recipe, { cookie: browser.cookieHeader })).toEqual(missing);
  });

  it('a form of another site logs no user out', async () => {
    const { headers } = await signIn(recipe, 'alice');
    const answer = await recipe.browser().visit('/logout', { method: 'POST', from: 'cross-site', headers });
    expect([answer.status, await answer.json()]).toMatchObject([403, { error: 'cross_site_request' }]);
    expect(await me(recipe, headers)).toEqual(alive('alice'));
  });

  if (signIn !== signInByBrowser) return;

  it('its first page leads to OneID', async () => {
    const home = await expectHome(await recipe.browser().visit('/'));
    const link = /<a href="([^"]*)">Sign in<\/a>/.exec(home)?.[1] ?? 'nowhere';
    const answer = await recipe.browser().visit(link);
    const { origin, pathname } = new URL(answer.headers.get('location') ?? '');
    expect([answer.status, origin + pathname]).toEqual([302, recipe.oneId.url(endpointPaths.authorization)]);
  });

  it('refuses a sign-in that this browser has not started, even with a valid code of OneID', async () => {
    recipe.oneId.signIn({ sub: 'mallory' });
    const mallory = recipe.browser();
    const callback = (await mallory.follow(await mallory.visit('/login'))).headers.get('location') ?? '';
    const alice = recipe.browser();
    const answer = await alice.visit(callback.slice(publicUrl.length), { from: 'cross-site' });
    expect(answer.status).toBe({ passport: 401, 'better-auth': 302 }[name] ?? 400);
    expect(answer.headers.get('location')).not.toBe('/me');
    expect(alice.cookies.has(cookie)).toBe(false);
  });

  it('refuses a sign-in whose login was ended during the sign-in', async () => {
    const { sid } = recipe.oneId.signIn({ sub: 'alice' });
    const browser = recipe.browser();
    const atOneId = await browser.follow(await browser.visit('/login'));
    await recipe.logOut(sid);
    const answer = await browser.follow(atOneId);
    expect([answer.status, await answer.json()]).toMatchObject([401, { error: 'session_ended' }]);
    expect(await me(recipe, { cookie: browser.cookieHeader })).toEqual(missing);
  });

  it('a second sign-in in the same browser ends the first one', async () => {
    recipe.oneId.signIn({ sub: 'alice' });
    const browser = recipe.browser();
    await browser.signIn();
    const first = { cookie: browser.cookieHeader };
    recipe.oneId.signIn({ sub: 'bob' });
    await browser.signIn();
    expect(await recipe.logouts('replaced')).toBe(1);
    // with express-session, the cookie's own session is gone, and our session id with it
    expect(await me(recipe, first)).toEqual(cookie === '__Host-app' ? missing : loggedOut);
    expect(await me(recipe, { cookie: browser.cookieHeader })).toEqual(alive('bob'));
  });

  if (name === 'public-client') {
    it('sends no secret, and proves itself with PKCE', async () => {
      recipe.oneId.signIn({ sub: 'alice' });
      recipe.oneId.clearRequests();
      await recipe.browser().signIn();
      const exchange = recipe.oneId.requests.find(({ path }) => path === endpointPaths.token);
      expect(exchange?.headers.authorization).toBeUndefined();
      expect(exchange?.form).toEqual({
        ...{ grant_type: 'authorization_code', redirect_uri: `${publicUrl}/login/callback`, client_id: clientId },
        ...{ code: expect.any(String), code_verifier: expect.any(String) },
      });
    });

    it('a logout of OneID revokes the refresh token, with the client id alone', async () => {
      const { sid } = await signIn(recipe, 'alice');
      const before = recipe.oneId.revoked.length;
      await recipe.logOut(sid);
      await until('it is revoked', () => recipe.oneId.revoked.length > before);
      expect(recipe.oneId.revoked.slice(before)).toMatchObject([{ clientId, effective: true }]);
    });
  }

  if (name === 'refresh') {
    const refreshes = () => recipe.oneId.requests.filter(({ form }) => form.grant_type === 'refresh_token').length;

    it('asks OneID once for requests of the same moment', async () => {
      const { headers } = await signIn(recipe, 'alice');
      const before = refreshes();
      recipe.oneId.fail(endpointPaths.token, { delayMs: 100, times: 1 });
      const answers = await Promise.all([me(recipe, headers), me(recipe, headers), me(recipe, headers)]);
      expect([answers, refreshes() - before]).toEqual([Array(3).fill(alive('alice')), 1]);
      expect([await me(recipe, headers), refreshes() - before]).toEqual([alive('alice'), 2]);
    });

    it('a refresh that is refused with invalid_grant ends the session for good', async () => {
      const [alice, bob] = [await signIn(recipe, 'alice'), await signIn(recipe, 'bob')];
      recipe.oneId.fail(endpointPaths.token, {
        status: 400,
        body: '{"error":"invalid_grant"}',
        times: 1,
        headers: json,
      });
      expect(await me(recipe, alice.headers)).toEqual(loggedOut);
      expect(await recipe.logouts('admin')).toBe(1);
      expect(await me(recipe, alice.headers)).toEqual(loggedOut);
      expect(await me(recipe, bob.headers)).toEqual(alive('bob'));
    });

    it.each([
      ['an outage', { status: 503 }],
      ['a cut connection', { reset: true }],
      ['a wrong secret', { status: 401, body: '{"error":"invalid_client"}', headers: json }],
    ])('%s does not end the session', async (_name, trouble) => {
      const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
      const { headers } = await signIn(recipe, 'alice');
      recipe.oneId.fail(endpointPaths.token, { ...trouble, times: 1 });
      expect(await me(recipe, headers)).toEqual(alive('alice'));
      expect(warn.mock.calls).toEqual([[expect.stringContaining('Could not refresh, and the user stays signed in: ')]]);
      warn.mockRestore();
      expect(await me(recipe, headers)).toEqual(alive('alice'));
    });
  }

  if (cookie !== '__Host-app') return;

  if (name === 'redis-session') {
    it('Redis keeps the entry as long as a session may live, and guards nothing', async () => {
      redis.values.clear();
      const { sid, headers } = await signIn(recipe, 'alice');
      const [key = ''] = [...redis.values.keys()].filter((each) => redis.values.get(each)?.includes('oneIdSession'));
      expect([key, redis.lifetimes.get(key)]).toEqual([expect.stringMatching(/^my-app:/), 8 * 60 * 60]);
      await recipe.logOut(sid);
      expect(redis.values.has(key)).toBe(true);
      expect(await me(recipe, headers)).toEqual(loggedOut);
      redis.values.clear();
      expect(await me(recipe, headers)).toEqual(missing);
    });
  }

  it('a cookie from before the sign-in does not work after it', async () => {
    recipe.oneId.signIn({ sub: 'alice' });
    const browser = recipe.browser();
    const start = await browser.visit('/login');
    const fixed = { cookie: browser.cookieHeader };
    expect(fixed.cookie).toMatch(/^__Host-app=s%3A/);
    await browser.follow(await browser.follow(start));
    expect(browser.cookieHeader).not.toBe(fixed.cookie);
    expect(await me(recipe, { cookie: browser.cookieHeader })).toEqual(alive('alice'));
    expect(await me(recipe, fixed)).toEqual(missing);
  });

  it('sets no cookie behind a proxy that does not report https', async () => {
    const answer = await recipe.browser().visit('/login', { headers: { 'x-forwarded-proto': 'http' } });
    expect([answer.status, answer.headers.getSetCookie()]).toEqual([302, []]);
  });
});

describe.each([
  { name: 'bearer-api', withoutToken: missing },
  { name: 'passport-bearer', withoutToken: [401, { statusCode: 401, message: 'Unauthorized' }] },
])('the recipe $name', ({ name, withoutToken }) => {
  let recipe: Recipe;
  shareAmongTests(
    () => Recipe.start(name),
    (started) => void (recipe = started),
  );

  const withToken = (token: string) => me(recipe, { authorization: `Bearer ${token}` });

  // the first test, because fetched keys are used again
  it("answers 503 while OneID's keys are not available", async () => {
    recipe.oneId.fail(endpointPaths.jwks, { status: 503 });
    const { headers } = await signInByIdToken(recipe, 'alice');
    expect(await me(recipe, headers)).toMatchObject([503, { error: 'provider_unavailable' }]);
    recipe.oneId.heal();
    expect(await me(recipe, headers)).toEqual(alive('alice'));
  });

  it('refuses a request without a token', async () => {
    expect(await me(recipe)).toEqual(withoutToken);
  });

  it('OneID ends one login by the back-channel: this login stays ended, and the other is alive', async () => {
    await expectLogout(recipe, signInByIdToken);
  });

  it('forbids caches to keep pages for users', async () => {
    await expectNotStored(recipe, (await signInByIdToken(recipe, 'alice')).headers);
  });

  it('accepts access tokens for its audience with a sid', async () => {
    const login = recipe.oneId.signIn({ sub: 'alice' });
    const token = await recipe.oneId.accessToken({ clientId, login, sid: login.sid, audience: [clientId] });
    expect(await withToken(token)).toEqual(alive('alice'));
    await recipe.logOut(login.sid);
    expect(await withToken(token)).toEqual(loggedOut);
  });

  it('refuses a token without sid, and logs the reason', async () => {
    const error = jest.spyOn(Logger.prototype, 'error').mockImplementation(() => undefined);
    const token = await recipe.oneId.accessToken({ clientId, audience: [clientId] });
    expect(await withToken(token)).toEqual(rejected('unknown', 'The session is unknown'));
    expect(error.mock.calls).toEqual([[expect.stringContaining('A request carried a token without sid.')]]);
    error.mockRestore();
  });

  it.each([
    ['forged', { key: 'none' as const }],
    ['expired', { claims: { exp: 1 } }],
    ['without exp', { claims: { exp: undefined } }],
    ['for another audience', { claims: { aud: ['another-app'] } }],
    ['from another issuer', { claims: { iss: 'https://oneid.example/' } }],
  ])('refuses a token that is %s', async (_how, overrides) => {
    expect(await withToken(await recipe.oneId.idToken({ clientId, ...overrides }))).toEqual([
      401,
      { statusCode: 401, message: 'Unauthorized' },
    ]);
  });

  it('P13: accepts tokens of a key that OneID has made anew under the same kid', async () => {
    const login = recipe.oneId.signIn({ sub: 'alice' });
    const { kid } = recipe.oneId.signingKey;
    const renewed = { ...(await createSigningKey()), kid };
    const request = { clientId, login, sid: login.sid, audience: [clientId] };
    expect(await withToken(await recipe.oneId.accessToken(request))).toEqual(alive('alice'));
    const keys = [{ ...renewed.publicJwk, kid }, ...recipe.oneId.jwks.keys];
    recipe.oneId.fail(endpointPaths.jwks, { body: JSON.stringify({ keys }) });
    expect(await withToken(await recipe.oneId.accessToken({ ...request, key: renewed }))).toEqual(alive('alice'));
    recipe.oneId.heal();
  });

  it('the front-channel ends a login only when its sign-in is registered in the same database', async () => {
    const login = recipe.oneId.signIn({ sub: 'alice' });
    const idToken = await recipe.oneId.idToken({ clientId, login });
    await frontchannel(recipe, login.sid);
    expect(await withToken(idToken)).toEqual(alive('alice'));
    await recipe.app.get(SessionRegistry).register({ idToken });
    await frontchannel(recipe, login.sid);
    expect(await withToken(idToken)).toEqual(loggedOut);
  });
});

describe('the recipe jwt-api', () => {
  let recipe: Recipe;
  shareAmongTests(
    () => Recipe.start('jwt-api'),
    (started) => void (recipe = started),
  );

  const unauthorized = [401, { statusCode: 401, message: 'Unauthorized' }];
  const withToken = (token: string) => me(recipe, { authorization: `Bearer ${token}` });

  async function signInForToken(_recipe: Recipe, sub: string): Promise<SignedIn & { readonly token: string }> {
    const { sid } = recipe.oneId.signIn({ sub });
    const answer = await recipe.browser().signIn();
    expect([answer.status, answer.headers.get('cache-control')]).toEqual([200, 'no-store']);
    const { token } = (await answer.json()) as { token: string };
    return { sid, token, headers: { authorization: `Bearer ${token}` } };
  }

  it('OneID ends one login by the back-channel: its token stays refused, and the other is accepted', async () => {
    await expectLogout(recipe, signInForToken);
  });

  it("OneID ends a login by the front-channel: the app's own token is refused", async () => {
    const { sid, token } = await signInForToken(recipe, 'alice');
    await frontchannel(recipe, sid);
    expect(await withToken(token)).toEqual(loggedOut);
  });

  it('accepts only its own tokens', async () => {
    const jwt = recipe.app.get(JwtService);
    const { token } = await signInForToken(recipe, 'alice');
    const { sub, sessionToken } = jwt.decode<{ sub: string; sessionToken: string }>(token);
    const claims = { sub, sessionToken };
    expect(await withToken(jwt.sign(claims))).toEqual(alive('alice'));
    for (const options of [{ secret: 'another secret' }, { audience: 'https://other.example' }, { expiresIn: -1 }]) {
      expect(await withToken(jwt.sign(claims, options))).toEqual(unauthorized);
    }
    expect(await withToken(await recipe.oneId.idToken({ clientId }))).toEqual(unauthorized);
    expect(await withToken(jwt.sign({ sub }))).toEqual(missing);
    expect(await me(recipe)).toEqual(unauthorized);
  });

  it('forbids caches to keep pages for users', async () => {
    await expectNotStored(recipe, (await signInForToken(recipe, 'alice')).headers);
  });
});

describe('the recipe keycloak-connect', () => {
  let recipe: Recipe;
  shareAmongTests(
    () => Recipe.start('keycloak-connect', { oneId: { issuerPath: '/realms/my-realm', trailingSlash: false } }),
    (started) => void (recipe = started),
  );

  /** Keycloak's access tokens carry the `sid`. */
  async function signInByAccessToken(_recipe: Recipe, sub: string): Promise<SignedIn> {
    const login = recipe.oneId.signIn({ sub });
    const token = await recipe.oneId.accessToken({ clientId, login, sid: login.sid });
    return { sid: login.sid, headers: { authorization: `Bearer ${token}` } };
  }

  it('the back-channel ends one login: this login stays ended, and the other is alive', async () => {
    await expectLogout(recipe, signInByAccessToken);
  });

  it("AuthGuard refuses first: without a token, or with another realm's", async () => {
    const unauthorized = [401, { statusCode: 401, message: 'Unauthorized' }];
    expect(await me(recipe)).toEqual(unauthorized);
    const token = await recipe.oneId.accessToken({
      clientId,
      claims: { iss: 'https://keycloak.example/realms/other' },
    });
    expect(await me(recipe, { authorization: `Bearer ${token}` })).toEqual(unauthorized);
  });

  it('a public route needs no session', async () => {
    const response = await fetch(`${recipe.url}/health`);
    expect([response.status, await response.json()]).toEqual([200, { status: 'ok' }]);
  });

  it('forbids caches to keep pages for users', async () => {
    await expectNotStored(recipe, (await signInByAccessToken(recipe, 'alice')).headers);
  });
});

describe('the recipe graphql', () => {
  let recipe: Recipe;
  shareAmongTests(
    () => Recipe.start('graphql'),
    (started) => void (recipe = started),
  );

  async function hello(headers: Record<string, string> = {}): Promise<unknown> {
    const response = await fetch(`${recipe.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ query: '{ hello }' }),
    });
    return [response.status, await response.json()];
  }

  const refused = (reason: string) => [
    200,
    {
      data: null,
      errors: [
        expect.objectContaining({
          extensions: expect.objectContaining({ error: `session_${reason}`, reason }) as unknown,
        }),
      ],
    },
  ];

  function subscribe(headers: Record<string, string>) {
    const log: unknown[] = [];
    const client = createClient({
      ...{ url: `${recipe.url.replace('http', 'ws')}/graphql`, retryAttempts: 0 },
      webSocketImpl: class extends WebSocket {
        constructor(url: string, protocols: string[]) {
          super(url, protocols, { headers });
        }
      },
      on: {
        closed: (event) => {
          const { code, reason } = event as { code: number; reason: string };
          log.push({ code, reason });
        },
      },
    });
    const ignore = () => undefined;
    client.subscribe(
      { query: 'subscription { news }' },
      { next: (value) => log.push(value), error: ignore, complete: ignore },
    );
    return log;
  }

  it('refuses a request without a session', async () => {
    expect(await hello()).toEqual(refused('missing'));
    const news = subscribe({});
    await until('it is closed', () => news.length > 0);
    expect(news).toEqual([{ code: 4401, reason: 'missing' }]);
  });

  it.each(foreignOrigins)(
    'refuses a subscription from a page of %s, although the browser sends the cookie',
    async (origin) => {
      const { headers } = await signInByRegistry(recipe, 'alice');
      const news = subscribe({ ...headers, origin });
      await until('it is closed', () => news.length > 0);
      expect([news, recipe.open]).toEqual([[{ code: 4403, reason: 'Forbidden' }], 0]);
    },
  );

  it('accepts a subscription from a page of the app', async () => {
    const { sid, headers } = await signInByRegistry(recipe, 'alice');
    const news = subscribe({ ...headers, origin: publicUrl });
    await until('there is news', () => news.length > 0);
    expect(news[0]).toEqual({ data: { news: 'day 1 of alice' } });
    await recipe.logOut(sid);
    await until('it is closed', () => recipe.open === 0);
  });

  it("OneID ends one login: its queries and subscriptions end, and the other login's do not", async () => {
    const [alice, bob] = [await signInByRegistry(recipe, 'alice'), await signInByRegistry(recipe, 'bob')];
    expect(await hello(alice.headers)).toEqual([200, { data: { hello: 'Hello, alice' } }]);
    const [news, others] = [subscribe(alice.headers), subscribe(bob.headers)];
    await until('there is news', () => news.length > 0 && others.length > 0);
    expect(news[0]).toEqual({ data: { news: 'day 1 of alice' } });
    expect(recipe.open).toBe(2);

    await recipe.logOut(alice.sid);

    expect(await hello(alice.headers)).toEqual(refused('logged_out'));
    await until('it is closed', () => recipe.open === 1);
    await until('its client knows', () => news.some((event) => !JSON.stringify(event).includes('data')));
    expect(news.at(-1)).toEqual({ code: 4401, reason: 'logged_out' });
    const heard = others.length;
    await until('others go on', () => others.length > heard);
    expect(others.at(-1)).toEqual({ data: { news: expect.stringMatching(/^day \d+ of bob$/) } });
    const [again, old] = [subscribe((await signInByRegistry(recipe, 'alice')).headers), subscribe(alice.headers)];
    await until('both have heard', () => again.length > 0 && old.length > 0);
    expect([again[0], old]).toEqual([{ data: { news: 'day 1 of alice' } }, [{ code: 4401, reason: 'logged_out' }]]);
  });
});

interface TestSocket {
  readonly log: unknown[];
  say(text: string): void;
}

function openWs({ url }: Recipe, headers: Record<string, string>): TestSocket {
  const client = new WebSocket(`${url.replace('http', 'ws')}/chat`, { headers });
  const log: unknown[] = [];
  client.on('message', (data: Buffer) => log.push((JSON.parse(data.toString()) as { data: unknown }).data));
  client.on('error', ({ message }) => log.push(message));
  client.on('close', (code, reason) => log.push({ code, reason: reason.toString() }));
  const send = (text: string) => client.send(JSON.stringify({ event: 'say', data: text }));
  return {
    log,
    say: (text) => (client.readyState === WebSocket.OPEN ? send(text) : client.once('open', () => send(text))),
  };
}

function openSocketIo({ url }: Recipe, headers: Record<string, string>): TestSocket {
  const client = io(url, { transports: ['websocket'], extraHeaders: headers, reconnection: false });
  const log: unknown[] = [];
  client.on('said', (text) => log.push(text));
  client.on('session_over', (ending) => log.push(ending));
  client.on('disconnect', (reason) => log.push(reason));
  client.on('connect_error', (error) =>
    log.push((error as Error & { description?: { message?: string } }).description?.message),
  );
  return { log, say: (text) => client.emit('say', text) };
}

describe.each([
  {
    ...{ name: 'websocket', open: openWs, over: (reason: string): unknown[] => [{ code: 4401, reason }] },
    refused: ['Unexpected server response: 401', { code: 1006, reason: '' }],
  },
  {
    ...{ name: 'socket-io', open: openSocketIo, over: (reason: string) => [{ reason }, 'io server disconnect'] },
    refused: ['Unexpected server response: 400'],
  },
])('the recipe $name', ({ name, open, over, refused }) => {
  let recipe: Recipe;
  shareAmongTests(
    () => Recipe.start(name),
    (started) => void (recipe = started),
  );

  it('refuses a request without a session', async () => {
    const socket = open(recipe, {});
    socket.say('hello');
    await until('it is closed', () => socket.log.length >= over('missing').length);
    expect(socket.log).toEqual(over('missing'));
  });

  it.each(foreignOrigins)('refuses a socket to a page of %s, although the browser sends the cookie', async (origin) => {
    const { headers } = await signInByRegistry(recipe, 'alice');
    const socket = open(recipe, { ...headers, origin });
    socket.say('hello');
    await until('it is refused', () => socket.log.length >= refused.length);
    expect([socket.log, recipe.open]).toEqual([refused, 0]);
  });

  it('accepts a socket from a page of the app', async () => {
    const { sid, headers } = await signInByRegistry(recipe, 'alice');
    const socket = open(recipe, { ...headers, origin: publicUrl });
    socket.say('hello');
    await until('it is answered', () => socket.log.length > 0);
    expect(socket.log).toEqual(['alice: hello']);
    await recipe.logOut(sid);
    await until('it is closed', () => recipe.open === 0);
  });

  if (name === 'socket-io') {
    it.each([
      ...foreignOrigins.map((origin) => ({ origin, status: 403, text: '{"code":4,"message":"Forbidden"}' })),
      { origin: publicUrl, status: 200, text: expect.stringMatching(/^0\{"sid":/) },
      { origin: undefined, status: 200, text: expect.stringMatching(/^0\{"sid":/) },
    ])('a poll whose origin is $origin is answered $status', async ({ origin, status, text }) => {
      const { headers } = await signInByRegistry(recipe, 'alice');
      const answer = await fetch(`${recipe.url}/socket.io/?EIO=4&transport=polling`, {
        headers: { ...headers, ...(origin !== undefined && { origin }) },
      });
      expect([answer.status, await answer.text()]).toEqual([status, text]);
    });
  }

  it("OneID ends one login: its sockets close, and the other login's do not", async () => {
    const [alice, bob] = [await signInByRegistry(recipe, 'alice'), await signInByRegistry(recipe, 'bob')];
    const [socket, other] = [open(recipe, alice.headers), open(recipe, bob.headers)];
    for (const each of [socket, other]) each.say('hello');
    await until('both are answered', () => socket.log.length > 0 && other.log.length > 0);
    expect([socket.log, other.log]).toEqual([['alice: hello'], ['bob: hello']]);

    await recipe.logOut(alice.sid);

    const ended = ['alice: hello', ...over('logged_out')];
    await until('it is closed', () => socket.log.length >= ended.length);
    expect(socket.log).toEqual(ended);
    const again = open(recipe, (await signInByRegistry(recipe, 'alice')).headers);
    const old = open(recipe, alice.headers);
    for (const each of [other, again, old]) each.say('still here');
    await until('all know', () => other.log.length > 1 && again.log.length > 0 && old.log.length >= over('').length);
    expect([other.log[1], again.log, old.log]).toEqual(['bob: still here', ['alice: still here'], over('logged_out')]);
    expect(recipe.open).toBe(2);
  });
});
