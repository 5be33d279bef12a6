import { describe, expect, it } from '@jest/globals';
import { LogoutService, type OneIdLogoutOptions } from 'nestjs-oneid-logout';
import { LogoutStates } from '../libs/oneid-logout/src/logout/logout-state.js';
import { LogoutRecorder } from '../libs/oneid-logout/src/sessions/logout-recorder.js';
import { SessionDatabase } from '../libs/oneid-logout/src/database/session-database.js';
import { type Visit } from './support/browser.js';
import { type Host } from './support/host.js';
import { returnUrls, foreignUrls, hostileUrls } from './support/hostile-urls.js';
import {
  isAllowedOnceDecoded,
  logOut,
  pathOf,
  reasonAtMe,
  signIn,
  start,
  startHost,
  stateCookies,
} from './support/logout-host.js';
import { shareAmongTests } from './support/share-among-tests.js';

describe.each(['express', 'fastify'] as const)('the return from a logout, on %s', (adapter) => {
  let host: Host;
  shareAmongTests(
    () => startHost({ adapter }),
    (started) => void (host = started),
  );

  describe('state', () => {
    it('RPI-4: the state leads to the return URL of the logout, once', async () => {
      const { browser } = await signIn(host);
      const path = pathOf(await logOut(browser, { returnTo: '/goodbye' }));
      const [cookie] = stateCookies(browser);
      expect(cookie).toMatch(/^__Host-oneid-logout-[0-9a-f]{16}$/);
      const { cookieHeader } = browser;

      const first = await browser.visit(path, { from: 'cross-site' });
      expect(first.status).toBe(303);
      expect(first.headers.get('location')).toBe('/goodbye');
      expect(first.headers.get('cache-control')).toBe('no-store');
      expect(first.headers.getSetCookie()).toEqual([
        `${cookie ?? ''}=; Max-Age=0; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; Secure; SameSite=Lax`,
      ]);
      expect(stateCookies(browser)).toEqual([]);

      // Hydra before v2.0.3 sends the browser twice; a thief may replay the cookies
      for (const headers of [{}, { cookie: cookieHeader }]) {
        const again = await browser.visit(path, { headers });
        expect([again.status, again.headers.get('location')]).toEqual([303, '/']);
      }
    });

    it.each<[string, Visit, number, string | null]>([
      ['a prefetch', { headers: { 'sec-purpose': 'prefetch', 'sec-fetch-dest': 'document' } }, 403, null],
      ['a prerender', { headers: { 'sec-purpose': 'prefetch;prerender' } }, 403, null],
      ['an image', { headers: { 'sec-fetch-dest': 'image' } }, 303, '/'],
      ['a HEAD request', { method: 'HEAD' }, 303, '/'],
    ])('P8: RPI-4: %s does not use the state up', async (_what, visit, status, location) => {
      const { browser } = await signIn(host);
      const path = pathOf(await logOut(browser, { returnTo: '/goodbye' }));
      const early = await browser.visit(path, visit);
      expect([early.status, early.headers.get('location')]).toEqual([status, location]);
      expect([early.headers.getSetCookie(), early.headers.get('clear-site-data')]).toEqual([[], null]);
      expect(early.headers.get('cache-control')).toBe('no-store');
      const shown = await browser.visit(path, {
        from: 'cross-site',
        headers: { 'sec-fetch-dest': 'document' },
      });
      expect(shown.headers.get('location')).toBe('/goodbye');
    });

    it('RPI-4: the state does not work in another browser, and stays usable in its own browser', async () => {
      const { browser } = await signIn(host);
      const path = pathOf(await logOut(browser, { returnTo: '/goodbye' }));
      const other = (await signIn(host)).browser;
      await start(other, { returnTo: '/goodbye' });
      const stolen = await other.visit(path);
      expect([stolen.status, stolen.headers.get('location')]).toEqual([303, '/']);
      expect(stolen.headers.getSetCookie()).toEqual([]);
      expect((await browser.visit(path)).headers.get('location')).toBe('/goodbye');
    });

    it.each([
      ['no state', ''],
      ['an empty state', '?state='],
      ['another state', '?state=another'],
      ['the state twice', '?state=STATE&state=STATE'],
      ['the state and another state', '?state=STATE&state=x'],
      ['an array', '?state[]=STATE'],
      ['an indexed array', '?state[0]=STATE&state[1]=STATE'],
      ['an object', '?state[a]=STATE'],
      ['the parameter name in upper case', '?STATE=STATE'],
      ['a state of 10 kB', `?state=${'x'.repeat(10_000)}`],
      ['broken escapes', '?state=%E0%A4%A'],
      ['control characters', '?state=%00%0d%0aLocation:%20//evil.example'],
      ['an error of OneID', '?error=server_error&error_description=%3Cscript%3E'],
      ['a return URL in the query', '?returnTo=//evil.example&redirect=https://evil.example&RelayState=//evil.example'],
    ])('RPI-4: a return with %s leads to the default page, and never to an error', async (_what, query) => {
      const { browser } = await signIn(host);
      const path = pathOf(await logOut(browser, { returnTo: '/goodbye' }));
      const state = new URLSearchParams(path.split('?')[1]).get('state') ?? '';
      const answer = await browser.visit(`/logout/callback${query.replaceAll('=STATE', `=${state}`)}`);
      expect([answer.status, answer.headers.get('location')]).toEqual([303, '/']);
      expect(await answer.text()).toBe('');
      // and the right state still works
      expect((await browser.visit(path)).headers.get('location')).toBe('/goodbye');
    });

    it.each(['NAME', 'NAME=', 'NAME=%', 'NAME="', 'NAME=%2Fgoodbye%00', ';;;=;', '='])(
      'RPI-4: a return with the cookie %s leads to the default page',
      async (cookie) => {
        const { browser } = await signIn(host);
        const path = pathOf(await logOut(browser, { returnTo: '/goodbye' }));
        const [name = ''] = stateCookies(browser);
        const answer = await browser.visit(path, { headers: { cookie: cookie.replace('NAME', name) } });
        expect([answer.status, answer.headers.get('location')]).toEqual([303, '/']);
      },
    );

    it('RPI-4: two logouts of one browser at the same time do not mix', async () => {
      const { browser } = await signIn(host);
      const one = pathOf(await logOut(browser, { returnTo: '/goodbye' }));
      browser.cookies.set('session', (await signIn(host)).session.sessionToken);
      const two = pathOf(await logOut(browser, { returnTo: 'https://app.example/goodbye' }));
      expect((await browser.visit(two)).headers.get('location')).toBe('https://app.example/goodbye');
      expect((await browser.visit(one)).headers.get('location')).toBe('/goodbye');
    });

    it('RPI-4: the return leads to the default page when the store fails', async () => {
      const { browser } = await signIn(host);
      const path = pathOf(await logOut(browser, { returnTo: '/goodbye' }));
      const { dataSource } = host.app.get(SessionDatabase);
      await dataSource.destroy();
      const answer = await browser.visit(path);
      await dataSource.initialize();
      expect([answer.status, answer.headers.get('location')]).toEqual([303, '/']);
      expect(answer.headers.getSetCookie()).toEqual([]);
      // the state is still usable
      expect((await browser.visit(path)).headers.get('location')).toBe('/goodbye');
    });
  });

  describe('Clear-Site-Data', () => {
    const startWith = (clearSiteData: NonNullable<OneIdLogoutOptions['clearSiteData']>) =>
      startHost({ adapter, options: { clearSiteData } });
    const cleared = (answer: Response) => [answer.status, answer.headers.get('clear-site-data')];

    it.each([
      [['cache'], '"cache"'],
      [['cache', 'storage'], '"cache", "storage"'],
      [['storage', 'cookies', 'cache'], '"storage", "cookies", "cache"'],
    ] as const)('for %j is sent once, to the browser whose state was just redeemed', async (given, expected) => {
      const clearing = await startWith(given);
      try {
        const { browser } = await signIn(clearing);
        const path = pathOf(await logOut(browser, { returnTo: '/goodbye' }));
        const { cookieHeader } = browser;
        const first = await browser.visit(path, { from: 'cross-site' });
        expect([...cleared(first), first.headers.get('location')]).toEqual([303, expected, '/goodbye']);
        for (const headers of [{}, { cookie: cookieHeader }]) {
          expect(cleared(await browser.visit(path, { headers }))).toEqual([303, null]);
        }
      } finally {
        await clearing.stop();
      }
    });

    it('is not sent to a browser that another site has sent here', async () => {
      const clearing = await startWith(['cookies', 'storage']);
      try {
        const { browser } = await signIn(clearing);
        const path = pathOf(await logOut(browser, { returnTo: '/goodbye' }));
        const other = (await signIn(clearing)).browser;
        await start(other, { returnTo: '/goodbye' });
        const [state = ''] = path.split('?').slice(1);
        for (const query of ['', '?state=', '?state=another', `?${state}`, `?${state}&${state}`, `?${state}x`]) {
          expect(cleared(await other.visit(`/logout/callback${query}`, { from: 'cross-site' }))).toEqual([303, null]);
        }
        for (const query of ['', '?state=another', `?${state}&${state}`]) {
          expect(cleared(await browser.visit(`/logout/callback${query}`, { from: 'cross-site' }))).toEqual([303, null]);
        }
        const { dataSource } = clearing.app.get(SessionDatabase);
        await dataSource.destroy();
        expect(cleared(await browser.visit(path))).toEqual([303, null]);
        await dataSource.initialize();
        // and the right state still works
        expect(cleared(await browser.visit(path))).toEqual([303, '"cookies", "storage"']);
      } finally {
        await clearing.stop();
      }
    });

    it('is not sent with any other answer', async () => {
      const clearing = await startWith(['cookies', 'storage']);
      try {
        const { browser } = await signIn(clearing);
        expect(cleared(await start(browser))).toEqual([200, null]);
        expect(cleared(await browser.visit('/frontchannel_logout', { from: 'cross-site' }))).toEqual([200, null]);
      } finally {
        await clearing.stop();
      }
    });

    it('is not sent when the option is off', async () => {
      const { browser } = await signIn(host);
      const path = pathOf(await logOut(browser, { returnTo: '/goodbye' }));
      const answer = await browser.visit(path);
      expect([...cleared(answer), answer.headers.get('location')]).toEqual([303, null, '/goodbye']);
    });
  });

  describe('the return URL', () => {
    it.each(returnUrls)('RPI-5: the return leads to %s from the allow-list', async (returnTo) => {
      const { browser } = await signIn(host);
      const path = pathOf(await logOut(browser, { returnTo }));
      expect((await browser.visit(path)).headers.get('location')).toBe(returnTo);
    });

    it('RPI-5: refuses any other return URL at the start, and ends nothing', async () => {
      const { browser, session } = await signIn(host);
      const before = (await host.stored()).logouts.length;
      for (const returnTo of [...hostileUrls, ...foreignUrls]) {
        await expect(host.app.get(LogoutService).start({ session, returnTo })).rejects.toMatchObject({
          code: 'return_url_not_allowed',
          message: 'The return URL is not on the allow-list',
        });
      }
      const refusal = await start(browser, { returnTo: '//evil.example' });
      expect(refusal.status).toBe(400);
      expect(await refusal.json()).toEqual({
        statusCode: 400,
        error: 'return_url_not_allowed',
        message: 'The return URL is not on the allow-list',
      });
      expect((await host.stored()).logouts).toHaveLength(before);
      expect(await reasonAtMe(browser)).toBe('alive');
    });

    it('RPI-5: checks again at the return: a forged cookie leads to no other URL', async () => {
      const states = host.app.get(LogoutStates);
      const recorder = host.app.get(LogoutRecorder);
      const { session } = await signIn(host);
      const forged = [...hostileUrls, ...foreignUrls];
      const landed = new Set<string | null>();
      for (const url of forged) {
        const encodings = [encodeURIComponent(Buffer.from(url).toString())];
        if (/^[!#-+\--:<-[\]-~]*$/.test(url) && !isAllowedOnceDecoded(url)) encodings.push(url);
        for (const value of encodings) {
          const { state, logoutId, cookie } = states.create('/goodbye', 'https://app.example');
          await recorder.endLogin(session, logoutId);
          const [name = ''] = cookie.split('=');
          const answer = await host.fetch(`/logout/callback?state=${state}`, {
            headers: { cookie: `${name}=${value}` },
          });
          expect(answer.status).toBe(303);
          landed.add(answer.headers.get('location'));
        }
      }
      expect([...landed]).toEqual(['/']);
      expect(forged.length).toBeGreaterThan(800);
    }, 60_000);

    it('RPI-5: a forged cookie can only choose a URL from the allow-list', async () => {
      const { browser } = await signIn(host);
      const path = pathOf(await logOut(browser, { returnTo: '/goodbye' }));
      const [name = ''] = stateCookies(browser);
      browser.cookies.set(name, encodeURIComponent('https://app.example/goodbye'));
      expect((await browser.visit(path)).headers.get('location')).toBe('https://app.example/goodbye');
    });
  });
});
