import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type RespondOptions, SessionRegistry, StoreUnavailableError } from 'nestjs-oneid-logout';
import { SessionDatabase } from '../libs/oneid-logout/src/database/session-database.js';
import { SCRIPT_SOURCE, STYLE_SOURCE } from '../libs/oneid-logout/src/logout/logout-pages.js';
import { targetOf } from '../libs/oneid-logout/src/rule/targets.js';
import { Browser, sendRequest, type Visit, nextRequest } from './support/browser.js';
import { clientId, type Host } from './support/host.js';
import {
  callbackUri,
  logOut,
  pathOf,
  reasonAtMe,
  sharedWith,
  signIn,
  type SignedIn,
  start,
  startHost,
  stateCookies,
} from './support/logout-host.js';
import { intercept } from './support/session-store.js';
import { shareAmongTests } from './support/share-among-tests.js';

describe.each(['express', 'fastify'] as const)('starting a logout, on %s', (adapter) => {
  let host: Host;
  shareAmongTests(
    () => startHost({ adapter }),
    (started) => void (host = started),
  );

  describe('the request', () => {
    it('RPI-1: sends OneID every parameter', async () => {
      const { browser, idToken, login } = await signIn(host);
      const location = await logOut(browser, {
        logoutHint: 'alice@example.com',
        uiLocales: 'vi en',
        parameters: { theme: 'dark & quiet' },
      });
      const request = host.oneId.requests.at(-1);
      const state = request?.query['state'] ?? '';
      expect(request).toMatchObject({ method: 'GET', path: '/oauth2/sessions/logout' });
      expect(request?.query).toEqual({
        id_token_hint: idToken,
        client_id: clientId,
        post_logout_redirect_uri: callbackUri,
        state: expect.stringMatching(/^[\w-]{43}$/),
        logout_hint: 'alice@example.com',
        ui_locales: 'vi en',
        theme: 'dark & quiet',
      });
      expect(location).toBe(`${callbackUri}?state=${state}`);
      expect(host.oneId.login).toBeUndefined();
      expect(login.sub).toBe('alice');
    });

    it('RPI-1: uses an expired ID token as hint', async () => {
      const { browser } = await signIn(host);
      host.clock.advance(3 * 60 * 60 * 1000);
      expect(await logOut(browser)).toMatch(/^https:\/\/app\.example\/logout\/callback\?state=[\w-]{43}$/);
    });

    it('RPI-1: uses the ID token that the app gives, in place of the stored one', async () => {
      const { browser, login } = await signIn(host);
      const refreshed = await host.oneId.idToken({ clientId, login });
      const { fields } = nextRequest(await (await start(browser, { idTokenHint: refreshed })).text());
      expect(fields['id_token_hint']).toBe(refreshed);
    });

    it.each<[string, (signedIn: SignedIn) => string | Promise<string>]>([
      ['a text that is not a JWT', () => 'garbage'],
      ['an empty text', () => ''],
      ['markup', () => '"><script>alert(1)</script>'],
      ['an ID token of another client', ({ login }) => host.oneId.idToken({ clientId: 'other', login })],
      ['an ID token of another login', () => host.oneId.idToken({ clientId, sub: 'alice' })],
      [
        'an ID token of another issuer',
        ({ login }) => host.oneId.idToken({ clientId, login, claims: { iss: 'https://other.example/' } }),
      ],
      [
        'an ID token from before OneID changed its slash',
        ({ login }) => host.oneId.idToken({ clientId, login, claims: { iss: host.oneId.issuer.replace(/\/$/, '') } }),
      ],
      ['an ID token without iat', ({ login }) => host.oneId.idToken({ clientId, login, claims: { iat: undefined } })],
      ['an access token', ({ login }) => host.oneId.accessToken({ clientId, login, audience: [clientId] })],
    ])('RPI-1: does not use %s as hint, and sends no state and no post_logout_redirect_uri', async (_what, hint) => {
      const signedIn = await signIn(host);
      const { browser } = signedIn;
      const page = await start(browser, { idTokenHint: await hint(signedIn) });
      const toOneId = nextRequest(await page.text());
      expect(toOneId.fields).toEqual({ client_id: clientId });
      expect(stateCookies(browser)).toEqual([]);
      expect(await reasonAtMe(browser)).toBe('logged_out');
      // OneID then logs out the user of its own cookie, and does not send the browser back
      expect((await sendRequest(toOneId)).headers.get('location')).toBe(
        host.oneId.url('/oauth2/fallbacks/logout/callback'),
      );
    });

    it('RPI-1: sends the browser to OneID also without a session', async () => {
      const before = (await host.stored()).logouts.length;
      const { fields } = nextRequest(await (await start(new Browser(host))).text());
      expect(fields).toEqual({ client_id: clientId });
      expect((await host.stored()).logouts).toHaveLength(before);
    });

    it('RPI-1: without a session but with a hint, the browser comes back to the default page', async () => {
      const { idToken } = await signIn(host);
      const browser = new Browser(host);
      const location = await logOut(browser, { idTokenHint: idToken, returnTo: '/goodbye' });
      expect(location).toBe(callbackUri);
      expect((await browser.visit(pathOf(location))).headers.get('location')).toBe('/');
    });

    it.each(['id_token_hint', 'client_id', 'logout_hint', 'post_logout_redirect_uri', 'state', 'ui_locales'])(
      'RPI-1: refuses the additional parameter %s and ends nothing',
      async (name) => {
        const { browser } = await signIn(host);
        const refusal = await start(browser, { parameters: { [name]: 'x' } });
        expect(refusal.status).toBe(400);
        expect(await refusal.json()).toEqual({
          statusCode: 400,
          error: 'parameter_reserved',
          message: `parameters must not contain ${name}: the library sets it`,
        });
        expect(await reasonAtMe(browser)).toBe('alive');
      },
    );
  });

  describe('the answer that leads to OneID', () => {
    it('RPI-2: the answer is a page that continues by itself, and no cache keeps it', async () => {
      const { browser } = await signIn(host);
      const page = await start(browser);
      expect(page.status).toBe(200);
      expect(Object.fromEntries(page.headers)).toMatchObject({
        'content-type': 'text/html; charset=utf-8',
        'cache-control': 'no-store',
        'referrer-policy': 'no-referrer',
        'x-content-type-options': 'nosniff',
        'content-security-policy': `default-src 'none'; style-src ${STYLE_SOURCE}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
      });
      expect(page.headers.get('location')).toBeNull();
      expect(nextRequest(await page.text()).method).toBe('GET');
    });

    it('RPI-2: the answer is a form that submits itself for an ID token of 18 kB', async () => {
      const { browser, idToken } = await signIn(host, { claims: { groups: 'x'.repeat(13_500) } });
      expect(idToken.length).toBeGreaterThan(18_000);
      const page = await start(browser);
      const html = await page.text();
      expect(page.headers.get('content-security-policy')).toBe(
        `default-src 'none'; style-src ${STYLE_SOURCE}; base-uri 'none'; script-src ${SCRIPT_SOURCE}; frame-ancestors 'none'`,
      );
      expect(html).toContain('<script>HTMLFormElement.prototype.submit.call(document.forms[0])</script>');

      const toOneId = nextRequest(html);
      expect(toOneId).toMatchObject({ method: 'POST', url: host.oneId.url('/oauth2/sessions/logout') });
      const answer = await sendRequest(toOneId);
      expect(answer.headers.get('location')).toBe(`${callbackUri}?state=${toOneId.fields['state'] ?? ''}`);
      expect(host.oneId.requests.at(-1)?.form['id_token_hint']).toBe(idToken);
    });

    it('RPI-2: the answer is { url } for a caller that accepts only JSON', async () => {
      const { browser, idToken } = await signIn(host);
      const answer = await start(browser, {}, { headers: { accept: 'application/json' } });
      expect(answer.status).toBe(200);
      expect(answer.headers.get('content-type')).toBe('application/json; charset=utf-8');
      expect(answer.headers.get('cache-control')).toBe('no-store');
      const body = (await answer.json()) as { url: string };
      expect(Object.keys(body)).toEqual(['url']);
      expect(new URL(body.url).searchParams.get('id_token_hint')).toBe(idToken);
      expect(stateCookies(browser)).toHaveLength(1);
      expect(await reasonAtMe(browser)).toBe('logged_out');
    });

    it('RPI-2: gives a JSON caller the form, too, when the URL is too long', async () => {
      const { browser, idToken } = await signIn(host, { claims: { groups: 'x'.repeat(13_500) } });
      const answer = await start(browser, {}, { headers: { accept: 'application/json, text/plain' } });
      const { url, ...form } = (await answer.json()) as Record<string, unknown> & { url: string };
      expect(new URL(url).searchParams.get('id_token_hint')).toBe(idToken);
      expect(form).toEqual({
        method: 'POST',
        action: host.oneId.url('/oauth2/sessions/logout'),
        fields: Object.fromEntries(new URL(url).searchParams),
      });
    });

    it.each(['text/html', 'text/html,application/json', '*/*', 'application/xhtml+xml'])(
      'RPI-2: the answer is the page for Accept: %s',
      async (accept) => {
        const { browser } = await signIn(host);
        const answer = await start(browser, {}, { headers: { accept } });
        expect(answer.headers.get('content-type')).toBe('text/html; charset=utf-8');
      },
    );
  });

  describe('the language', () => {
    const vietnamese = { 'accept-language': 'vi-VN,vi;q=0.9,en-US;q=0.8,en;q=0.7' };
    const titleOf = (html: string) => [/<html lang="(\w+)">/.exec(html)?.[1], /<title>(.*)<\/title>/.exec(html)?.[1]];
    const shown = async (options: RespondOptions, visit: Visit) => {
      const { browser } = await signIn(host);
      const answer = await start(browser, options, visit);
      // no cache keeps it, so it needs no Vary
      expect([answer.headers.get('cache-control'), answer.headers.get('content-type')]).toEqual([
        'no-store',
        'text/html; charset=utf-8',
      ]);
      return titleOf(await answer.text());
    };

    it.each<[string, RespondOptions, Visit, string[]]>([
      ['Vietnamese when the browser prefers it', {}, { headers: vietnamese }, ['vi', 'Đang đăng xuất']],
      [
        'English when the browser prefers English',
        {},
        { headers: { 'accept-language': 'en, vi;q=0.9' } },
        ['en', 'Logging out'],
      ],
      ['English when the browser names no language', {}, {}, ['en', 'Logging out']],
      [
        "the app's, even if the browser prefers another one",
        { uiLocales: 'en vi' },
        { headers: vietnamese },
        ['en', 'Logging out'],
      ],
      ["the app's, Vietnamese", { uiLocales: 'vi' }, {}, ['vi', 'Đang đăng xuất']],
      [
        'Vietnamese on the confirmation page, too',
        {},
        { from: 'old-browser', headers: vietnamese },
        ['vi', 'Đăng xuất?'],
      ],
      ["the app's on the confirmation page, too", { uiLocales: 'vi' }, { from: 'old-browser' }, ['vi', 'Đăng xuất?']],
    ])('is %s', async (_which, options, visit, expected) => {
      expect(await shown(options, visit)).toEqual(expected);
    });

    it('is also used on the form for a long ID token', async () => {
      const { browser } = await signIn(host, { claims: { groups: 'x'.repeat(13_500) } });
      const html = await (await start(browser, {}, { headers: vietnamese })).text();
      expect(nextRequest(html).method).toBe('POST');
      expect(titleOf(html)).toEqual(['vi', 'Đang đăng xuất']);
      expect(html).toContain('<button>Tiếp tục</button>');
    });

    it('is also used on the failure page', async () => {
      const { browser } = await signIn(host);
      const restore = intercept(host.app.get(SessionDatabase), (run, sql, parameters) =>
        sql.startsWith('INSERT') ? Promise.reject(new StoreUnavailableError(null)) : run(sql, parameters),
      );
      const page = await start(browser, {}, { headers: vietnamese });
      restore();
      expect(page.status).toBe(503);
      const html = await page.text();
      expect(titleOf(html)).toEqual(['vi', 'Chưa đăng xuất được']);
      expect(html).toContain('<p>Hiện chưa đăng xuất được. Vui lòng thử lại.</p>');
      expect(await reasonAtMe(browser)).toBe('alive');
    });
  });

  describe('the session in the app ends first', () => {
    it('RPI-3: the session has ended before the answer', async () => {
      const { browser, login } = await signIn(host);
      const neighbour = await signIn(host);
      const before = (await host.stored()).logouts.map(({ id }) => id);
      await start(browser);
      const added = (await host.stored()).logouts.filter(({ id }) => !before.includes(id));
      expect(added).toEqual([
        expect.objectContaining({
          target: targetOf('sid', host.oneId.issuer, login.sid),
          channel: 'app',
          issued_until: null,
          registered_until: expect.anything(),
          returned_at: null,
        }),
      ]);
      expect(await reasonAtMe(browser)).toBe('logged_out');
      expect(await reasonAtMe(neighbour.browser)).toBe('alive');
    });

    it('RPI-3: a later sign-in is alive, even in the same login at OneID', async () => {
      const { browser, login } = await signIn(host);
      await start(browser);
      const idToken = await host.oneId.idToken({ clientId, login });
      const again = await host.app.get(SessionRegistry).register({ idToken });
      expect((await host.fetch('/me', { session: again.sessionToken })).status).toBe(200);
      expect(await reasonAtMe(browser)).toBe('logged_out');
    });

    it('RPI-3: a second click finds no session and still sends the browser to OneID', async () => {
      const { browser } = await signIn(host);
      await start(browser);
      const { fields } = nextRequest(await (await start(browser)).text());
      expect(fields).toEqual({ client_id: clientId });
    });

    describe('when the logout cannot be stored', () => {
      const database = () => host.app.get(SessionDatabase);
      beforeEach(async () => {
        await database().run(
          `CREATE TRIGGER full BEFORE INSERT ON oneid_logout BEGIN SELECT RAISE(FAIL, 'disk full'); END`,
        );
      });
      afterEach(() => database().run('DROP TRIGGER full'));

      it('RPI-3: a browser gets a failure page and is not sent to OneID', async () => {
        const { browser } = await signIn(host);
        const before = host.oneId.requests.length;
        const page = await start(browser);
        expect(page.status).toBe(503);
        expect(page.headers.get('cache-control')).toBe('no-store');
        expect(page.headers.getSetCookie()).toEqual([]);
        const html = await page.text();
        expect(html).toContain('<p>The app could not log you out. Please try again.</p>');
        expect(html).not.toMatch(/refresh|href|<form|<script/);
        expect(host.oneId.requests).toHaveLength(before);
        expect(await reasonAtMe(browser)).toBe('alive');
      });

      it('RPI-3: a JSON caller gets an error code', async () => {
        const { browser } = await signIn(host);
        const answer = await start(browser, {}, { headers: { accept: 'application/json' } });
        expect(answer.status).toBe(503);
        expect(answer.headers.getSetCookie()).toEqual([]);
        expect(await answer.json()).toEqual({
          statusCode: 503,
          error: 'store_unavailable',
          message: 'The session store is not available, try again',
        });
        expect(await reasonAtMe(browser)).toBe('alive');
      });
    });

    it('RPI-3: when OneID cannot be reached, the session ends here, and a page tells the user', async () => {
      // a replica that has just booted has not fetched OneID's metadata yet
      const replica = await startHost({
        adapter,
        database: sharedWith(host),
        client: { issuer: host.oneId.issuer },
        options: { clearCookies: [{ name: 'session', httpOnly: true }] },
      });
      host.oneId.fail('*', { reset: true });
      try {
        const [one, two] = [await signIn(host), await signIn(host)];
        const browser = new Browser(replica);
        browser.cookies.set('session', one.session.sessionToken);
        const page = await start(browser);
        expect(page.status).toBe(503);
        const html = await page.text();
        expect(html).toContain(
          '<p>You are logged out here. The app could not reach OneID, so you may still be logged in there.</p>',
        );
        expect(html).not.toMatch(/refresh|href|<form|<script/);
        expect(page.headers.getSetCookie()).toEqual([
          'session=; Max-Age=0; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly',
        ]);
        expect(await reasonAtMe(one.browser)).toBe('logged_out');

        browser.cookies.set('session', two.session.sessionToken);
        const answer = await start(browser, {}, { headers: { accept: 'application/json' } });
        expect(answer.status).toBe(503);
        expect(await answer.json()).toEqual({
          statusCode: 503,
          error: 'provider_unavailable',
          message: "The provider's configuration is not available, try again",
        });
        expect(await reasonAtMe(two.browser)).toBe('logged_out');
      } finally {
        host.oneId.heal();
        await replica.stop();
      }
    });
  });

  describe('the channels of a logout that started here', () => {
    it('BC-11: answers 200 to the logout token', async () => {
      host.oneId.registerClient({ clientId, backchannelLogoutUri: `${host.url}/backchannel_logout` });
      const { browser, login } = await signIn(host);
      const location = await logOut(browser, { returnTo: '/goodbye' });
      const delivery = (await host.oneId.deliveries()).at(-1);
      expect(delivery).toMatchObject({ delivered: true, attempts: [{ status: 200, body: '' }] });
      const target = targetOf('sid', host.oneId.issuer, login.sid);
      const channels = (await host.stored()).logouts
        .filter((row) => row['target'] === target)
        .map((row) => row['channel']);
      expect(channels.sort()).toEqual(['app', 'backchannel']);
      expect((await browser.visit(pathOf(location))).headers.get('location')).toBe('/goodbye');
    });

    it('FC-2: answers 200 to the iframe and stores nothing', async () => {
      const framed = await startHost({ adapter });
      try {
        framed.oneId.registerClient({ clientId, frontchannelLogoutUri: `${framed.url}/frontchannel_logout` });
        const { browser, login } = await signIn(framed);
        const page = await sendRequest(nextRequest(await (await start(browser)).text()));
        const html = await page.text();
        const iframe = /<iframe src="([^"]*)"/.exec(html)?.[1]?.replaceAll('&amp;', '&') ?? '';
        expect(new URL(iframe).searchParams.get('sid')).toBe(login.sid);
        const framedAnswer = await browser.visit(iframe.slice(framed.url.length), { from: 'cross-site' });
        expect(framedAnswer.status).toBe(200);
        const goTo = /location\.href = "([^"]*)"/.exec(html)?.[1] ?? '';
        expect((await browser.visit(pathOf(goTo))).status).toBe(303);
        // the session had already ended: the front-channel stores nothing
        expect((await framed.stored()).logouts.map((row) => row['channel'])).toEqual(['app']);
      } finally {
        await framed.stop();
      }
    });
  });
});
