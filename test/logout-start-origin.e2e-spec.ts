import { describe, expect, it } from '@jest/globals';
import { type RespondOptions } from 'nestjs-oneid-logout';
import { STYLE_SOURCE } from '../libs/oneid-logout/src/logout/logout-pages.js';
import { type Browser, type Visit, nextRequest } from './support/browser.js';
import { clientId, type Host } from './support/host.js';
import { reasonAtMe, signIn, start, startHost } from './support/logout-host.js';
import { shareAmongTests } from './support/share-among-tests.js';

describe.each(['express', 'fastify'] as const)('starting a logout, on %s', (adapter) => {
  let host: Host;
  shareAmongTests(
    () => startHost({ adapter }),
    (started) => void (host = started),
  );

  describe('which pages may start a logout', () => {
    type Expected = 'started' | 'asked' | 'refused';
    const evil = 'https://evil.example';
    const own = 'https://app.example';

    it.each<[string, Visit, Expected, Expected, Expected]>([
      // from where                                                     POST       GET       GET, allowed
      ['our page', { from: 'same-origin' }, 'started', 'asked', 'started'],
      ['our page, no-referrer', { from: 'same-origin', headers: { origin: 'null' } }, 'started', 'asked', 'started'],
      ['the address bar', { from: 'none' }, 'started', 'asked', 'started'],
      ['a sister site', { from: 'same-site', headers: { origin: own } }, 'refused', 'asked', 'asked'],
      ['another site', { from: 'cross-site', headers: { origin: evil } }, 'refused', 'asked', 'asked'],
      [
        'another site with a forged Origin',
        { from: 'cross-site', headers: { origin: own } },
        'refused',
        'asked',
        'asked',
      ],
      ['our page, old browser', { from: 'old-browser', headers: { origin: own } }, 'started', 'asked', 'started'],
      ['another site, old browser', { from: 'old-browser', headers: { origin: evil } }, 'refused', 'asked', 'asked'],
      [
        'another scheme',
        { from: 'old-browser', headers: { origin: 'http://app.example' } },
        'refused',
        'asked',
        'asked',
      ],
      ['another port', { from: 'old-browser', headers: { origin: `${own}:8443` } }, 'refused', 'asked', 'asked'],
      ['a null origin', { from: 'old-browser', headers: { origin: 'null' } }, 'asked', 'asked', 'asked'],
      ['an unknown origin', { from: 'old-browser' }, 'asked', 'asked', 'asked'],
    ])('RPI-6: from %s', async (_where, visit, post, get, allowedGet) => {
      const cases: [Visit, RespondOptions, Expected][] = [
        [{ ...visit, method: 'POST' }, {}, post],
        [{ ...visit, method: 'POST' }, { allowGet: true }, post],
        [{ ...visit, method: 'GET' }, {}, get],
        [{ ...visit, method: 'GET' }, { allowGet: false }, get],
        [{ ...visit, method: 'GET' }, { allowGet: true }, allowedGet],
      ];
      for (const [how, options, expected] of cases) {
        const { browser } = await signIn(host);
        const answer = await start(browser, options, how);
        const body = await answer.text();
        expect([expected, answer.status]).toEqual([expected, expected === 'refused' ? 403 : 200]);
        expect(body.includes('<title>Log out?</title>')).toBe(expected === 'asked');
        if (expected === 'refused') {
          expect(JSON.parse(body)).toEqual({
            statusCode: 403,
            error: 'cross_site_request',
            message: `Only a page of this site (${own}) can start a logout`,
          });
        }
        expect(await reasonAtMe(browser)).toBe(expected === 'started' ? 'logged_out' : 'alive');

        // a JSON caller cannot show the confirmation page
        const json = { accept: 'application/json', ...how.headers };
        const caller = (await signIn(host)).browser;
        const called = await start(caller, options, { ...how, headers: json });
        expect(called.status).toBe(expected === 'started' ? 200 : 403);
        expect(await reasonAtMe(caller)).toBe(expected === 'started' ? 'logged_out' : 'alive');
      }
    });

    // `fetch` sets Sec-Fetch-Mode itself: logout-origin.spec.ts tests its values
    const navigation = { 'sec-fetch-dest': 'document' };

    it.each<[string, Record<string, string>]>([
      ['a prefetch', { ...navigation, 'sec-purpose': 'prefetch' }],
      ['a prerender', { ...navigation, 'sec-purpose': 'prefetch;prerender' }],
      ['a prefetch through a proxy', { ...navigation, 'sec-purpose': 'prefetch;anonymous-client-ip' }],
      ['a prefetch of <link>', { 'sec-fetch-dest': 'empty', purpose: 'prefetch' }],
      ['an older Chrome', { purpose: 'prefetch' }],
      ['an older Firefox', { 'x-moz': 'prefetch' }],
      ["Safari's preview", { 'x-purpose': 'preview' }],
      ['Turbo', { 'x-sec-purpose': 'prefetch' }],
      ['Next.js', { 'next-router-prefetch': '1' }],
    ])('P8: a GET that is %s gets 403, and ends nothing', async (_what, headers) => {
      const { browser } = await signIn(host);
      for (const method of ['GET', 'HEAD'] as const) {
        for (const accept of ['text/html', 'application/json']) {
          const answer = await start(browser, { allowGet: true }, { method, headers: { accept, ...headers } });
          const body = method === 'GET' ? 'This address must not be prefetched.' : '';
          expect([answer.status, await answer.text(), answer.headers.get('cache-control')]).toEqual([
            403,
            body,
            'no-store',
          ]);
          expect(answer.headers.getSetCookie()).toEqual([]);
        }
      }
      expect(await reasonAtMe(browser)).toBe('alive');
      // the browser loads the page again when the user follows the link
      expect((await start(browser, { allowGet: true }, { method: 'GET', headers: navigation })).status).toBe(200);
      expect(await reasonAtMe(browser)).toBe('logged_out');
    });

    it.each([
      ['an image', { 'sec-fetch-dest': 'image' }],
      ['a frame', { 'sec-fetch-dest': 'iframe' }],
      ['a fetch', { 'sec-fetch-dest': 'empty' }],
    ])('P8: a GET that is %s ends nothing, and gets the confirmation page', async (_what, headers) => {
      const { browser } = await signIn(host);
      const answer = await start(browser, { allowGet: true }, { method: 'GET', headers });
      expect([answer.status, answer.headers.get('cache-control')]).toEqual([200, 'no-store']);
      expect(await answer.text()).toContain('<title>Log out?</title>');
      const json = { accept: 'application/json', ...headers };
      expect((await start(browser, { allowGet: true }, { method: 'GET', headers: json })).status).toBe(403);
      expect(await reasonAtMe(browser)).toBe('alive');
      // a POST from the own page needs no navigation
      expect((await start(browser, {}, { headers: json })).status).toBe(200);
      expect(await reasonAtMe(browser)).toBe('logged_out');
    });

    it('RPI-6: an allowed GET does not allow HEAD', async () => {
      const { browser } = await signIn(host);
      const answer = await start(browser, { allowGet: true }, { method: 'HEAD' });
      expect(answer.status).toBe(200);
      expect(await reasonAtMe(browser)).toBe('alive');
    });

    it('RPI-6: a confirmation works only in its own browser, and only by POST', async () => {
      const { browser } = await signIn(host);
      const asked = await start(browser, {}, { from: 'old-browser' });
      expect(asked.headers.get('content-security-policy')).toBe(
        `default-src 'none'; style-src ${STYLE_SOURCE}; base-uri 'none'; form-action 'self'; frame-ancestors 'none'`,
      );
      expect(asked.headers.get('cache-control')).toBe('no-store');
      expect(asked.headers.getSetCookie()).toEqual([
        expect.stringMatching(
          /^__Host-oneid-logout-confirm=[\w-]{43}; Max-Age=300; Path=\/; HttpOnly; Secure; SameSite=Strict$/,
        ),
      ]);
      const action = nextRequest(await asked.text()).url;
      expect(action).toMatch(/^\?confirm=[\w-]{43}$/);
      expect(await reasonAtMe(browser)).toBe('alive');

      const thief = (await signIn(host)).browser;
      await start(thief, {}, { from: 'old-browser' });
      const post = (who: Browser) =>
        who.visit(`/out${action}`, {
          method: 'POST',
          from: 'old-browser',
          headers: { accept: 'text/html', 'x-options': '{}' },
        });
      expect(await (await post(thief)).text()).toContain('<title>Log out?</title>');
      expect(await reasonAtMe(thief)).toBe('alive');

      const byGet = await browser.visit(`/out${action}`, { from: 'old-browser' });
      expect(await byGet.text()).toContain('<title>Log out?</title>');
    });

    it('RPI-6: a confirmation works once', async () => {
      const { browser } = await signIn(host);
      const asked = await start(browser, {}, { from: 'old-browser' });
      const action = nextRequest(await asked.text()).url;
      const visit: Visit = { method: 'POST', from: 'old-browser', headers: { accept: 'text/html' } };
      const confirmed = await browser.visit(`/out${action}`, visit);
      expect(nextRequest(await confirmed.text()).fields['client_id']).toBe(clientId);
      expect(confirmed.headers.getSetCookie()).toContain(
        '__Host-oneid-logout-confirm=; Max-Age=0; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; Secure; SameSite=Strict',
      );
      expect(await reasonAtMe(browser)).toBe('logged_out');

      browser.cookies.set('session', (await signIn(host)).session.sessionToken);
      expect(await (await browser.visit(`/out${action}`, visit)).text()).toContain('<title>Log out?</title>');
      expect(await reasonAtMe(browser)).toBe('alive');
    });
  });
});
