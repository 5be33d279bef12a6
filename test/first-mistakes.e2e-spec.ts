import { afterEach, describe, expect, it } from '@jest/globals';
import { Controller, Get, type LoggerService, Post, Req, Res, UseGuards } from '@nestjs/common';
import {
  LogoutService,
  SessionAliveGuard,
  SessionConnections,
  sessionFromClaims,
  SessionRegistry,
  type SessionRequest,
  type SessionResolver,
} from 'nestjs-oneid-logout';
import { SessionPurge } from '../libs/oneid-logout/src/store/session-purge.js';
import {
  Cleanup,
  delivered,
  post,
  refused,
  signIn,
  stateOf,
  temporarilyUnavailable,
} from './support/channel-requests.js';
import { clientId, type Host } from './support/host.js';
import { failNext } from './support/session-store.js';
import { SessionDatabase } from '../libs/oneid-logout/src/database/session-database.js';
import { endpointPaths } from 'nestjs-oneid-logout/testing';

const cleanup = new Cleanup();
afterEach(() => cleanup.run());

@Controller()
class Forgetful {
  constructor(private readonly logout: LogoutService) {}

  @Get('me')
  @UseGuards(SessionAliveGuard)
  me(): string {
    return 'me';
  }

  @Post('logout')
  async out(@Req() request: SessionRequest, @Res() response: unknown): Promise<void> {
    await this.logout.respond(request, response, {});
  }
}

describe('frequent first mistakes of an app', () => {
  it('a logout route without a guard ends the session that the request carries', async () => {
    const host = await cleanup.host({ controllers: [Forgetful] });
    const { session } = await signIn(host);
    const init = { method: 'POST', session: session.sessionToken, headers: { 'Sec-Fetch-Site': 'same-origin' } };
    const response = await host.fetch('/logout', init);

    expect(response.status).toBe(200);
    expect(await response.text()).toContain('post_logout_redirect_uri=');
    expect(await stateOf(host, session)).toBe('logged_out');
  });

  it('without sessionFrom, guarded routes answer 500, and the log gives the reason', async () => {
    const host = await cleanup.host({ options: { sessionFrom: [] } });
    const { session } = await signIn(host);
    expect((await host.fetch('/me', { session: session.sessionToken })).status).toBe(500);
  });

  it.each<[string, unknown, number]>([
    ['null', null, 401],
    ['a text', 'a'.repeat(64), 500],
    ['the id of a session', { id: 'a'.repeat(64) }, 500],
    ['a session token that is not a text', { sessionToken: 7 }, 500],
    ['claims that are not an object', { claims: null }, 500],
  ])('a resolver that returns %s', async (_name, answer, status) => {
    const sessionFrom = (() => answer) as SessionResolver;
    const host = await cleanup.host({ options: { sessionFrom } });
    expect((await host.fetch('/me')).status).toBe(status);
  });

  it('a missing ID token is reported as missing', async () => {
    const host = await cleanup.host();
    for (const idToken of [undefined, null, 7] as unknown as string[]) {
      await expect(host.app.get(SessionRegistry).register({ idToken })).rejects.toMatchObject({
        code: 'id_token_invalid',
        message: 'The ID token is missing',
      });
    }
  });

  it('endAll() refuses a missing sub', async () => {
    const host = await cleanup.host();
    for (const sub of [undefined, null, ''] as unknown as string[]) {
      await expect(host.app.get(SessionRegistry).endAll({ sub })).rejects.toMatchObject({ code: 'user_invalid' });
    }
    expect((await host.stored()).logouts).toEqual([]);
  });
});

describe("the app's logger fails", () => {
  const entries: string[] = [];
  const fail = (message: unknown, ...details: unknown[]): void => {
    // Nest itself does not survive a broken logger
    if (details.at(-1) !== 'OneIdLogout') return;
    entries.push(String(message));
    throw new Error('the log is full');
  };
  const loggers: [string, LoggerService][] = [
    ['throws', { log: fail, warn: fail, error: fail }],
    ['rejects', Object.fromEntries(['log', 'warn', 'error'].map((level) => [level, rejecting])) as never],
  ];
  async function rejecting(...entry: Parameters<typeof fail>): Promise<void> {
    await Promise.resolve();
    fail(...entry);
  }

  it.each(loggers)('P40: it %s: the app boots, and each answer stays the same', async (_how, logger) => {
    entries.length = 0;
    const host = await cleanup.host({ configure: (app) => app.useLogger(logger) });
    expect(entries).toContainEqual(expect.stringContaining('backchannel_logout'));

    const { session, login } = await signIn(host);
    const boot = entries.length;
    // its error meets the broken log, too
    const endings: string[] = [];
    host.app
      .get(SessionConnections)
      .over(session)
      .subscribe((ending) => {
        endings.push(ending);
        throw new Error('the listener fails');
      });
    expect(await post(host, 'garbage')).toEqual(
      refused('logout_token_malformed', 'the logout token is not a signed JWT'),
    );
    failNext(host.app.get(SessionDatabase), 1);
    expect(await post(host, await host.oneId.logoutToken({ clientId, login }))).toEqual(
      temporarilyUnavailable('store_unavailable'),
    );
    expect(await post(host, await host.oneId.logoutToken({ clientId, login }))).toEqual(delivered);
    expect(await stateOf(host, session)).toBe('logged_out');
    expect(endings).toEqual(['logged_out']);
    failNext(host.app.get(SessionDatabase), 1);
    await host.app.get(SessionPurge).wake();

    host.oneId.fail(endpointPaths.discovery, { status: 500 });
    host.clock.advance(2 * 60 * 60 * 1000);
    await signIn(host);
    expect(entries.length).toBeGreaterThan(boot + 2);
  });
});

describe('an API without registered sign-ins', () => {
  const claimsOf = (host: Host, claims: object) => ({ iss: host.oneId.issuer, iat: host.clock.seconds, ...claims });
  const start = (claims: (host: Host) => object) => {
    // one token, issued once: an earlier logout of the user would not end a later token
    let token: object | undefined;
    const sessionFrom = sessionFromClaims(() => token);
    return cleanup.host({ options: { sessionFrom }, client: { logoutScope: 'user' } }).then((host) => {
      token = claims(host);
      return host;
    });
  };

  it('refuses a token without sid of a user without a registered sign-in, because no logout could end it', async () => {
    const login = { sub: 'alice' };
    const host = await start((it) => claimsOf(it, { sub: login.sub }));
    expect((await host.fetch('/me')).status).toBe(401);

    const signedIn = host.oneId.signIn(login);
    await host.app.get(SessionRegistry).register({ idToken: await host.oneId.idToken({ clientId, login: signedIn }) });
    expect((await host.fetch('/me')).status).toBe(200);

    await host.oneId.deliver(
      `${host.url}/backchannel_logout`,
      await host.oneId.logoutToken({ clientId, login: signedIn }),
    );
    const rejected = await host.fetch('/me');
    expect([rejected.status, await rejected.json()]).toEqual([401, expect.objectContaining({ reason: 'logged_out' })]);
  });

  it('counts the age of a refreshed token from its login, so that it never outlives the remembered logouts', async () => {
    const day = 24 * 60 * 60;
    const loggedIn = Math.floor(Date.now() / 1000);
    const host = await start((it) => claimsOf(it, { sub: 'bob', sid: 's', auth_time: loggedIn }));
    expect((await host.fetch('/me')).status).toBe(200);
    host.clock.advance(30 * day * 1000);
    const rejected = await host.fetch('/me');
    expect([rejected.status, await rejected.json()]).toEqual([401, expect.objectContaining({ reason: 'expired' })]);
  });

  it.each(['', 'x'.repeat(256), 7, null])('refuses a token whose sid no logout can contain: %j', async (sid) => {
    const host = await start((it) => claimsOf(it, { sub: 'carol', sid }));
    expect((await host.fetch('/me')).status).toBe(401);
  });
});
