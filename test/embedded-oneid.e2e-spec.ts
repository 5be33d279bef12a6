import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createRemoteJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose';
import {
  type BackchannelDelivery,
  type HydraVersion,
  OneIdTestProvider,
  withoutWaiting,
} from 'nestjs-oneid-logout/testing';
import * as client from 'openid-client';
import { Browser, type Page } from '../src/demo/browser.js';
import { elements } from '../src/demo/html.js';
import { type EmbeddedOneId, startEmbeddedOneId } from '../src/embedded-oneid/embedded-oneid.js';
import { oneIdTexts } from '../src/embedded-oneid/texts.js';
import { freePort } from '../src/embedded-oneid/free-port.js';

const UUID = /^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/;
const BACKCHANNEL_EVENT = 'http://schemas.openid.net/event/backchannel-logout';

/** A special status: the connection ends without an answer. */
const HANG_UP = 0;

interface Request {
  method: string;
  url: string;
  headers: Record<string, unknown>;
  body: string;
}

interface Answer {
  status: number;
  headers?: Record<string, string>;
}

/** The web server of both apps: stores the requests, and answers 200 unless the test says otherwise. */
class Apps {
  readonly requests: Request[] = [];
  readonly answers: Answer[] = [];

  private constructor(
    readonly url: string,
    private readonly server: Server,
  ) {}

  static async start(): Promise<Apps> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const apps = new Apps(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, server);
    server.on('request', (request, response) => {
      let body = '';
      request.on('data', (chunk) => (body += String(chunk)));
      request.on('end', () => {
        const { method = '', url = '', headers } = request;
        apps.requests.push({ method, url, headers, body });
        const { status, headers: answer = {} } = (method === 'POST' && apps.answers.shift()) || { status: 200 };
        if (status === HANG_UP) {
          request.socket.destroy();
        } else {
          response.writeHead(status, answer).end();
        }
      });
    });
    return apps;
  }

  to(path: string): Request[] {
    return this.requests.filter(({ url }) => url.split('?')[0] === path);
  }

  logoutTokens(path: string): string[] {
    return this.to(path).map(({ body }) => new URLSearchParams(body).get('logout_token') ?? '');
  }

  close(): void {
    this.server.close();
    this.server.closeAllConnections();
  }
}

let apps: Apps;
let oneId: EmbeddedOneId;
let webApp: client.Configuration;
let otherApp: client.Configuration;
let framedApp: client.Configuration;
let browser: Browser;

beforeAll(async () => {
  apps = await Apps.start();
  const urls = (id: string) => ({
    redirectUris: [`${apps.url}/${id}/callback`],
    postLogoutRedirectUris: [`${apps.url}/${id}/bye?lang=vi&app=${id}`],
    backchannelLogoutUri: `${apps.url}/${id}/backchannel`,
  });
  oneId = await startEmbeddedOneId({
    clients: [
      {
        ...urls('web-app'),
        clientId: 'web-app',
        clientSecret: 'test-only',
        name: 'The web app',
        uri: 'http://127.0.0.1:1/',
      },
      { clientId: 'other-app', ...urls('other-app') },
      { clientId: 'framed-app', ...urls('framed-app'), frontchannelLogoutUri: `${apps.url}/framed-app/front?a=1&b=2` },
    ],
    backchannel: { wait: withoutWaiting },
  });
  webApp = await discover(oneId.issuer, 'web-app', client.ClientSecretBasic('test-only'));
  otherApp = await discover(oneId.issuer, 'other-app');
  framedApp = await discover(oneId.issuer, 'framed-app');
});

afterAll(async () => {
  await oneId.close();
  apps.close();
});

beforeEach(() => {
  browser = new Browser();
});

afterEach(async () => {
  await oneId.deliveries.idle();
  apps.requests.length = 0;
  apps.answers.length = 0;
});

function discover(issuer: string, clientId: string, authentication = client.None()) {
  // eslint-disable-next-line @typescript-eslint/no-deprecated -- marked as a warning only; this OneID has no TLS
  return client.discovery(new URL(issuer), clientId, {}, authentication, { execute: [client.allowInsecureRequests] });
}

const idOf = (config: client.Configuration) => config.clientMetadata().client_id;
const callbackOf = (config: client.Configuration) => `${apps.url}/${idOf(config)}/callback`;
const byeOf = (config: client.Configuration) => `${apps.url}/${idOf(config)}/bye?lang=vi&app=${idOf(config)}`;
/** The URL that the browser returns to. Hydra sorts its query, with and without a state. */
const backOf = (config: client.Configuration) => `${apps.url}/${idOf(config)}/bye?app=${idOf(config)}&lang=vi`;
const lastDelivery = () => oneId.deliveries.finished.at(-1);

/** Sends an authorization request, and fills in the sign-in form when it appears. */
async function authorize(config: client.Configuration, parameters: Record<string, string> = {}) {
  const verifier = client.randomPKCECodeVerifier();
  const url = client.buildAuthorizationUrl(config, {
    redirect_uri: callbackOf(config),
    scope: 'openid offline',
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    ...parameters,
  });
  const until = callbackOf(config);
  const first = await browser.visit(url.href, { until });
  const asked = first.body.includes('name="password"');
  const last = asked ? await browser.follow(await browser.submit(first), { until }) : first;
  return { asked, verifier, page: last };
}

async function signIn(config: client.Configuration, parameters: Record<string, string> = {}) {
  const { asked, verifier, page } = await authorize(config, parameters);
  const tokens = await client.authorizationCodeGrant(config, new URL(page.next ?? ''), { pkceCodeVerifier: verifier });
  return { asked, ...parsed(tokens) };
}

function parsed(tokens: client.TokenEndpointResponse) {
  const { id_token: idToken = '', refresh_token: refreshToken = '', access_token: accessToken } = tokens;
  return { idToken, accessToken, refreshToken, tokens, sid: decodeJwt(idToken).sid as string };
}

const endSession = (parameters: Record<string, string>) =>
  `${oneId.issuer}oauth2/sessions/logout?${new URLSearchParams(parameters).toString()}`;

/** Requests a logout, and confirms when OneID asks. */
const logOut = async (parameters: Record<string, string>, channels = 'both') =>
  sayYes(await browser.get(endSession(parameters)), channels);

const sayYes = (page: Page, channels = 'both') =>
  page.body.includes('name="challenge"') ? browser.submit(page, { answer: 'yes', channels }) : page;

function errorCode({ status, body }: Page) {
  return { status, code: /<code>(.*)<\/code>/.exec(body)?.[1] };
}

describe('discovery', () => {
  test("has Hydra's paths and says which logouts are supported", () => {
    expect(oneId.issuer).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/$/);
    expect(webApp.serverMetadata()).toMatchObject({
      issuer: oneId.issuer,
      authorization_endpoint: `${oneId.issuer}oauth2/auth`,
      token_endpoint: `${oneId.issuer}oauth2/token`,
      revocation_endpoint: `${oneId.issuer}oauth2/revoke`,
      end_session_endpoint: `${oneId.issuer}oauth2/sessions/logout`,
      jwks_uri: `${oneId.issuer}.well-known/jwks.json`,
      userinfo_endpoint: `${oneId.issuer}userinfo`,
      backchannel_logout_supported: true,
      backchannel_logout_session_supported: true,
      frontchannel_logout_supported: true,
      frontchannel_logout_session_supported: true,
    });
  });

  test('listens on the given port', async () => {
    const port = await freePort();
    const other = await startEmbeddedOneId({ port, clients: [] });
    expect(other.issuer).toBe(`http://127.0.0.1:${port}/`);
    await other.close();
  });
});

describe('signing in', () => {
  test('gives an ID token with exactly these claims', async () => {
    const { tokens, idToken } = await signIn(webApp);
    const keys = createRemoteJWKSet(new URL(`${oneId.issuer}.well-known/jwks.json`));
    const { payload, protectedHeader } = await jwtVerify(idToken, keys);

    expect(protectedHeader).toEqual({ alg: 'RS256', kid: expect.any(String) });
    expect(payload).toEqual({
      iss: oneId.issuer,
      aud: 'web-app',
      sub: 'demo',
      sid: expect.stringMatching(UUID),
      iat: expect.any(Number),
      exp: (payload.iat ?? 0) + 3600,
      auth_time: expect.any(Number),
    });
    expect(tokens).toMatchObject({ token_type: 'bearer', scope: 'openid offline', expires_in: 3600 });
  });

  test('gives a JWT access token with the sid, valid at /userinfo', async () => {
    const { accessToken, sid } = await signIn(otherApp, { scope: 'openid profile' });
    const claims = decodeJwt(accessToken);

    expect(decodeProtectedHeader(accessToken)).toMatchObject({ alg: 'RS256', typ: 'at+jwt' });
    expect(claims).toEqual({
      iss: oneId.issuer,
      aud: oneId.apiAudience,
      client_id: 'other-app',
      sub: 'demo',
      sid,
      scope: 'openid profile',
      jti: expect.any(String),
      iat: expect.any(Number),
      exp: (claims.iat ?? 0) + 3600,
    });
    expect(await client.fetchUserInfo(otherApp, accessToken, 'demo')).toEqual({ sub: 'demo', name: 'Demo User' });
  });

  test('refuses a wrong password', async () => {
    const page = await browser.visit(
      client.buildAuthorizationUrl(webApp, {
        redirect_uri: callbackOf(webApp),
        scope: 'openid',
        code_challenge: await client.calculatePKCECodeChallenge(client.randomPKCECodeVerifier()),
        code_challenge_method: 'S256',
      }).href,
    );
    const refused = await browser.submit(page, { password: 'wrong' });
    expect(refused.status).toBe(303);
    const again = await browser.follow(refused);
    expect([again.status, elements(again.body, 'input').map(({ name, value }) => [name, value])]).toEqual([
      200,
      [
        ['username', 'demo'],
        ['password', ''],
      ],
    ]);
    expect(again.body).toContain('Wrong username or password.');
  });

  test('requires PKCE', async () => {
    const url = client.buildAuthorizationUrl(webApp, { redirect_uri: callbackOf(webApp), scope: 'openid' });
    const page = await browser.visit(url.href, { until: callbackOf(webApp) });
    expect(new URL(page.next ?? '').searchParams.get('error')).toBe('invalid_request');
  });

  test('shows an error page without a stack trace when it must not redirect', async () => {
    const url = client.buildAuthorizationUrl(webApp, { redirect_uri: 'http://127.0.0.1:1/elsewhere' });
    const page = await browser.visit(url.href);
    expect(errorCode(page)).toEqual({ status: 400, code: 'invalid_redirect_uri' });
    expect(page.body).not.toMatch(/\bat .*:\d+:\d+/);
  });

  test('accepts the client secret in the body, too', async () => {
    const post = await discover(oneId.issuer, 'web-app', client.ClientSecretPost('test-only'));
    expect((await signIn(post)).sid).toMatch(UUID);
  });
});

describe('the sid', () => {
  test('is the same for all clients of the browser, without a second sign-in', async () => {
    const first = await signIn(webApp);
    const second = await signIn(otherApp);
    expect([first.asked, second.asked]).toEqual([true, false]);
    expect(second.sid).toBe(first.sid);
  });

  test('stays the same with a silent sign-in and with a refresh', async () => {
    const first = await signIn(webApp);
    const silent = await signIn(webApp, { prompt: 'none' });
    const refreshed = parsed(await client.refreshTokenGrant(webApp, first.refreshToken));
    expect([silent.sid, refreshed.sid, decodeJwt(refreshed.accessToken).sid]).toEqual([
      first.sid,
      first.sid,
      first.sid,
    ]);
  });

  test('is new with prompt=login, and the old login can still be ended alone', async () => {
    const first = await signIn(webApp);
    const second = await signIn(otherApp, { prompt: 'login' });
    expect(second.asked).toBe(true);
    expect(second.sid).toMatch(UUID);
    expect(second.sid).not.toBe(first.sid);

    await logOut({ id_token_hint: first.idToken });
    await oneId.deliveries.idle();
    expect(apps.logoutTokens('/web-app/backchannel').map((token) => decodeJwt(token).sid)).toEqual([first.sid]);
    expect(apps.to('/other-app/backchannel')).toEqual([]);
  });

  test('is new after a logout, which also asks for the password again', async () => {
    const first = await signIn(webApp);
    await logOut({ id_token_hint: first.idToken });
    const { page } = await authorize(webApp, { prompt: 'none' });
    expect(new URL(page.next ?? '').searchParams.get('error')).toBe('login_required');

    const second = await signIn(webApp);
    expect(second.asked).toBe(true);
    expect(second.sid).not.toBe(first.sid);
  });

  test('differs between browsers', async () => {
    const first = await signIn(webApp);
    browser = new Browser();
    expect((await signIn(webApp)).sid).not.toBe(first.sid);
  });
});

describe('the logout endpoint, with a hint', () => {
  test('asks the user, and adds the state to the redirect URI', async () => {
    const { idToken } = await signIn(webApp);
    const page = await logOut({
      id_token_hint: idToken,
      post_logout_redirect_uri: byeOf(webApp),
      state: 'a b&c',
    });
    expect(page.status).toBe(302);
    expect(page.next).toBe(`${apps.url}/web-app/bye?app=web-app&lang=vi&state=a+b%26c`);
  });

  test('sorts the query of the redirect URI when there is no state, and adds nothing to it', async () => {
    const { idToken } = await signIn(webApp);
    const page = await logOut({ id_token_hint: idToken, post_logout_redirect_uri: byeOf(webApp) });
    expect(page.next).toBe(backOf(webApp));
  });

  test('accepts an expired hint', async () => {
    const { idToken, sid } = await signIn(webApp);
    const later = Date.now() + 7_200_000;
    const clock = jest.spyOn(Date, 'now').mockImplementation(() => later);
    const page = await logOut({ id_token_hint: idToken, post_logout_redirect_uri: byeOf(webApp) });
    clock.mockRestore();

    expect(page.next).toBe(backOf(webApp));
    await oneId.deliveries.idle();
    expect(lastDelivery()).toMatchObject({ sid, delivered: true });
  });

  test('removes its cookie', async () => {
    const { idToken } = await signIn(webApp);
    expect(browser.cookies.header(new URL(oneId.issuer))).toMatch(/^oneid_session=\S+; oneid_session\.sig=\S+$/);
    await logOut({ id_token_hint: idToken });
    expect(browser.cookies.header(new URL(oneId.issuer))).toBe('');
  });

  test('accepts a form POST', async () => {
    const { idToken } = await signIn(webApp);
    const asked = await browser.post(`${oneId.issuer}oauth2/sessions/logout`, {
      id_token_hint: idToken,
      post_logout_redirect_uri: byeOf(webApp),
    });
    const page = await sayYes(asked);
    expect([page.status, page.next]).toEqual([302, backOf(webApp)]);
    expect((await authorize(webApp, { prompt: 'none' })).page.next).toContain('error=login_required');
  });

  test("ends on OneID's own page without a redirect URI", async () => {
    const { idToken } = await signIn(webApp);
    const page = await browser.follow(await logOut({ id_token_hint: idToken }));
    expect(page.status).toBe(200);
    expect(page.body).toContain('You are logged out');
  });

  test('sends the browser back when the login has already ended, and notifies no app twice', async () => {
    const { idToken } = await signIn(webApp);
    const parameters = { id_token_hint: idToken, post_logout_redirect_uri: byeOf(webApp) };
    await logOut(parameters);
    expect((await logOut(parameters)).next).toBe(backOf(webApp));
    await oneId.deliveries.idle();
    expect(apps.to('/web-app/backchannel')).toHaveLength(1);
  });

  test('ends the login of the hint, also from another browser', async () => {
    const { idToken } = await signIn(webApp);
    const page = await new Browser().get(endSession({ id_token_hint: idToken }));
    expect(page.status).toBe(302);
    expect((await authorize(webApp, { prompt: 'none' })).page.next).toContain('error=login_required');
  });

  test.each([
    ['the redirect URI of another client', () => byeOf(otherApp)],
    ['its redirect URI without the query', () => `${apps.url}/web-app/bye`],
    ['its redirect URI with a state inside', () => `${byeOf(webApp)}&state=x`],
  ])('refuses a redirect URI that is not registered: %s', async (_name, uri) => {
    const { idToken } = await signIn(webApp);
    const page = await logOut({ id_token_hint: idToken, post_logout_redirect_uri: uri() });
    expect(errorCode(page)).toEqual({ status: 400, code: 'invalid_request' });
    expect((await signIn(webApp)).asked).toBe(false);
  });

  test('refuses a hint that is not an ID token of this issuer', async () => {
    const { idToken, accessToken } = await signIn(webApp);
    const tampered = `${idToken.slice(0, -8)}AAAAAAAA`;
    for (const hint of ['x', tampered, accessToken]) {
      expect(errorCode(await logOut({ id_token_hint: hint }))).toEqual({ status: 400, code: 'invalid_request' });
    }
  });
});

describe('the logout endpoint, without a hint', () => {
  test.each([{ state: 'x' }, { post_logout_redirect_uri: 'http://127.0.0.1:1/' }])(
    'answers an error page to %j, and does not end the session',
    async (parameters) => {
      await signIn(webApp);
      const page = await logOut(parameters);
      expect(errorCode(page)).toEqual({ status: 400, code: 'invalid_request' });
      expect(page.next).toBeUndefined();
      expect((await signIn(webApp)).asked).toBe(false);
    },
  );

  test('asks the user, and does nothing when the user cancels', async () => {
    await signIn(webApp);
    const page = await browser.get(endSession({}));
    expect(page.body).toContain('Do you want to log out?');
    const answer = await browser.follow(await browser.submit(page, { answer: 'no' }));
    expect(answer.body).toContain('You are still signed in');
    expect((await signIn(webApp)).asked).toBe(false);
  });

  test('asks the user, and logs out when the user confirms', async () => {
    const { sid } = await signIn(webApp);
    const answer = await browser.follow(await logOut({}));
    expect(answer.body).toContain('You are logged out');
    await oneId.deliveries.idle();
    expect(lastDelivery()).toMatchObject({ clientId: 'web-app', sid, delivered: true });
  });

  test('lists the apps of this login, and no other apps', async () => {
    await signIn(webApp);
    await signIn(framedApp);
    const { body } = await browser.get(endSession({}));
    const list = /<ul class="apps">(.*?)<\/ul>/s.exec(body)?.[1] ?? '';
    expect([...list.matchAll(/<li>(.*?)<\/li>/g)].map(([, name]) => name)).toEqual(['The web app', 'framed-app']);
  });

  test('with a hint, sends the browser back to the app when the user cancels', async () => {
    const { idToken } = await signIn(webApp);
    const question = await browser.get(endSession({ id_token_hint: idToken, post_logout_redirect_uri: byeOf(webApp) }));
    const answer = await browser.follow(await browser.submit(question, { answer: 'no' }));
    expect([answer.status, answer.url]).toEqual([200, `${oneId.issuer}logout/cancelled?from=web-app`]);
    expect(answer.body).toContain('<a href="http://127.0.0.1:1/">The web app</a>');
    expect((await signIn(webApp)).asked).toBe(false);
  });

  test('cannot be framed by another page', async () => {
    await signIn(webApp);
    const { headers } = await browser.get(endSession({}));
    expect(headers.get('content-security-policy')).toBe("frame-ancestors 'none'");
  });

  test("asks again when the browser visits the answer's URL", async () => {
    await signIn(webApp);
    expect((await browser.visit(`${oneId.issuer}logout`)).body).toContain('Do you want to log out?');
  });

  test("with a hint of another browser's login, takes this browser's cookie and tells nobody of its login", async () => {
    const { idToken, sid } = await signIn(webApp);
    browser = new Browser();
    const own = await signIn(webApp);
    await logOut({ id_token_hint: idToken });
    await oneId.deliveries.idle();
    expect(apps.logoutTokens('/web-app/backchannel').map((token) => decodeJwt(token).sid)).toEqual([sid]);
    expect((await signIn(webApp)).asked).toBe(true);

    // the login of the cookie is alive: an ID token of it still ends it
    await logOut({ id_token_hint: own.idToken });
    await oneId.deliveries.idle();
    expect(lastDelivery()).toMatchObject({ sid: own.sid, delivered: true });
  });

  test('keeps the cookie when the login of the hint has already ended', async () => {
    const { idToken } = await signIn(webApp);
    await logOut({ id_token_hint: idToken });
    await signIn(webApp);
    await logOut({ id_token_hint: idToken });
    expect((await signIn(webApp)).asked).toBe(false);
  });

  test('refuses an answer with a changed target', async () => {
    const { idToken } = await signIn(webApp);
    const question = await browser.get(endSession({ id_token_hint: idToken, post_logout_redirect_uri: byeOf(webApp) }));
    const changed = await browser.submit(question, { answer: 'yes', next: 'https://evil.example/' });
    expect(errorCode(changed)).toEqual({ status: 400, code: 'invalid_request' });
    expect((await signIn(webApp)).asked).toBe(false);
  });

  test('refuses an answer of another session', async () => {
    await signIn(webApp);
    const page = await browser.get(endSession({}));
    browser = new Browser();
    await signIn(webApp);
    expect(errorCode(await browser.submit(page, { answer: 'yes' }))).toEqual({ status: 400, code: 'invalid_request' });
  });

  test('shows that the user is logged out when there is no session', async () => {
    expect((await browser.visit(endSession({}))).body).toContain('You are logged out');
  });
});

describe('the back-channel', () => {
  test('sends every client of the login a token as Hydra does', async () => {
    const { idToken, sid } = await signIn(webApp);
    await signIn(otherApp);
    await logOut({ id_token_hint: idToken });
    await oneId.deliveries.idle();

    for (const clientId of ['web-app', 'other-app']) {
      const [token = '', ...more] = apps.logoutTokens(`/${clientId}/backchannel`);
      const keys = createRemoteJWKSet(new URL(`${oneId.issuer}.well-known/jwks.json`));
      const { payload, protectedHeader } = await jwtVerify(token, keys);
      expect(more).toEqual([]);
      expect(protectedHeader).toEqual({ alg: 'RS256', typ: 'JWT', kid: decodeProtectedHeader(idToken).kid });
      expect(payload).toEqual({
        iss: oneId.issuer,
        aud: [clientId],
        iat: expect.any(Number),
        jti: expect.stringMatching(UUID),
        sid,
        events: { [BACKCHANNEL_EVENT]: {} },
      });
    }
    expect(apps.to('/web-app/backchannel')[0]).toMatchObject({
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    });
  });

  test.each([503, 500, 429])('sends the same token again after %d', async (status) => {
    apps.answers.push({ status, headers: { 'retry-after': '0' } }, { status });
    const { idToken } = await signIn(webApp);
    await logOut({ id_token_hint: idToken });
    await oneId.deliveries.idle();

    const sent = apps.logoutTokens('/web-app/backchannel');
    expect(sent).toHaveLength(3);
    expect(new Set(sent).size).toBe(1);
    expect(lastDelivery()).toMatchObject({
      clientId: 'web-app',
      attempts: [{ status }, { status }, { status: 200 }],
      delivered: true,
    });
  });

  test('sends the same token again after a network error', async () => {
    apps.answers.push({ status: HANG_UP });
    const { idToken } = await signIn(webApp);
    await logOut({ id_token_hint: idToken });
    await oneId.deliveries.idle();
    expect(new Set(apps.logoutTokens('/web-app/backchannel')).size).toBe(1);
    expect(lastDelivery()).toMatchObject({
      attempts: [{ error: expect.stringMatching(/^(ECONNRESET|UND_ERR_SOCKET)$/) }, { status: 200 }],
      delivered: true,
    });
  });

  test('gives up after three attempts', async () => {
    apps.answers.push(...Array.from({ length: 6 }, () => ({ status: 503 })));
    const { idToken } = await signIn(webApp);
    await logOut({ id_token_hint: idToken });
    await oneId.deliveries.idle();
    expect(apps.to('/web-app/backchannel')).toHaveLength(3);
    expect(lastDelivery()).toMatchObject({ attempts: Array(3).fill({ status: 503 }), delivered: false });
  });

  test.each([400, 501])('does not try again after %d', async (status) => {
    apps.answers.push({ status });
    const { idToken } = await signIn(webApp);
    await logOut({ id_token_hint: idToken });
    await oneId.deliveries.idle();
    expect(apps.to('/web-app/backchannel')).toHaveLength(1);
    expect(lastDelivery()).toMatchObject({ attempts: [{ status }], delivered: false });
  });

  test('does not make the browser wait', async () => {
    apps.answers.push({ status: 503, headers: { 'retry-after': '3600' } });
    const local = await startEmbeddedOneId({
      clients: [
        {
          clientId: 'web-app',
          redirectUris: [callbackOf(webApp)],
          postLogoutRedirectUris: [],
          backchannelLogoutUri: `${apps.url}/web-app/backchannel`,
        },
      ],
    });
    const config = await discover(local.issuer, 'web-app');
    const { idToken } = await signIn(config);
    const page = await sayYes(await browser.get(`${local.issuer}oauth2/sessions/logout?id_token_hint=${idToken}`));
    expect(page.status).toBe(302);
    await local.close();
    expect(local.deliveries.finished).toMatchObject([{ attempts: { length: 1 }, delivered: false }]);
  });
});

describe('the front-channel', () => {
  test('loads an iframe for each client with a URI, then sends the browser on', async () => {
    const { idToken, sid } = await signIn(framedApp);
    await signIn(webApp);
    const page = await logOut({ id_token_hint: idToken, post_logout_redirect_uri: byeOf(framedApp), state: 's' });

    const issuer = encodeURIComponent(oneId.issuer);
    const next = `${apps.url}/framed-app/bye?app=framed-app&lang=vi&state=s`;
    expect(page.status).toBe(200);
    expect(elements(page.body, 'iframe')).toMatchObject([
      { src: `${apps.url}/framed-app/front?a=1&b=2&iss=${issuer}&sid=${sid}` },
    ]);
    expect(elements(page.body, 'a')).toContainEqual({ id: 'next', href: next });
    expect(page.next).toBe(next);

    const last = await browser.follow(page);
    expect([last.status, last.url]).toEqual([200, next]);
    expect(apps.to('/framed-app/front')).toMatchObject([{ method: 'GET', headers: { 'sec-fetch-dest': 'iframe' } }]);
  });

  test.each([
    ['both', 1, 1],
    ['backchannel', 1, 0],
    ['frontchannel', 0, 1],
    ['neither', 1, 1],
  ])('and the back-channel are used as the user chose: %s', async (channels, posts, frames) => {
    const { idToken } = await signIn(framedApp);
    await browser.follow(
      await logOut({ id_token_hint: idToken, post_logout_redirect_uri: byeOf(framedApp) }, channels),
    );
    await oneId.deliveries.idle();
    expect([apps.to('/framed-app/backchannel'), apps.to('/framed-app/front')]).toMatchObject([
      { length: posts },
      { length: frames },
    ]);
    expect(apps.to('/framed-app/bye')).toHaveLength(1);
  });

  test('is used together with the back-channel', async () => {
    const { idToken } = await signIn(framedApp);
    await logOut({ id_token_hint: idToken });
    await oneId.deliveries.idle();
    expect(apps.to('/framed-app/backchannel')).toHaveLength(1);
  });
});

describe.each<HydraVersion>(['1.11', '2'])('the OneID of the testing entry, with Hydra v%s', (hydra) => {
  const bye = () => `${apps.url}/app/bye?z=1&a=2`;
  const waits: number[] = [];
  const wait = (milliseconds: number) => Promise.resolve(waits.push(milliseconds));
  let embedded: EmbeddedOneId;
  let other: OneIdTestProvider;
  beforeAll(async () => {
    const app = {
      clientId: 'app',
      redirectUris: [`${apps.url}/app/callback`],
      postLogoutRedirectUris: [bye()],
      backchannelLogoutUri: `${apps.url}/app/backchannel`,
      frontchannelLogoutUri: `${apps.url}/app/front?z=1&sid=own&a=2`,
    };
    embedded = await startEmbeddedOneId({ hydra, clients: [app], backchannel: { wait } });
    other = await OneIdTestProvider.start({ hydra, clients: [app], wait });
  });
  afterAll(() => Promise.all([embedded.close(), other.close()]));

  /** The last page of a logout, the URL that it leads to, and the only delivery. */
  interface Ended {
    readonly issuer: string;
    readonly page: Page;
    readonly next: string | undefined;
    readonly delivery: BackchannelDelivery | undefined;
  }

  const endSessionAt = (issuer: string, hint: string, state: string) => {
    const parameters = { id_token_hint: hint, post_logout_redirect_uri: bye(), state };
    return browser.get(`${issuer}oauth2/sessions/logout?${new URLSearchParams(parameters).toString()}`);
  };

  async function endHere(state: string): Promise<Ended> {
    const { issuer, deliveries } = embedded;
    const { idToken } = await signIn(await discover(issuer, 'app'));
    const page = await sayYes(await endSessionAt(issuer, idToken, state));
    await deliveries.idle();
    return { issuer, page, next: page.next, delivery: deliveries.finished.at(-1) };
  }

  async function endThere(state: string): Promise<Ended> {
    const { issuer } = other;
    const page = await endSessionAt(issuer, await other.idToken({ clientId: 'app', login: other.signIn() }), state);
    const next = /location\.href = "(.*?)"/.exec(page.body)?.[1];
    return { issuer, page, next, delivery: (await other.deliveries()).at(-1) };
  }

  /** Everything that the app and the browser received. Values that differ in each run are replaced by names. */
  async function onTheWire(end: () => Promise<Ended>, answers: readonly Answer[]) {
    apps.answers.splice(0, Infinity, ...answers);
    const { issuer, page, next, delivery } = await end();
    const { sid, token, delivered } = delivery ?? { sid: '', token: '' };
    const claims = decodeJwt(token);
    return {
      status: page.status,
      frames: elements(page.body, 'iframe').map(({ src = '' }) =>
        src.replace(encodeURIComponent(issuer), '<iss>').replaceAll(sid, '<sid>'),
      ),
      next,
      posts: apps.requests.splice(0).map(({ method, url, headers, body }) => ({
        request: [method, url],
        headers: Object.entries(headers).filter(([name]) => !['host', 'content-length'].includes(name)),
        body: body.replace(token, '<token>'),
      })),
      header: Object.entries(decodeProtectedHeader(token)).map(([name, value]) => [
        name,
        UUID.test(String(value)) ? 'a UUID' : value,
      ]),
      claims: Object.entries({ ...claims, iss: claims.iss === issuer, sid: claims.sid === sid, iat: 0, jti: '<jti>' }),
      delivered,
      waits: waits.splice(0),
    };
  }

  const inNineSeconds = { 'retry-after': '9' };
  const all = hydra === '1.11' ? 5 : 3;
  const elsewhere = { location: '/app/elsewhere' };
  test.each<[string, Answer[], number]>([
    ...[200, 201, 204, 302, 400, 401, 404, 501].map((status): [string, Answer[], number] => [
      String(status),
      [{ status }],
      1,
    ]),
    ...[429, 500, 502, 503, 504].map((status): [string, Answer[], number] => [String(status), [{ status }], 2]),
    ['nothing', [{ status: HANG_UP }], 2],
    ['with Retry-After', [503, 429, 500].map((status) => ({ status, headers: inNineSeconds })), Math.min(4, all)],
    ['503 to every attempt', Array<Answer>(9).fill({ status: 503 }), all],
    ['302 with a Location', [{ status: 302, headers: elsewhere }], 2],
    ['308 with a Location', [{ status: 308, headers: elsewhere }], hydra === '1.11' ? 1 : 2],
  ])('sends the same requests, equally often, when the app answers %s', async (_name, answers, attempts) => {
    const here = await onTheWire(() => endHere('a b'), answers);
    const there = await onTheWire(() => endThere('a b'), answers);

    expect(here).toEqual(there);
    expect(here).toMatchObject({
      status: 200,
      frames: [`${apps.url}/app/front?a=2&iss=<iss>&sid=<sid>&z=1`],
      next: `${apps.url}/app/bye?a=2&state=a+b&z=1`,
      posts: { length: attempts },
    });
  });

  test('has the same kid, and gives access tokens a sid only with v2', async () => {
    const { idToken, accessToken, sid } = await signIn(await discover(embedded.issuer, 'app'));
    const fixed = 'public:hydra.openid.id-token';

    expect([decodeProtectedHeader(idToken).kid, other.signingKey.kid].map((kid) => kid === fixed)).toEqual(
      hydra === '1.11' ? [true, true] : [false, false],
    );
    expect(decodeJwt(accessToken).sid).toBe(hydra === '1.11' ? null : sid);
  });

  test('leads to the same address without a state', async () => {
    const next = `${apps.url}/app/bye?a=2&z=1`;
    expect([await endHere(''), await endThere('')]).toMatchObject([{ next }, { next }]);
  });
});

test('an unknown URL: shows a page with a link', async () => {
  const page = await browser.get(`${oneId.issuer}nothing`);
  expect(errorCode(page)).toEqual({ status: 404, code: 'not_found' });
  expect(page.body).toContain('<a class="button quiet" href="/">Start again</a>');
});

describe("OneID's own page", () => {
  const home = (headers: Record<string, string> = {}) => browser.get(oneId.issuer, headers);

  test("shows the user and the user's apps", async () => {
    await signIn(webApp);
    const { status, body, headers } = await home();
    expect([status, headers.get('cache-control')]).toEqual([200, 'no-store']);
    expect(body).toContain('<strong>Demo User</strong>');
    expect(body).toContain('<a href="http://127.0.0.1:1/">The web app</a>');
    expect(body).not.toContain('other-app');
  });

  test('shows that no user is signed in', async () => {
    expect((await home()).body).toContain('OneID has no session for this browser.');
  });

  test.each([
    ['vi-VN', '', 'Bạn đã đăng xuất'],
    ['en', '?lang=vi', 'Bạn đã đăng xuất'],
    ['vi', '?lang=en', 'You are logged out'],
    ['fr', '', 'You are logged out'],
  ])('has the language of the browser, or the chosen one: %s%s', async (accepted, query, title) => {
    const page = await browser.get(oneId.issuer + query, { 'accept-language': accepted });
    expect(page.body).toContain(`<h1>${title}</h1>`);
    if (query !== '') expect((await home({ 'accept-language': accepted })).body).toContain(`<h1>${title}</h1>`);
  });

  test('has every text in both languages', () => {
    const { en, vi } = oneIdTexts;
    expect(Object.keys(vi)).toEqual(Object.keys(en));
    const same = Object.keys(en).filter((key) => en[key as keyof typeof en] === vi[key as keyof typeof vi]);
    expect(same).toEqual([]);
  });
});

describe('an app that is registered later', () => {
  test('can sign users in, and gets the logout', async () => {
    await oneId.register({
      clientId: 'late-app',
      clientSecret: 'test-only',
      redirectUris: [`${apps.url}/late-app/callback`],
      postLogoutRedirectUris: [],
      backchannelLogoutUri: `${apps.url}/late-app/backchannel`,
    });
    const lateApp = await discover(oneId.issuer, 'late-app', client.ClientSecretBasic('test-only'));
    const { idToken, sid } = await signIn(lateApp);
    await logOut({ id_token_hint: idToken });
    await oneId.deliveries.idle();
    expect(lastDelivery()).toMatchObject({ clientId: 'late-app', sid, delivered: true });
  });
});

describe('refresh tokens', () => {
  test('need the scope offline', async () => {
    expect((await signIn(webApp, { scope: 'openid' })).refreshToken).toBe('');
  });

  test('stay valid after a logout, as with Hydra', async () => {
    const { idToken, refreshToken, sid } = await signIn(webApp);
    await logOut({ id_token_hint: idToken });
    expect(parsed(await client.refreshTokenGrant(webApp, refreshToken)).sid).toBe(sid);
  });

  test('are revoked alone, and other refresh tokens stay valid', async () => {
    const first = await signIn(webApp);
    const second = await signIn(webApp);
    await client.tokenRevocation(webApp, first.refreshToken);
    await expect(client.refreshTokenGrant(webApp, first.refreshToken)).rejects.toMatchObject({
      error: 'invalid_grant',
    });
    expect(parsed(await client.refreshTokenGrant(webApp, second.refreshToken)).sid).toBe(first.sid);
  });

  test('revoke nothing when they have already been replaced', async () => {
    const { refreshToken } = await signIn(webApp);
    const rotated = parsed(await client.refreshTokenGrant(webApp, refreshToken));
    await client.tokenRevocation(webApp, refreshToken);
    expect(parsed(await client.refreshTokenGrant(webApp, rotated.refreshToken)).refreshToken).not.toBe('');
  });
});
