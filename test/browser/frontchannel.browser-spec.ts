import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Controller, Get, Header, type INestApplication, Module, Query, Res, UseGuards } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { type Request, type Response } from 'express';
import helmet from 'helmet';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type CookieOptions,
  OneIdLogoutModule,
  SessionAliveGuard,
  sessionFromCookie,
  SessionRegistry,
} from 'nestjs-oneid-logout';
import { OneIdTestProvider } from 'nestjs-oneid-logout/testing';
import { type BrowserContext } from 'playwright-core';
import { freePort } from '../../src/embedded-oneid/free-port.js';
import { launchWithProfile } from './support/chromium.js';

/** The cookie of an app that allows framing: a third-party iframe can see only this kind. */
const THIRD_PARTY: CookieOptions = { name: 'session', path: '/', secure: true, httpOnly: true, sameSite: 'none' };
const PARTITIONED: CookieOptions = { ...THIRD_PARTY, partitioned: true };
const LAX: CookieOptions = { ...THIRD_PARTY, sameSite: 'lax' };

/** Chromium's setting "block third-party cookies", in its profile. */
const COOKIE_CONTROLS = { allowed: 0, blocked: 1 } as const;

@Controller()
class FramedApp {
  @Get('start')
  @Header('Content-Type', 'text/html')
  start(@Query('cookie') cookie: string, @Res({ passthrough: true }) response: Response): string {
    response.append('Set-Cookie', cookie);
    return '<!doctype html><title>Signed in</title>';
  }

  @Get('me')
  @UseGuards(SessionAliveGuard)
  me(): string {
    return 'alive';
  }

  @Get()
  home(): string {
    return 'home';
  }
}

let app: INestApplication;
let appUrl: string;
let oneId: OneIdTestProvider;
/** The `Cookie` header of each front-channel request. */
let cookiesInFrame: (string | undefined)[];

/** The app is at `localhost` and OneID at `127.0.0.1`: two sites, so that the app's iframe at OneID is third-party. */
async function startApp(cookie: CookieOptions): Promise<void> {
  const port = await freePort();
  appUrl = `http://localhost:${port}`;
  cookiesInFrame = [];
  oneId = await OneIdTestProvider.start({
    clients: [
      {
        clientId: 'app',
        clientSecret: 'secret',
        frontchannelLogoutUri: `${appUrl}/frontchannel_logout`,
        postLogoutRedirectUris: [`${appUrl}/logout/callback`],
      },
    ],
  });

  @Module({
    imports: [
      OneIdLogoutModule.forRoot({
        clients: [
          {
            issuer: oneId.issuer,
            clientId: 'app',
            clientAuthentication: { clientSecret: 'secret' },
            postLogoutRedirectUri: `${appUrl}/logout/callback`,
          },
        ],
        database: { type: 'better-sqlite3', database: ':memory:' },
        sessionFrom: sessionFromCookie('session'),
        clearCookies: [cookie],
      }),
    ],
    controllers: [FramedApp],
  })
  class AppModule {}

  app = await NestFactory.create(AppModule, { logger: false });
  app.use(helmet({ contentSecurityPolicy: { directives: { upgradeInsecureRequests: null } } }));
  app.use('/frontchannel_logout', (request: Request, _response: Response, next: () => void) => {
    cookiesInFrame.push(request.headers.cookie);
    next();
  });
  await app.listen(port, '127.0.0.1');
}

let folder: string;
let context: BrowserContext;

async function startBrowser(thirdPartyCookies: keyof typeof COOKIE_CONTROLS): Promise<void> {
  mkdirSync(join(folder, 'Default'), { recursive: true });
  const preferences = { profile: { cookie_controls_mode: COOKIE_CONTROLS[thirdPartyCookies] } };
  writeFileSync(join(folder, 'Default', 'Preferences'), JSON.stringify(preferences));
  context = await launchWithProfile(folder);
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'oneid-chromium-'));
});

afterEach(async () => {
  await context.close();
  await app.close();
  await oneId.close();
  rmSync(folder, { recursive: true, force: true });
});

function setCookieOf({ name, sameSite, partitioned }: CookieOptions, value: string): string {
  return `${name}=${value}; Path=/; Secure; HttpOnly; SameSite=${sameSite ?? 'lax'}${partitioned === true ? '; Partitioned' : ''}`;
}

describe('FC-2: in Chromium, OneID logs out through the browser, and the session ends on the server', () => {
  test.each([
    { cookies: 'allowed', cookie: THIRD_PARTY, sent: true, cleared: true },
    { cookies: 'blocked', cookie: THIRD_PARTY, sent: false, cleared: false },
    { cookies: 'allowed', cookie: PARTITIONED, sent: false, cleared: false },
    { cookies: 'blocked', cookie: PARTITIONED, sent: false, cleared: false },
    { cookies: 'allowed', cookie: LAX, sent: false, cleared: false },
    { cookies: 'blocked', cookie: LAX, sent: false, cleared: false },
  ] as const)(
    'third-party cookies $cookies, cookie $cookie.sameSite, partitioned: $cookie.partitioned',
    async ({ cookies, cookie, sent, cleared }) => {
      await startApp(cookie);
      await startBrowser(cookies);
      const login = oneId.signIn();
      const idToken = await oneId.idToken({ clientId: 'app', login });
      const { sessionToken } = await app.get(SessionRegistry).register({ idToken });
      const page = await context.newPage();
      await page.goto(
        `${appUrl}/start?${new URLSearchParams({ cookie: setCookieOf(cookie, sessionToken) }).toString()}`,
      );
      expect(await (await page.goto(`${appUrl}/me`))?.text()).toBe('alive');

      const logout = new URL(`${oneId.issuer}oauth2/sessions/logout`);
      logout.searchParams.set('id_token_hint', idToken);
      logout.searchParams.set('post_logout_redirect_uri', `${appUrl}/logout/callback`);
      const framed = page.waitForResponse((response) => response.url().includes('/frontchannel_logout?'));
      await page.goto(logout.href);
      const answer = await framed;
      expect([answer.status(), answer.headers()['cache-control']]).toEqual([200, 'no-store']);
      await page.waitForURL(`${appUrl}/`);

      // the setting works
      expect(cookiesInFrame).toEqual([sent ? `session=${sessionToken}` : undefined]);
      // the session ends on the server, with and without cookies
      const dead = await fetch(`${appUrl}/me`, { headers: { cookie: `session=${sessionToken}` } });
      expect([dead.status, ((await dead.json()) as { reason: string }).reason]).toEqual([401, 'logged_out']);
      // the browser may also remove the cookie
      expect((await context.cookies(appUrl)).map(({ name }) => name)).toEqual(cleared ? [] : ['session']);
      expect((await page.goto(`${appUrl}/me`))?.status()).toBe(401);
    },
  );
});

describe('FC-5: in Chromium, framing under helmet', () => {
  let errors: string[];

  beforeEach(async () => {
    await startApp(LAX);
    await startBrowser('blocked');
    errors = [];
  });

  /** The content of the app's iframe on another page. */
  async function frame(pageUrl: string, src: string): Promise<string> {
    const page = await context.newPage();
    page.on('console', (message) => {
      if (/fram/i.test(message.text())) errors.push(message.text());
    });
    await page.goto(pageUrl);
    const arrived = page.waitForResponse(src);
    await page.evaluate(`(() => {
      const frame = document.createElement('iframe');
      frame.src = ${JSON.stringify(src)};
      document.body.append(frame);
    })()`);
    await arrived;
    const handle = await page.waitForSelector('iframe');
    const content = await handle.contentFrame();
    await content?.waitForLoadState();
    return (await content?.textContent('body')) ?? '';
  }

  const frontchannel = () =>
    `${appUrl}/frontchannel_logout?${new URLSearchParams({ iss: oneId.issuer, sid: 'nobody' }).toString()}`;

  test("is allowed for OneID's origin", async () => {
    expect(await frame(`${oneId.issuer}.well-known/openid-configuration`, frontchannel())).toBe('Logged out.');
    expect(errors).toEqual([]);
  });

  test('is refused for every other origin', async () => {
    const stranger = await OneIdTestProvider.start();
    expect(await frame(`${stranger.issuer}.well-known/openid-configuration`, frontchannel())).not.toContain(
      'Logged out.',
    );
    expect(errors).toEqual([expect.stringContaining('frame-ancestors')]);
    await stranger.close();
  });

  test("of the app's other pages is refused for OneID, too", async () => {
    expect(await frame(`${oneId.issuer}.well-known/openid-configuration`, `${appUrl}/`)).not.toContain('home');
    expect(errors).toEqual([expect.stringContaining("frame-ancestors 'self'")]);
  });
});
