import { expect } from '@jest/globals';
import { All, Controller, Req, Res, UseGuards } from '@nestjs/common';
import {
  AllowAnonymous,
  CurrentSession,
  LogoutService,
  type RespondOptions,
  type RegisteredSession,
  SessionAliveGuard,
  type SessionFacts,
  SessionRegistry,
  type SessionRequest,
} from 'nestjs-oneid-logout';
import { type BrowserLogin } from 'nestjs-oneid-logout/testing';
import { Browser, sendRequest, type Visit, nextRequest } from './browser.js';
import { type DatabaseKind } from './databases.js';
import { HostController } from './host-controller.js';
import { clientId, Host, type HostSettings } from './host.js';
import { returnUrls } from './hostile-urls.js';

export const callbackUri = 'https://app.example/logout/callback';

/** A route that starts a logout. The test sends the options in the header `x-options`. */
@Controller()
export class LogoutController {
  constructor(private readonly logout: LogoutService) {}

  @All('out')
  @AllowAnonymous({ deadSession: 'anonymous' })
  @UseGuards(SessionAliveGuard)
  async out(
    @Req() request: SessionRequest,
    @Res() response: unknown,
    @CurrentSession() session: SessionFacts | undefined,
  ): Promise<void> {
    const options = JSON.parse(String(request.headers['x-options'] ?? '{}')) as RespondOptions;
    await this.logout.respond(request, response, { session, ...options });
  }
}

export interface SignedIn {
  readonly browser: Browser;
  readonly session: RegisteredSession;
  readonly login: BrowserLogin;
  readonly idToken: string;
}

export async function startHost(settings: HostSettings = {}): Promise<Host> {
  const host = await Host.start({
    ...settings,
    controllers: [HostController, LogoutController],
    options: { returnUrls, ...settings.options },
  });
  host.oneId.registerClient({ clientId, postLogoutRedirectUris: [callbackUri] });
  return host;
}

export async function signIn(
  host: Host,
  changes: { sub?: string; claims?: Record<string, unknown> } = {},
): Promise<SignedIn> {
  const { sub = 'alice', claims = {} } = changes;
  const login = host.oneId.signIn({ sub });
  const idToken = await host.oneId.idToken({ clientId, login, claims });
  const session = await host.app.get(SessionRegistry).register({ idToken });
  const browser = new Browser(host);
  browser.cookies.set('session', session.sessionToken);
  return { browser, session, login, idToken };
}

/** Gives a second host the database of the first host. The second host does not drop it. */
export function sharedWith({ testDatabase }: Host): Pick<DatabaseKind, 'take'> {
  const { options } = testDatabase;
  return { take: () => Promise.resolve({ options, drop: () => Promise.resolve() }) };
}

/** Posts the logout form of the app's own page. */
export function start(browser: Browser, options: RespondOptions = {}, visit: Visit = {}): Promise<Response> {
  const headers = { accept: 'text/html', 'x-options': JSON.stringify(options), ...visit.headers };
  return browser.visit('/out', { method: 'POST', ...visit, headers });
}

/** Starts a logout at the app and logs out at OneID. @returns the URL that OneID sends the browser to */
export async function logOut(browser: Browser, options: RespondOptions = {}): Promise<string> {
  const page = await start(browser, options);
  expect(page.status).toBe(200);
  const answer = await sendRequest(nextRequest(await page.text()));
  expect(answer.status).toBe(302);
  return answer.headers.get('location') ?? '';
}

/** Removes the app's origin from a public URL, and checks that the URL has this origin. */
export function pathOf(location: string): string {
  expect(location).toMatch(/^https:\/\/app\.example\//);
  return location.slice('https://app.example'.length);
}

/** Is it an allowed return URL after decoding? A cookie may spell `/goodbye` as `/%67oodbye`. */
export function isAllowedOnceDecoded(value: string): boolean {
  try {
    return returnUrls.includes(decodeURIComponent(value));
  } catch {
    return false;
  }
}

export const stateCookies = (browser: Browser) =>
  [...browser.cookies.keys()].filter((name) => /-[0-9a-f]{16}$/.test(name));

export async function reasonAtMe(browser: Browser): Promise<unknown> {
  const response = await browser.visit('/me');
  return response.status === 200 ? 'alive' : ((await response.json()) as { reason?: string }).reason;
}
