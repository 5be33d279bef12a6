import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { type INestApplication, Logger } from '@nestjs/common';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateKeyPair, SignJWT, UnsecuredJWT } from 'jose';
import {
  InvalidIdTokenError,
  SessionEndedError,
  SessionRegistry,
  sessionDataSourceOptions,
  StoreUnavailableError,
} from 'nestjs-oneid-logout';
import { createSigningKey, endpointPaths, OneIdTestProvider } from 'nestjs-oneid-logout/testing';
import { refreshTokenGrant } from 'openid-client';
import { DataSource } from 'typeorm';
import { createApp } from '../src/create-app.js';
import { databaseOf } from '../src/database.js';
import { Browser } from '../src/demo/browser.js';
import { OtherApp } from '../src/demo/other-app.js';
import { ReferenceUser } from '../src/demo/reference-user.js';
import { type EmbeddedOneId, startEmbeddedOneId } from '../src/embedded-oneid/embedded-oneid.js';
import { freePort } from '../src/embedded-oneid/free-port.js';
import { OneIdClient } from '../src/oneid/oneid-client.js';
import { OneId } from '../src/oneid/oneid.js';
import { oneIdLogoutOptions } from '../src/oneid-logout-options.js';
import { readSettings, SettingsError } from '../src/settings.js';
import { SignInService } from '../src/sign-in/sign-in.service.js';
import { welcome } from '../src/welcome.js';
import { shareAmongTests } from './support/share-among-tests.js';
import { RunningWork } from './support/running-work.js';
import { until } from './support/until.js';

const SECRET = 'a secret of thirty-two characters';
const folder = mkdtempSync(join(tmpdir(), 'reference-app-'));

/** The app as `npm start` runs it, except for the port; `local` is the address that it listens on. */
interface Running {
  app: INestApplication;
  local: string;
  oneId: EmbeddedOneId;
}

const started: INestApplication[] = [];

async function start(env: Record<string, string> = {}) {
  const port = await freePort();
  const settings = readSettings({
    PORT: String(port),
    DATABASE_URL: `sqlite:${join(folder, `${port}.sqlite`)}`,
    ...env,
  });
  const app = await createApp(settings, { logLevels: [] });
  started.push(app);
  await app.listen(port, '127.0.0.1');
  return { app, local: `http://127.0.0.1:${port}`, settings };
}

async function startWithEmbedded(env: Record<string, string> = {}): Promise<Running> {
  const { app, local } = await start(env);
  const { embedded } = app.get(OneId);
  if (embedded === undefined) throw new Error('no embedded OneID');
  return { app, local, oneId: embedded };
}

let running: Running;
let user: ReferenceUser;

shareAmongTests(
  async () => {
    const shared = await startWithEmbedded();
    const runningWork = new RunningWork(shared.app);
    return {
      ...shared,
      settled: async () => {
        await shared.oneId.deliveries.idle();
        await runningWork.settled();
      },
      stop: async () => {
        for (const app of started) await app.close();
      },
    };
  },
  (shared) => void (running = shared),
);

afterEach(() => {
  jest.restoreAllMocks();
  jest.useRealTimers();
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

function newUser({ local } = running): ReferenceUser {
  user = new ReferenceUser(local);
  return user;
}

const setCookies = (page: { headers: Headers }) => page.headers.getSetCookie();
const stateOf = (url: string | undefined) => new URL(url ?? '').searchParams.get('state') ?? '';

describe('settings', () => {
  test('all have defaults, with an embedded OneID', () => {
    const settings = readSettings({ ONEID_ISSUER: '', NODE_ENV: 'test' });
    expect(settings).toMatchObject({
      port: 3000,
      baseUrl: 'http://127.0.0.1:3000',
      oneId: undefined,
      database: { type: 'better-sqlite3', database: ':memory:' },
    });
    expect(settings.secrets).toEqual([expect.stringMatching(/^[\w-]{43}$/)]);
    expect(readSettings({}).secrets).not.toEqual(settings.secrets);
  });

  test('take an outage of 5 seconds to a day, or none', () => {
    const outageOf = (value: string) =>
      readSettings({ RECONFIRM_AFTER_OUTAGE_SECONDS: value }).reconfirmAfterOutageSeconds;
    expect(['', '5', '86400', '0'].map(outageOf)).toEqual([30, 5, 86_400, undefined]);
  });

  test('accept a real OneID', () => {
    const settings = readSettings({
      NODE_ENV: 'production',
      BASE_URL: 'https://app.example/',
      ONEID_ISSUER: 'https://oauth.example/',
      ONEID_CLIENT_ID: 'app',
      ONEID_CLIENT_SECRET: 'client secret',
      DATABASE_URL: 'postgres://app:secret@db.example/app',
      APP_SECRETS: `${SECRET}, older ${SECRET}`,
      LIVENESS_MAX_STALENESS_MS: '500',
      REDIS_URL: 'rediss://redis.example/1',
    });
    expect(settings).toEqual({
      port: 3000,
      baseUrl: 'https://app.example',
      oneId: {
        issuer: 'https://oauth.example/',
        clientId: 'app',
        clientSecret: 'client secret',
        apiAudience: 'https://app.example/api',
      },
      database: { type: 'postgres', url: 'postgres://app:secret@db.example/app' },
      secrets: [SECRET, `older ${SECRET}`],
      maxStalenessMs: 500,
      redisUrl: 'rediss://redis.example/1',
      reconfirmAfterOutageSeconds: 30,
      identity: { name: 'Reference app', cookiePrefix: 'app', accent: 'green' },
    });
  });

  test('report all faults at once, without the values', () => {
    const env = {
      PORT: '70000',
      BASE_URL: 'http://app.example',
      DATABASE_URL: 'oracle://app:hunter2@db.example',
      ONEID_ISSUER: 'https://user:hunter2@oauth.example',
      ONEID_CLIENT_SECRET: 'hunter2',
      APP_SECRETS: `${SECRET},hunter2`,
    };
    const read = () => readSettings(env);
    expect(read).toThrow(SettingsError);
    expect(read).toThrow(`The app can't use these settings:
  - PORT must be a port, 1 to 65535
  - BASE_URL must be an https URL without query, fragment or userinfo (http only on loopback)
  - DATABASE_URL must be sqlite:FILE, postgres://…, mysql://… or mariadb://… (special characters of a password percent-encoded)
  - ONEID_ISSUER must be an https URL without query, fragment or userinfo (http only on loopback)
  - ONEID_CLIENT_ID must be set when ONEID_ISSUER is set
  - APP_SECRETS must be secrets of 32 characters or more, separated by commas`);
  });

  test.each<[Record<string, string>, string]>([
    [{ NODE_ENV: 'production' }, 'ONEID_ISSUER must be set in production'],
    [{ ONEID_ISSUER: 'https://a.example', ONEID_CLIENT_ID: 'app' }, 'APP_SECRETS must be set when ONEID_ISSUER is set'],
    [{ ONEID_CLIENT_ID: 'app' }, 'ONEID_CLIENT_ID is set, but ONEID_ISSUER is not'],
    [
      { ONEID_ISSUER: 'https://a.example', ONEID_CLIENT_ID: 'app', API_AUDIENCE: 'app', APP_SECRETS: SECRET },
      'API_AUDIENCE must not be the client id',
    ],
    [{ BASE_URL: 'https://app.example/here' }, 'BASE_URL must have no path'],
    [{ DATABASE_URL: 'sqlite:' }, 'DATABASE_URL must be'],
    [{ DATABASE_URL: 'sqlite://file' }, 'DATABASE_URL must be'],
    [{ DATABASE_URL: 'postgres' }, 'DATABASE_URL must be'],
    [{ LIVENESS_MAX_STALENESS_MS: '49' }, 'LIVENESS_MAX_STALENESS_MS must be 50 to 60000'],
    [
      { LIVENESS_MAX_STALENESS_MS: '500', REDIS_URL: 'http://redis.example' },
      'REDIS_URL must be redis://… or rediss://…',
    ],
    [{ REDIS_URL: 'redis://redis.example' }, 'LIVENESS_MAX_STALENESS_MS must be set when REDIS_URL is set'],
    [{ LIVENESS_MAX_STALENESS_MS: 'soon' }, 'LIVENESS_MAX_STALENESS_MS must be 50 to 60000'],
    ...['4', '86401', '-1', '5.5', 'never'].map((value): [Record<string, string>, string] => [
      { RECONFIRM_AFTER_OUTAGE_SECONDS: value },
      'RECONFIRM_AFTER_OUTAGE_SECONDS must be 5 to 86400, or 0 to keep all sessions',
    ]),
  ])('refuse %j', (env, fault) => {
    expect(() => readSettings(env)).toThrow(fault);
  });

  const atIssuer = (issuer: string, more: Record<string, string> = {}) =>
    readSettings({ ONEID_ISSUER: issuer, ONEID_CLIENT_ID: 'app', APP_SECRETS: SECRET, ...more }).oneId;

  test.each([
    'http://127.0.0.2:8080/',
    'http://127.255.255.254',
    'http://[::1]:4444/',
    'http://dex.localhost:5556/dex',
  ])('P10: accept http on loopback: %s', (url) => {
    expect(atIssuer(url)).toMatchObject({ issuer: url });
    expect(readSettings({ BASE_URL: new URL(url).origin }).baseUrl).toBe(new URL(url).origin);
  });

  test.each([
    'http://keycloak:8080/realms/x',
    'http://host.docker.internal',
    'http://128.0.0.1',
    'http://localhost.example',
  ])('P10: accept http elsewhere only with ONEID_ALLOW_INSECURE_REQUESTS: %s', (url) => {
    expect(() => atIssuer(url)).toThrow(
      'ONEID_ISSUER must be an https URL (http only on loopback). If you trust the network to this host, set ONEID_ALLOW_INSECURE_REQUESTS=true',
    );
    expect(() => readSettings({ BASE_URL: new URL(url).origin })).toThrow('BASE_URL must be an https URL');
    const oneId = atIssuer(url, { ONEID_ALLOW_INSECURE_REQUESTS: 'true' });
    expect(oneId).toMatchObject({ issuer: url, allowInsecureRequests: true });
    expect(() => atIssuer(url, { ONEID_ALLOW_INSECURE_REQUESTS: 'yes' })).toThrow(
      'ONEID_ALLOW_INSECURE_REQUESTS must be true, or not set',
    );
  });

  test('P10: the setting reaches the library', () => {
    const env = { ONEID_ISSUER: 'http://keycloak:8080/', ONEID_CLIENT_ID: 'app', APP_SECRETS: SECRET };
    const settings = readSettings({ ...env, ONEID_ALLOW_INSECURE_REQUESTS: 'true' });
    const [client] = oneIdLogoutOptions(settings, { registration: settings.oneId } as OneId).clients;
    expect(client).toMatchObject({ issuer: 'http://keycloak:8080/', allowInsecureRequests: true });
  });

  test('P32: ONEID_SCOPE names the scopes', () => {
    const scopeOf = (scope: string) => atIssuer('https://a.example', { ONEID_SCOPE: scope })?.scope;
    expect(scopeOf('openid')).toBe('openid');
    expect(scopeOf('  profile  openid offline_access ')).toBe('profile openid offline_access');
    expect(scopeOf('')).toBeUndefined();
    expect(() => scopeOf('profile')).toThrow('ONEID_SCOPE must be scopes separated by spaces, with openid among them');
    expect(() => scopeOf('openid "x"')).toThrow('ONEID_SCOPE has a scope with an invalid character');
    expect(() => readSettings({ ONEID_SCOPE: 'openid' })).toThrow('ONEID_SCOPE is set, but ONEID_ISSUER is not');
  });

  test.each(['postgres', 'mysql', 'mariadb'] as const)('accept a %s database', (type) => {
    const url = `${type}://app@db.example/app`;
    expect(databaseOf(url)).toEqual({ type, url });
  });

  test('are printed at the start, without secrets', () => {
    const settings = readSettings({});
    const text = welcome(settings, running.app.get(OneId));
    expect(text).toContain(settings.baseUrl);
    expect(text).toContain(running.oneId.issuer);
    expect(text).not.toContain(running.app.get(OneId).registration.clientSecret);
  });
});

describe('the pages', () => {
  test('GET / without a session shows the page for signed-out users', async () => {
    const page = await newUser().browser.get(`${running.local}/`);
    expect(page.status).toBe(200);
    expect(page.body).toContain('You are signed out');
    expect(page.headers.get('cache-control')).toBe('no-store');
  });

  test('GET / with a session shows the page of the signed-in user', async () => {
    const page = await newUser().signIn();
    expect([page.status, page.url]).toEqual([200, `${running.local}/`]);
    expect(page.body).toContain('<strong>demo</strong>');
  });

  test('GET / with the cookie of an ended session shows the page for signed-out users', async () => {
    await newUser().signIn();
    const { cookie } = user;
    await user.pressLogout();
    const page = await new Browser().get(`${running.local}/`, { cookie });
    expect([page.status, page.body.includes('You are signed out')]).toEqual([200, true]);
    expect(await user.meInShortWith(cookie)).toBe('401 logged_out');
  });

  test("GET /me returns the login's facts, and not the session id", async () => {
    await newUser().signIn();
    const me = await user.me();
    expect(Object.keys(me)).toEqual(['sub', 'sid', 'issuer', 'registeredAt', 'expiresAt']);
    expect(me).toMatchObject({ sub: 'demo', issuer: running.oneId.issuer });
  });

  test.each([
    ['', 'missing'],
    ['app_session=', 'missing'],
    [`app_session=${'0'.repeat(64)}`, 'unknown'],
    ['app_session=../../etc', 'unknown'],
  ])('GET /me with the cookie %j answers 401 %s', async (cookie, reason) => {
    expect(await newUser().meInShortWith(cookie)).toBe(`401 ${reason}`);
  });

  test('GET /healthz answers that the app is healthy', async () => {
    const page = await newUser().browser.get(`${running.local}/healthz`);
    expect([page.status, page.body]).toEqual([200, '{"status":"ok"}']);
  });

  test("have helmet's headers, without upgrade-insecure-requests", async () => {
    const { headers } = await newUser().browser.get(`${running.local}/`);
    expect(headers.get('content-security-policy')).toContain("form-action 'self'");
    expect(headers.get('content-security-policy')).not.toContain('upgrade-insecure-requests');
    expect(headers.get('x-frame-options')).toBe('SAMEORIGIN');
    expect(headers.get('x-powered-by')).toBeNull();
  });
});

describe('signing in', () => {
  const arrive = async () => (await newUser().signInUntilCallback()).next ?? '';

  test('sets a session cookie for this app only, and clears the transaction', async () => {
    const callback = await arrive();
    const page = await user.browser.get(callback);
    expect([page.status, page.headers.get('location')]).toEqual([303, '/']);
    expect(setCookies(page)).toEqual([
      expect.stringMatching(
        /^app_sign_in_[\da-f]{16}=; Path=\/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; SameSite=Lax$/,
      ),
      expect.stringMatching(/^app_session=[\da-f]{64}; Path=\/; HttpOnly; SameSite=Lax$/),
    ]);
  });

  test('asks OneID for a code with PKCE, state and nonce, and keeps them in an encrypted cookie', async () => {
    const page = await newUser().browser.get(`${running.local}/login`);
    expect(page.status).toBe(303);
    expect(Object.fromEntries(new URL(page.next ?? '').searchParams)).toEqual({
      client_id: 'reference-app',
      redirect_uri: `${running.local}/login/callback`,
      response_type: 'code',
      scope: 'openid offline',
      code_challenge: expect.stringMatching(/^[\w-]{43}$/),
      code_challenge_method: 'S256',
      ui_locales: 'en',
      state: expect.stringMatching(/^[\w-]{43}$/),
      nonce: expect.stringMatching(/^[\w-]{43}$/),
    });
    const [cookie = ''] = setCookies(page);
    expect(cookie).toMatch(/^app_sign_in_[\da-f]{16}=[\w.-]+; Max-Age=600; Path=\/; .*HttpOnly; SameSite=Lax$/);
    expect(cookie).not.toContain(stateOf(page.next));
  });

  test('works in two tabs at the same time', async () => {
    await newUser().signIn();
    const until = `${running.local}/login/callback`;
    const one = await user.browser.visit(`${running.local}/login`, { until });
    const two = await user.browser.visit(`${running.local}/login`, { until });
    expect((await user.browser.follow(one)).body).toContain('You are signed in');
    expect((await user.browser.follow(two)).body).toContain('You are signed in');
    expect(await user.meInShort()).toBe('200');
  });

  test("a second time ends the browser's first session", async () => {
    await newUser().signIn();
    const { cookie } = user;
    await user.signIn();
    expect(user.cookie).not.toBe(cookie);
    expect(await user.meInShortWith(cookie)).toBe('401 logged_out');
    expect(await user.meInShort()).toBe('200');
  });

  test.each([
    ['an unknown state', (url: string) => url.replace(/state=[^&]+/, 'state=unknown')],
    ['no state', (url: string) => url.replace(/state=[^&]+/, '')],
    ['no query', (url: string) => url.replace(/\?.*/, '')],
  ])('refuses a callback with %s', async (_name, change) => {
    const page = await user.browser.get(change(await arrive()));
    expect(page.status).toBe(400);
    expect(page.body).toContain('<a class="button" href="/login">Sign in again</a>');
    expect(await user.meInShort()).toBe('401 missing');
  });

  test('refuses the callback of another browser', async () => {
    const page = await new Browser().get(await arrive());
    expect([page.status, setCookies(page)]).toEqual([400, []]);
  });

  test('refuses a callback that has been used', async () => {
    const callback = await arrive();
    await user.browser.get(callback);
    expect((await user.browser.get(callback)).status).toBe(400);
    expect(await user.meInShort()).toBe('200');
  });

  test('refuses a used code, also with the old cookies', async () => {
    const callback = await arrive();
    const { cookie } = user;
    await user.browser.get(callback);
    const page = await new Browser().get(callback, { cookie });
    expect(page.status).toBe(400);
    expect(page.body).toContain('OneID does not accept this sign-in any more.');
  });

  test('refuses a transaction that is too old', async () => {
    const callback = await arrive();
    const { cookie } = user;
    jest.useFakeTimers({ now: Date.now() + 601_000, doNotFake: ALL_BUT_DATE });
    expect((await new Browser().get(callback, { cookie })).status).toBe(400);
  });

  test('refuses a transaction that was tampered with', async () => {
    const callback = await arrive();
    const cookie = user.cookie.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A')).replace(/\.\w/, '.A');
    expect((await new Browser().get(callback, { cookie })).status).toBe(400);
  });

  test("shows OneID's error, as text", async () => {
    const { next } = await newUser().browser.get(`${running.local}/login`);
    const query = new URLSearchParams({
      state: stateOf(next),
      error: 'access_denied<script>',
      iss: running.oneId.issuer,
    });
    const page = await user.browser.get(`${running.local}/login/callback?${query.toString()}`);
    expect(page.status).toBe(400);
    expect(page.body).toContain('OneID did not sign you in: access_denied&lt;script&gt;');
    expect(setCookies(page)).toHaveLength(1);
  });

  test('shows an error page when OneID refuses the code', async () => {
    const page = await user.browser.get((await arrive()).replace(/code=[^&]+/, 'code=other'));
    expect(page.status).toBe(400);
    expect(page.body).not.toMatch(/\bat .*:\d+:\d+/);
  });

  test.each([
    [new StoreUnavailableError(new Error('no store')), 503, 'not possible now'],
    [new InvalidIdTokenError('The ID token has expired'), 401, 'This app could not verify the ID token from OneID.'],
    [new RangeError('a fault of ours'), 500, 'An error happened in this app.'],
  ])('shows an error page: %s', async (error, status, text) => {
    const callback = await arrive();
    jest.spyOn(running.app.get(SessionRegistry), 'register').mockRejectedValueOnce(error);
    const page = await user.browser.get(callback);
    expect(page.status).toBe(status);
    expect(page.body).toContain(text);
    expect(page.body).not.toContain('fault of ours');
    expect(user.cookie).toBe('');
  });

  test('sends the browser to OneID again, once, when a logout has ended the new session', async () => {
    const callback = await arrive();
    const register = jest.spyOn(running.app.get(SessionRegistry), 'register');
    jest.spyOn(running.app.get(SignInService), 'nextSecond').mockResolvedValue();
    register.mockRejectedValueOnce(new SessionEndedError()).mockRejectedValueOnce(new SessionEndedError());
    const again = await user.browser.get(callback);
    expect([again.status, new URL(again.next ?? '').searchParams.get('prompt')]).toEqual([303, 'login']);
    const last = await user.goOn(await user.browser.follow(again));
    expect(last.status).toBe(401);
    expect(last.body).toContain('You were logged out while you signed in.');
    expect(await user.meInShort()).toBe('401 missing');
    expect(register).toHaveBeenCalledTimes(2);
  });
});

const ALL_BUT_DATE = [
  'hrtime',
  'nextTick',
  'performance',
  'queueMicrotask',
  'setImmediate',
  'clearImmediate',
  'setInterval',
  'clearInterval',
  'setTimeout',
  'clearTimeout',
] as const satisfies string[];

describe('the API', () => {
  async function api(authorization?: string) {
    const page = await new Browser().get(
      `${running.local}/api/me`,
      authorization === undefined ? {} : { authorization },
    );
    return { status: page.status, body: page.body, challenge: page.headers.get('www-authenticate') };
  }

  async function otherApp() {
    await newUser().signIn();
    return (await OtherApp.at(running.oneId)).signIn(user.browser);
  }

  test('accepts an access token of the same login', async () => {
    const { accessToken } = await otherApp();
    const { status, body } = await api(`Bearer ${accessToken}`);
    expect([status, JSON.parse(body)]).toEqual([200, { sub: 'demo', sid: (await user.me()).sid }]);
  });

  test('refuses it when this login has ended', async () => {
    const { accessToken } = await otherApp();
    await user.logOut();
    expect(await api(`bearer ${accessToken}`)).toMatchObject({
      status: 401,
      challenge: expect.stringMatching(/^Bearer error="invalid_token"/),
      body: expect.stringContaining('"reason":"logged_out"'),
    });
  });

  test('requires a token, and does not accept the cookie', async () => {
    await newUser().signIn();
    const page = await user.browser.get(`${running.local}/api/me`);
    expect([page.status, page.headers.get('www-authenticate')]).toEqual([401, 'Bearer']);
    expect((await api('Basic YTpi')).challenge).toBe('Bearer');
  });

  test('refuses invalid texts, unsigned tokens, tokens of another key and ID tokens', async () => {
    const { accessToken, idToken } = await otherApp();
    const claims = JSON.parse(Buffer.from(accessToken.split('.')[1] ?? '', 'base64url').toString()) as object;
    const { privateKey } = await generateKeyPair('RS256');
    const strange = await new SignJWT({ ...claims }).setProtectedHeader({ alg: 'RS256' }).sign(privateKey);
    const tokens = ['garbage', 'a.b.c', new UnsecuredJWT({ ...claims }).encode(), strange, idToken];
    for (const token of tokens) {
      expect(await api(`Bearer ${token}`)).toMatchObject({ status: 401, challenge: 'Bearer error="invalid_token"' });
    }
  });
});

describe('logging out', () => {
  test('clears the cookie with its own attributes, and leads to /goodbye', async () => {
    await newUser().signIn();
    const page = await user.pressLogout();
    expect(page.status).toBe(200);
    expect(setCookies(page)).toContainEqual(
      expect.stringMatching(/^app_session=; Max-Age=0; Path=\/; .*SameSite=Lax$/),
    );
    const last = await user.sayYes(await user.goToOneId(page));
    expect([last.status, last.url]).toEqual([200, `${running.local}/goodbye`]);
  });

  test('redeems a state once, also with the old cookies', async () => {
    await newUser().signIn();
    const page = await user.logOut({ until: `${running.local}/logout/callback` });
    const callback = page.next ?? '';
    const { cookie } = user;
    const location = async (browser: Browser) => (await browser.get(callback, { cookie })).headers.get('location');
    expect([await location(new Browser()), await location(new Browser())]).toEqual(['/goodbye', '/']);
  });

  test('sends the browser to OneID also without a session', async () => {
    const page = await newUser().browser.post(`${running.local}/logout`, {});
    expect([page.status, page.next?.startsWith(`${running.oneId.issuer}oauth2/sessions/logout?`)]).toEqual([200, true]);
  });

  test('revokes the refresh token, which OneID itself does not do', async () => {
    const register = jest.spyOn(running.app.get(SessionRegistry), 'register');
    await newUser().signIn();
    const refreshToken = register.mock.calls[0]?.[0].refreshToken ?? '';
    const configuration = await running.app.get(OneIdClient).configuration();
    const otherApp = await OtherApp.at(running.oneId);
    const revocation = nextRequestTo('/oauth2/revoke');
    await otherApp.logOut(user.browser, await otherApp.signIn(user.browser));
    // runs beside the 200 to OneID, so it may end later
    await revocation;
    await expect(refreshTokenGrant(configuration, refreshToken)).rejects.toMatchObject({ error: 'invalid_grant' });
  });

  test('is refused to other sites', async () => {
    await newUser().signIn();
    const page = await user.browser.post(`${running.local}/logout`, {}, 'https://evil.example/');
    expect(page.status).toBe(403);
    expect(await user.meInShort()).toBe('200');
  });
});

describe('with an https base URL', () => {
  test('cookies are secure and bound to the host', async () => {
    const baseUrl = 'https://app.example';
    const { local } = await startWithEmbedded({ BASE_URL: baseUrl });
    const { browser } = newUser();
    const first = await new ReferenceUser(local).browser.get(`${local}/login`);
    expect(setCookies(first)).toEqual([
      expect.stringMatching(/^__Host-app_sign_in_[\da-f]{16}=.*; Path=\/; .*HttpOnly; Secure; SameSite=Lax$/),
    ]);
    expect(first.headers.get('content-security-policy')).toContain('upgrade-insecure-requests');

    const page = await user.goOn(await browser.visit(`${local}/login`, { until: baseUrl }), baseUrl);
    const last = await browser.get((page.next ?? '').replace(baseUrl, local));
    expect(setCookies(last)[1]).toMatch(/^__Host-app_session=[\da-f]{64}; Path=\/; HttpOnly; Secure; SameSite=Lax$/);

    const loggedOut = await browser.post(`${local}/logout`, {});
    expect(setCookies(loggedOut)).toContainEqual(
      expect.stringMatching(/^__Host-app_session=; Max-Age=0; Path=\/; .*HttpOnly; Secure; SameSite=Lax$/),
    );
  });
});

describe('the embedded OneID', () => {
  test.each([
    ['127.0.0.1', 'localhost'],
    ['localhost', '127.0.0.1'],
  ])('is a different site than an app at %s', async (host, expected) => {
    const { oneId } = await startWithEmbedded({ BASE_URL: `http://${host}:3000` });
    expect(new URL(oneId.issuer).hostname).toBe(expected);
  });
});

describe('an app that stops', () => {
  test("still answers OneID's running request, also with the replica barrier", async () => {
    const { app, local, oneId } = await startWithEmbedded({ LIVENESS_MAX_STALENESS_MS: '1000' });
    await newUser({ ...running, local }).signIn();
    const { cookie } = user;
    const otherApp = await OtherApp.at(oneId);
    await otherApp.logOut(user.browser, await otherApp.signIn(user.browser));
    await until('the logout is on record', async () => (await user.meInShortWith(cookie)) === '401 logged_out');
    await app.close();
    expect(oneId.deliveries.finished).toMatchObject([{ clientId: 'reference-app', attempts: [{ status: 200 }] }]);
  });
});

describe('without OneID', () => {
  test('the app boots, answers 503 to a sign-in, and signs users in when OneID is back', async () => {
    const oneIdPort = await freePort();
    const { app, local } = await start({
      ONEID_ISSUER: `http://127.0.0.1:${oneIdPort}`,
      ONEID_CLIENT_ID: 'app',
      APP_SECRETS: SECRET,
    });
    newUser({ ...running, local });
    const refused = await user.browser.get(`${local}/login`);
    expect([refused.status, refused.body.includes('Sign in again')]).toEqual([503, true]);
    expect((await user.browser.get(`${local}/api/me`, { authorization: 'Bearer a.b.c' })).status).toBe(503);
    expect((await user.browser.get(`${local}/`)).status).toBe(200);

    const oneId = await startEmbeddedOneId({
      port: oneIdPort,
      clients: [
        {
          clientId: 'app',
          redirectUris: [`${local}/login/callback`],
          postLogoutRedirectUris: [`${local}/logout/callback`],
        },
      ],
    });
    const aSecondLater = performance.now() + 1000;
    jest.spyOn(app.get(OneIdClient), 'now').mockReturnValue(aSecondLater);
    expect((await user.signIn()).body).toContain('You are signed in');

    const until = `${local}/login/callback`;
    const { next = '' } = await user.browser.visit(`${local}/login`, { until });
    await oneId.close();
    const failed = await user.browser.get(next);
    expect([failed.status, failed.body.includes('could not reach OneID')]).toEqual([503, true]);
  });
});

describe('with a OneID that makes its key anew under the same kid', () => {
  test('P13: the API accepts access tokens of the new key at once, and refuses those of the old one', async () => {
    const apiAudience = 'https://api.example';
    const oneId = await OneIdTestProvider.start();
    const { local } = await start({
      ONEID_ISSUER: oneId.issuer,
      ONEID_CLIENT_ID: 'app',
      APP_SECRETS: SECRET,
      API_AUDIENCE: apiAudience,
    });
    const login = oneId.signIn();
    const { kid } = oneId.signingKey;
    const renewed = { ...(await createSigningKey()), kid };
    const call = async (key = oneId.signingKey) => {
      const request = { clientId: 'app', login, sid: login.sid, audience: [apiAudience], key };
      const authorization = `Bearer ${await oneId.accessToken(request)}`;
      return (await new Browser().get(`${local}/api/me`, { authorization })).status;
    };
    expect(await call()).toBe(200);
    oneId.fail(endpointPaths.jwks, { body: JSON.stringify({ keys: [{ ...renewed.publicJwk, kid }] }) });
    expect([await call(renewed), await call(), await call(await createSigningKey())]).toEqual([200, 401, 503]);
    await oneId.close();
  });
});

describe('an API whose audience ID tokens also carry', () => {
  const [client, project] = ['app', 'project'];
  const aud = [client, project];
  let oneId: OneIdTestProvider;
  let local: string;

  beforeAll(async () => {
    oneId = await OneIdTestProvider.start();
    const registration = { ONEID_ISSUER: oneId.issuer, ONEID_CLIENT_ID: client, API_AUDIENCE: project };
    ({ local } = await start({ ...registration, APP_SECRETS: SECRET }));
  });
  afterAll(() => oneId.close());

  const call = async (token: string) => {
    const answer = await new Browser().get(`${local}/api/me`, { authorization: `Bearer ${token}` });
    return [answer.status, answer.headers.get('www-authenticate')];
  };
  const login = () => {
    const login = oneId.signIn();
    return { clientId: client, login, sid: login.sid };
  };
  const hash = 'RYQOJBnOMKKHk7Ug-f5xRg';

  test.each<[string, object, object?]>([
    ['Zitadel', { at_hash: hash, azp: client, client_id: client }],
    ['Keycloak', { typ: 'ID', azp: client }],
    ['a provider that writes only the nonce', { nonce: 'n', client_id: client }],
    ['Hydra, refreshed, without at_hash', {}],
    ['another client', { aud: ['other', project] }],
    ['the hybrid flow', { c_hash: hash }],
    ['FAPI', { s_hash: hash }],
  ])('refuses an ID token of %s', async (_provider, claims) => {
    const token = await oneId.idToken({ ...login(), claims: { aud, ...claims } });
    expect(await call(token)).toEqual([401, 'Bearer error="invalid_token"']);
  });

  test.each([['logout+jwt'], ['JWT']])('refuses a logout token with the typ %s', async (typ) => {
    const { login: subject, ...request } = login();
    const claims = { aud, sub: subject.sub, exp: Math.floor(Date.now() / 1000) + 120 };
    const token = await oneId.logoutToken({ ...request, header: { typ }, claims });
    expect(await call(token)).toEqual([401, 'Bearer error="invalid_token"']);
  });

  test.each<[string, object, object?]>([
    ['Hydra v1.11 and v26', { aud: [project], ext: {} }],
    ['Hydra whose aud names the client', {}],
    ['a provider that writes few claims', { aud: project, client_id: undefined, scp: undefined }],
    [
      'Keycloak 26',
      { typ: 'Bearer', azp: client, scope: 'openid', auth_time: Math.floor(Date.now() / 1000), acr: '1' },
    ],
    ['Keycloak 23, with a nonce', { typ: 'Bearer', nonce: 'n', azp: client }],
    ['RFC 9068', { auth_time: Math.floor(Date.now() / 1000), acr: '1' }, { typ: 'at+jwt' }],
    ['RFC 9068, with the long name', {}, { typ: 'application/at+jwt' }],
  ])('accepts an access token of %s', async (_provider, claims, header = {}) => {
    const token = await oneId.accessToken({ ...login(), header: { ...header }, claims: { aud, ...claims } });
    expect(await call(token)).toEqual([200, null]);
  });
});

describe('with another provider', () => {
  let oneId: OneIdTestProvider;
  let local: string;
  let app: INestApplication;
  /** The provider's clock, milliseconds; undefined for the real one. */
  let stoppedAt: number | undefined;

  const environment = (issuer: string) => ({
    ...{ ONEID_ISSUER: issuer, ONEID_CLIENT_ID: 'app', ONEID_CLIENT_SECRET: 'secret of app', APP_SECRETS: SECRET },
    ONEID_SCOPE: 'openid offline_access',
  });
  const startAt = async (provider: OneIdTestProvider, issuer = provider.issuer) => {
    const started = await start(environment(issuer));
    const { local } = started;
    const [redirectUris, postLogoutRedirectUris] = [[`${local}/login/callback`], [`${local}/logout/callback`]];
    provider.registerClient({ clientId: 'app', clientSecret: 'secret of app', redirectUris, postLogoutRedirectUris });
    return started;
  };

  beforeAll(async () => {
    oneId = await OneIdTestProvider.start({ hydra: '1.11', now: () => stoppedAt ?? Date.now() });
    ({ app, local } = await startAt(oneId));
  });
  afterEach(() => {
    stoppedAt = undefined;
    oneId.heal();
    oneId.clearRequests();
  });
  afterAll(() => oneId.close());

  const newVisitor = () => newUser({ ...running, app, local });
  const signInFailure = (page: { body: string }) =>
    /<h1>The sign-in did not work<\/h1>\s*<p>([^<]*)<\/p>/.exec(page.body)?.[1];
  const logOutHere = () => user.browser.post(`${local}/logout/here`, {}, `${local}/`);
  const authorizations = () => oneId.requests.filter(({ path }) => path === endpointPaths.authorization);

  test('P32: asks for the scopes of ONEID_SCOPE', async () => {
    const { next = '' } = await newVisitor().browser.get(`${local}/login`);
    expect(new URL(next).searchParams.get('scope')).toBe('openid offline_access');
  });

  const refusal = { status: 400, body: '{"error":"invalid_grant"}', headers: { 'Content-Type': 'application/json' } };

  test('P33: a sign-in that fails soon after a logout here only is tried once more', async () => {
    await newVisitor().signIn();
    await logOutHere();
    oneId.clearRequests();
    oneId.fail(endpointPaths.token, { ...refusal, times: 1 });
    expect((await user.signIn()).body).toContain('You are signed in');
    expect(authorizations().map(({ query }) => query['prompt'])).toEqual([undefined, undefined]);
  });

  test.each(['temporarily_unavailable', 'login_required', 'access_denied'])(
    "P33: so is the provider's refusal, but not the user's: %s",
    async (error) => {
      await newVisitor().signIn();
      await logOutHere();
      const state = stateOf((await user.browser.get(`${local}/login`)).next);
      const page = await user.browser.get(
        `${local}/login/callback?${new URLSearchParams({ state, error }).toString()}`,
      );
      expect([page.status, page.next?.startsWith(oneId.issuer)]).toEqual(
        error === 'access_denied' ? [400, undefined] : [303, true],
      );
    },
  );

  test('P33: a second failure is shown, and a first one too without a logout here', async () => {
    await newVisitor().signIn();
    await logOutHere();
    oneId.fail(endpointPaths.token, refusal);
    const second = await user.signIn();
    expect([second.status, signInFailure(second)]).toEqual([400, 'OneID does not accept this sign-in any more.']);
    expect(oneId.count(endpointPaths.token)).toBe(3);
    const first = await newVisitor().signIn();
    expect([first.status, signInFailure(first)]).toEqual([400, 'OneID does not accept this sign-in any more.']);
    expect(oneId.count(endpointPaths.token)).toBe(4);
  });

  test('P33: the page after it is true for each provider', async () => {
    await newVisitor().signIn();
    const page = await user.browser.follow(await logOutHere());
    expect(page.body).toContain(
      'This session is over. This app has not logged you out at OneID, so you may still be signed in there and in the other apps of this login.',
    );
  });

  test('P34: a sign-in in the second of a logout by sub is tried once more in the next second', async () => {
    const { sub } = oneId.signIn();
    stoppedAt = Date.now();
    const logoutToken = await oneId.logoutToken({ clientId: 'app', claims: { sub, sid: undefined } });
    await oneId.deliver(`${local}/backchannel_logout`, logoutToken);
    const waited = jest.spyOn(app.get(SignInService), 'nextSecond').mockImplementation(() => {
      stoppedAt = (stoppedAt ?? 0) + 1_000;
      return Promise.resolve();
    });
    expect((await newVisitor().signIn()).body).toContain('You are signed in');
    expect(waited).toHaveBeenCalledTimes(1);
    expect(authorizations().map(({ query }) => query['prompt'])).toEqual([undefined, 'login']);
  });

  test('P34: the wait lasts until the provider dates its tokens in the next second', async () => {
    const before = performance.now();
    await app.get(SignInService).nextSecond();
    expect(performance.now() - before).toBeGreaterThanOrEqual(1_000);
  });

  test('P23: a login that ended at the consent page is tried once more as a new login', async () => {
    jest.spyOn(app.get(SignInService), 'nextSecond').mockResolvedValue();
    const login = oneId.signIn();
    oneId.atConsent(() => oneId.forget(login));
    const page = await newVisitor().signIn();
    expect([page.status, page.body.includes('You are signed in')]).toEqual([200, true]);
    expect(authorizations().map(({ query }) => query['prompt'])).toEqual([undefined, 'login']);
    expect((await user.me()).sid).not.toBe(login.sid);
  });

  describe('P41: a bad ID token is 401 with one page, whether openid-client or the library refuses it', () => {
    const cases: [string, (nonce: string) => string | undefined | Promise<string>][] = [
      ['iss', (nonce) => oneId.idToken({ clientId: 'app', nonce, claims: { iss: 'https://evil.example/' } })],
      ['aud', (nonce) => oneId.idToken({ clientId: 'other', nonce })],
      ['a further aud', (nonce) => oneId.idToken({ clientId: 'app', nonce, claims: { aud: ['app', 'other'] } })],
      ['azp', (nonce) => oneId.idToken({ clientId: 'app', nonce, claims: { aud: ['app', 'b'], azp: 'b' } })],
      ['nonce', () => oneId.idToken({ clientId: 'app', nonce: 'another nonce' })],
      ['no nonce', () => oneId.idToken({ clientId: 'app' })],
      ['exp', (nonce) => oneId.idToken({ clientId: 'app', nonce, claims: { exp: 1 } })],
      ['iat', (nonce) => oneId.idToken({ clientId: 'app', nonce, claims: { iat: 1 } })],
      ['no sub', (nonce) => oneId.idToken({ clientId: 'app', nonce, claims: { sub: undefined } })],
      ['crit', (nonce) => oneId.idToken({ clientId: 'app', nonce, header: { crit: ['x'], x: 1 } })],
      ['alg', (nonce) => oneId.idToken({ clientId: 'app', nonce, key: 'none' })],
      ['signature', async (nonce) => (await oneId.idToken({ clientId: 'app', nonce })).replace(/\.[^.]+$/, '.AAAA')],
      ['no JWT', () => 'garbage'],
      ['no JSON inside', () => 'a.b.c'],
      ['an encrypted one', () => 'a.b.c.d.e'],
      ['none', () => undefined],
    ];

    test.each(cases)('%s', async (_what, idToken) => {
      const start = await newVisitor().browser.get(`${local}/login`);
      const callback = await user.browser.get(start.next ?? '');
      const body = {
        ...{ access_token: 'access token', token_type: 'bearer' },
        id_token: await idToken(new URL(start.next ?? '').searchParams.get('nonce') ?? ''),
      };
      oneId.fail(endpointPaths.token, { body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } });
      const page = await user.browser.get(callback.next ?? '');
      expect([page.status, signInFailure(page)]).toEqual([401, 'This app could not verify the ID token from OneID.']);
      expect(user.cookie).toBe('');
    });
  });

  const wrongIssuers: [string, (issuer: string) => string, (issuer: string) => string][] = [
    [
      'one slash too many',
      (issuer) => `${issuer}/`,
      (issuer) => `there is no provider at &quot;${issuer}/&quot; (status 404)`,
    ],
    [
      'another path',
      (issuer) => `${issuer}realms/x`,
      (issuer) => `there is no provider at &quot;${issuer}realms/x&quot; (status 404)`,
    ],
    [
      'another host name',
      (issuer) => issuer.replace('127.0.0.1', 'localhost'),
      (issuer) =>
        `it is &quot;${issuer.replace('127.0.0.1', 'localhost')}&quot;, but the provider there names the issuer &quot;${issuer}&quot;`,
    ],
  ];

  test.each(wrongIssuers)('P37: %s: 500 that says what is wrong, also in the log', async (_what, wrong, says) => {
    const log = jest.spyOn(Logger.prototype, 'error').mockReturnValue();
    const { local } = await startAt(oneId, wrong(oneId.issuer));
    newUser({ ...running, local });
    const expected = `Check ONEID_ISSUER: ${says(oneId.issuer)}`;
    for (let n = 0; n < 2; n += 1) {
      const page = await user.browser.get(`${local}/login`);
      expect([page.status, signInFailure(page)]).toEqual([
        500,
        `The settings of this app do not fit OneID. Its operator has to change them: ${expected}.`,
      ]);
    }
    expect(String(log.mock.calls[0]?.[0])).toContain(expected.replaceAll('&quot;', '"'));
    const api = await user.browser.get(`${local}/api/me`, {
      authorization: 'Bearer a.b.c',
      accept: 'application/json',
    });
    expect([api.status, (JSON.parse(api.body) as { error: string }).error]).toEqual([500, 'provider_misconfigured']);
  });

  test('P37: an outage stays a 503, and the app asks OneID at most once a second', async () => {
    oneId.clearRequests();
    const { app, local } = await startAt(oneId);
    // the library asks once when the app listens
    await until('the library asks', () => oneId.count(endpointPaths.discovery) === 1);
    oneId.clearRequests();
    let now = 0;
    jest.spyOn(app.get(OneIdClient), 'now').mockImplementation(() => now);
    oneId.fail(endpointPaths.discovery, { status: 502 });
    newUser({ ...running, local });
    const status = async (path: string) => (await user.browser.get(local + path)).status;
    const asked = () => oneId.count(endpointPaths.discovery);
    expect([await status('/login'), await status('/goodbye'), await status('/login')]).toEqual([503, 200, 503]);
    expect(asked()).toBe(1);
    oneId.heal();
    now = 999;
    expect([await status('/login'), asked()]).toEqual([503, 1]);
    now = 1000;
    expect([await status('/login'), asked()]).toEqual([303, 2]);
    expect((await user.signIn()).body).toContain('You are signed in');
  });

  test('P9: without end_session_endpoint the user is logged out here, and the page says so', async () => {
    const small = await OneIdTestProvider.start({ metadata: { end_session_endpoint: undefined } });
    try {
      const { local } = await startAt(small);
      await newUser({ ...running, local }).signIn();
      const { cookie } = user;
      const page = await user.browser.follow(await user.pressLogout());
      expect([page.status, page.url]).toEqual([200, `${local}/goodbye`]);
      expect(page.body).toContain('This app has not logged you out at OneID');
      expect(await user.meInShortWith(cookie)).toBe('401 logged_out');
      expect(await user.meInShort()).toBe('401 missing');
    } finally {
      await small.close();
    }
  });
});

describe('on PostgreSQL', () => {
  test('a logout at OneID reaches the session', async () => {
    const url = await newPostgresDatabase();
    const postgres = await startWithEmbedded({ DATABASE_URL: url });
    await newUser(postgres).signIn();
    const otherApp = await OtherApp.at(postgres.oneId);
    await otherApp.logOut(user.browser, await otherApp.signIn(user.browser));
    await postgres.oneId.deliveries.idle();
    expect(postgres.oneId.deliveries.finished).toMatchObject([{ attempts: [{ status: 200 }] }]);
    expect(await user.meInShort()).toBe('401 logged_out');
    await user.signIn();
    expect(await user.meInShort()).toBe('200');
  });
});

describe('ormconfig', () => {
  test.each([
    ['SQLite', () => Promise.resolve(`sqlite:${join(folder, 'ormconfig.sqlite')}`)],
    ['PostgreSQL', newPostgresDatabase],
  ])('runs all migrations, on %s', async (_name, url) => {
    const dataSource = new DataSource(sessionDataSourceOptions(databaseOf(await url())));
    await dataSource.initialize();
    expect(await dataSource.runMigrations()).not.toEqual([]);
    expect((await dataSource.driver.createSchemaBuilder().log()).upQueries).toEqual([]);
    await dataSource.destroy();
  });

  test("is the data source for TypeORM's command line", async () => {
    const { default: dataSource } = await import('../ormconfig.js');
    expect(dataSource.options).toMatchObject({ type: 'better-sqlite3', database: 'oneid-logout.sqlite' });
  });
});

/** Resolves when this process has got an answer from a URL that ends with this path. */
function nextRequestTo(path: string): Promise<void> {
  const real = globalThis.fetch;
  return new Promise((resolve) => {
    jest.spyOn(globalThis, 'fetch').mockImplementation(async (url, init) => {
      const answer = await real(url, init);
      if (typeof url === 'string' && url.endsWith(path)) resolve();
      return answer;
    });
  });
}

async function newPostgresDatabase(): Promise<string> {
  const url = new URL(process.env['EMBEDDED_POSTGRES_URL'] ?? '');
  const server = await new DataSource({ type: 'postgres', url: url.href }).initialize();
  const name = `reference_app_${Date.now()}_${Math.floor(Math.random() * 1e6)}`;
  await server.query(`CREATE DATABASE ${name}`);
  await server.destroy();
  url.pathname = `/${name}`;
  return url.href;
}
