import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { Controller, Get, Header, Post, Req, Res, UseGuards } from '@nestjs/common';
import { type NextFunction, type Request, type Response } from 'express';
import helmet from 'helmet';
import { AllowAnonymous, LogoutService, SessionAliveGuard, SessionRegistry } from 'nestjs-oneid-logout';
import { type Browser, type Page } from 'playwright-core';
import { freePort } from '../../src/embedded-oneid/free-port.js';
import { clientId, Host } from '../support/host.js';
import { accessibilityFaults } from './support/accessibility.js';
import { launchChromium } from './support/chromium.js';
import { OtherSite } from './support/other-site.js';
import { Person } from './support/person.js';
import { until } from '../support/until.js';
import { World } from '../support/world.js';

let browser: Browser;

beforeAll(async () => {
  browser = await launchChromium();
});

afterAll(() => browser.close());

/** A minimal app with the library. */
@Controller()
class PlainApp {
  constructor(private readonly logout: LogoutService) {}

  @Get()
  @Header('Content-Type', 'text/html')
  home(): string {
    return '<!doctype html><title>Home</title><form method="post" action="/logout"><button>Log out</button></form>';
  }

  @Get('me')
  @UseGuards(SessionAliveGuard)
  me(): string {
    return 'alive';
  }

  @Get('goodbye')
  goodbye(): string {
    return 'goodbye';
  }

  /** A page that makes the browser load the links to the logout in every way but by a click. */
  @Get('careless')
  @Header('Content-Type', 'text/html')
  careless(): string {
    const rule = (how: string) => ({ [how]: [{ urls: [`/leave?${how}`], eagerness: 'immediate' }] });
    return `<!doctype html><title>Careless</title>
      <a href="/leave?prefetch">Leave</a>
      <img src="/leave?image"><iframe src="/leave?iframe"></iframe><link rel="prefetch" href="/leave?link">
      <script type="speculationrules">${JSON.stringify(rule('prefetch'))}</script>
      <script type="speculationrules">${JSON.stringify(rule('prerender'))}</script>
      <script>void fetch('/leave?fetch')</script>`;
  }

  @Get('leave')
  async leave(@Req() request: Request, @Res() response: Response): Promise<void> {
    await this.logout.respond(request, response, { returnTo: '/goodbye', allowGet: true });
  }

  @Post('logout')
  @UseGuards(SessionAliveGuard)
  @AllowAnonymous()
  async start(@Req() request: Request, @Res() response: Response): Promise<void> {
    await this.logout.respond(request, response, { returnTo: '/goodbye' });
  }
}

describe('RPI-2 and RPI-6: in Chromium, a logout that starts at the app', () => {
  let host: Host;
  let page: Page;
  let session: string;
  /** The headers of Chromium that tell where each POST comes from. */
  let origins: { origin: string | undefined; site: string | undefined }[];

  /** @param claims beside the usual ones, for ID tokens of any length */
  async function start(middleware: (request: Request, response: Response, next: NextFunction) => void, claims = {}) {
    origins = [];
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    host = await Host.start({
      controllers: [PlainApp],
      client: { postLogoutRedirectUri: `${url}/logout/callback` },
      port,
      registration: { postLogoutRedirectUris: [`${url}/logout/callback`] },
      configure: (app) => {
        app.use(middleware, (request: Request, _response: Response, next: NextFunction) => {
          const { origin, 'sec-fetch-site': site } = request.headers;
          if (request.method === 'POST') origins.push({ origin, site: site?.toString() });
          next();
        });
      },
    });
    const idToken = await host.oneId.idToken({ clientId, login: host.oneId.signIn(), claims });
    ({ sessionToken: session } = await host.app.get(SessionRegistry).register({ idToken }));
    const context = await browser.newContext();
    await context.addCookies([{ name: 'session', value: session, url }]);
    page = await context.newPage();
    await page.goto(`${url}/`);
    return url;
  }

  afterEach(async () => {
    await page.context().close();
    await host.stop();
  });

  const stateOf = async () => {
    const answer = await host.fetch('/me', { session });
    return answer.status === 200 ? 'alive' : ((await answer.json()) as { reason: string }).reason;
  };

  const noReferrer = (_request: Request, response: Response, next: NextFunction) => {
    response.setHeader('Referrer-Policy', 'no-referrer');
    next();
  };

  test.each([
    ["helmet's full defaults", helmet(), 'null'],
    ['no headers at all', (_request: Request, _response: Response, next: NextFunction) => next(), 'its own'],
    ['Referrer-Policy: no-referrer', noReferrer, 'null'],
  ])('by a form, under %s', async (_name, middleware, origin) => {
    const url = await start(middleware);
    await page.getByRole('button', { name: 'Log out' }).click();
    await page.waitForURL(`${url}/goodbye`);
    expect(origins).toEqual([{ origin: origin === 'its own' ? url : origin, site: 'same-origin' }]);
    expect(host.oneId.count('/oauth2/sessions/logout')).toBe(1);
    expect(await stateOf()).toBe('logged_out');
  });

  test('by a form without Sec-Fetch-Site and Origin: the user must confirm', async () => {
    const url = await start((request, response, next) => {
      // like a browser that does not know this header
      delete request.headers['sec-fetch-site'];
      noReferrer(request, response, next);
    });
    await page.getByRole('button', { name: 'Log out' }).click();
    await page.getByRole('heading', { name: 'Log out?' }).waitFor();
    expect(origins).toEqual([{ origin: 'null', site: undefined }]);
    expect(await stateOf()).toBe('alive');
    expect(await accessibilityFaults(page)).toEqual([]);

    await page.getByRole('link', { name: 'Cancel' }).click();
    await page.waitForURL(`${url}/`);
    expect(await stateOf()).toBe('alive');
    await page.getByRole('button', { name: 'Log out' }).click();
    await page.getByRole('heading', { name: 'Log out?' }).waitFor();
    await page.getByRole('button', { name: 'Log out' }).click();
    await page.waitForURL(`${url}/goodbye`);
    expect(await stateOf()).toBe('logged_out');
  });

  test('by a form, with an ID token too long for a URL: the page posts it', async () => {
    const url = await start(helmet(), { groups: 'x'.repeat(12_000) });
    await page.getByRole('button', { name: 'Log out' }).click();
    await page.waitForURL(`${url}/goodbye`);
    expect(
      host.oneId.requests.filter(({ path }) => path === '/oauth2/sessions/logout').map(({ method }) => method),
    ).toEqual(['POST']);
    expect(await stateOf()).toBe('logged_out');
  });

  test('P8: by a link, but not by a prefetch, a prerender, an image, a frame or a fetch of it', async () => {
    const loaded = new Map<string, number>();
    const url = await start((request, response, next) => {
      if (request.path === '/leave') response.on('finish', () => loaded.set(request.url, response.statusCode));
      next();
    });
    await page.goto(`${url}/careless`);
    await until('all are loaded', () => loaded.size === 6);
    expect(await stateOf()).toBe('alive');
    expect(Object.fromEntries(loaded)).toEqual({
      '/leave?fetch': 200,
      '/leave?iframe': 200,
      '/leave?image': 200,
      '/leave?link': 403,
      '/leave?prefetch': 403,
      '/leave?prerender': 403,
    });
    await page.getByRole('link', { name: 'Leave' }).click();
    await page.waitForURL(`${url}/goodbye`);
    expect(await stateOf()).toBe('logged_out');
  });

  test('by fetch: the answer is JSON with the next URL', async () => {
    const url = await start(helmet());
    const answer = await page.evaluate<{ url: string }>(
      `fetch('/logout', { method: 'POST', headers: { accept: 'application/json' } }).then((answer) => answer.json())`,
    );
    expect(Object.keys(answer)).toEqual(['url']);
    expect(answer.url).toContain('/oauth2/sessions/logout?');
    expect(await stateOf()).toBe('logged_out');
    await page.evaluate(`location.assign(${JSON.stringify(answer.url)})`);
    await page.waitForURL(`${url}/goodbye`);
  });
});

describe('in Chromium, with other sites', () => {
  let world: World;
  let site: OtherSite;
  let person: Person;

  beforeAll(async () => {
    world = await World.start();
    site = await OtherSite.start();
  });

  afterAll(async () => {
    await site.stop();
    await world.stop();
  });

  beforeEach(async () => {
    person = await Person.with(browser);
    await person.signIn(world.url);
  });

  afterEach(() => person.close());

  describe('RPI-4: in Chromium, the state', () => {
    /** Logs out, but stops where OneID sends the browser back; that tab is closed. */
    async function logOutUntilCallback(): Promise<string> {
      const called = new Promise<string>((resolve) => {
        void person.page.route('**/logout/callback?*', (route) => {
          resolve(route.request().url());
        });
      });
      await person.press(person.texts.logOut);
      await person.sees(person.oneIdTexts.confirm);
      await person.press(person.oneIdTexts.yes);
      const callback = await called;
      await person.page.close();
      return callback;
    }

    test('is bound to this browser: in another profile the callback leads to the default page, and the state stays usable', async () => {
      const callback = await logOutUntilCallback();
      const other = await Person.with(browser);
      await other.page.goto(callback);
      expect(other.page.url()).toBe(`${world.url}/`);
      await other.close();
      const { page } = await person.newTab();
      await page.goto(callback);
      expect(page.url()).toBe(`${world.url}/goodbye`);
    });

    test('works once: a second visit of the callback leads to the default page', async () => {
      const callback = await logOutUntilCallback();
      const { page } = await person.newTab();
      await page.goto(callback);
      expect(page.url()).toBe(`${world.url}/goodbye`);
      await page.goto(callback);
      expect(page.url()).toBe(`${world.url}/`);
    });
  });

  describe('RPI-6: in Chromium, the user is not logged out by', () => {
    afterEach(async () => {
      expect(await person.stateAt(world.url)).toBe('200');
    });

    test.each(['localhost', '127.0.0.1'] as const)('images of a site at %s', async (host) => {
      const sources = [
        '/logout',
        '/logout/here',
        '/logout/callback?state=x',
        '/backchannel_logout',
        '/frontchannel_logout',
      ];
      const images = sources.map((path) => `<img src="${world.url}${path}">`).join('');
      await person.page.goto(site.page(images, host));
      await person.page.waitForLoadState('networkidle');
    });

    test.each([
      ['/logout', 'localhost'],
      ['/logout', '127.0.0.1'],
      ['/logout/here', 'localhost'],
      ['/logout/here', '127.0.0.1'],
      ['/sessions/end-others', 'localhost'],
      ['/sessions/end-others', '127.0.0.1'],
    ] as const)('a form to %s of a site at %s', async (path, host) => {
      const form = `<form method="post" action="${world.url}${path}"><button>Win</button></form>`;
      await person.page.goto(site.page(form, host));
      const answer = person.page.waitForResponse(world.url + path);
      await person.press('Win');
      expect((await answer).status()).toBe(403);
      await person.reads(person.texts.failures.crossSite);
    });

    test('a link: the user must confirm', async () => {
      await person.page.goto(site.page(`<a href="${world.url}/logout">Win</a>`));
      await person.follow('Win');
      await person.page.getByRole('button').waitFor();
      expect(await person.stateAt(world.url)).toBe('200');
    });

    test('an iframe: no other site can frame a page of the app', async () => {
      await person.page.goto(site.page(`<iframe src="${world.url}/logout"></iframe>`));
      await person.page.waitForLoadState('networkidle');
      const frame = await (await person.page.waitForSelector('iframe')).contentFrame();
      expect(await frame?.locator('button').count()).toBe(0);
    });
  });

  test('RPI-6: a user who follows a link of another site and confirms is logged out', async () => {
    await person.page.goto(site.page(`<a href="${world.url}/logout">Log out</a>`));
    await person.follow('Log out');
    await person.page.getByRole('button').click();
    await person.sees(person.oneIdTexts.confirm);
    expect(await person.stateAt(world.url)).toBe('401 missing');
  });
});
