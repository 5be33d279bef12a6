import { afterEach, describe, expect, it } from '@jest/globals';
import { Controller, Get, Post, Req, Res, UseGuards } from '@nestjs/common';
import {
  LogoutService,
  SessionAliveGuard,
  sessionFromClaims,
  SessionRegistry,
  type SessionRequest,
  type SessionResolver,
} from 'nestjs-oneid-logout';
import { Cleanup, signIn, stateOf } from './support/channel-requests.js';
import { clientId, type Host } from './support/host.js';

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

describe('what an app may get wrong at first', () => {
  it('a logout route without a guard ends the session that the request carries', async () => {
    const host = await cleanup.host({ controllers: [Forgetful] });
    const { session } = await signIn(host);
    const init = { method: 'POST', session: session.id, headers: { 'Sec-Fetch-Site': 'same-origin' } };
    const response = await host.fetch('/logout', init);

    expect(response.status).toBe(200);
    expect(await response.text()).toContain('post_logout_redirect_uri=');
    expect(await stateOf(host, session)).toBe('logged_out');
  });

  it('no sessionFrom: guarded routes fail and the log says why, nobody gets in', async () => {
    const host = await cleanup.host({ options: { sessionFrom: [] } });
    const { session } = await signIn(host);
    expect((await host.fetch('/me', { session: session.id })).status).toBe(500);
  });

  it.each<[string, unknown, number]>([
    ['null', null, 401],
    ['a text', 'a'.repeat(64), 500],
    ['an id that is none', { id: 7 }, 500],
    ['claims that are none', { claims: null }, 500],
  ])('a resolver that gives %s', async (_name, answer, status) => {
    const sessionFrom = (() => answer) as SessionResolver;
    const host = await cleanup.host({ options: { sessionFrom } });
    expect((await host.fetch('/me')).status).toBe(status);
  });

  it('a missing ID token is told as such', async () => {
    const host = await cleanup.host();
    for (const idToken of [undefined, null, 7] as unknown as string[]) {
      await expect(host.app.get(SessionRegistry).register({ idToken })).rejects.toMatchObject({
        code: 'id_token_invalid',
        message: 'The ID token is missing',
      });
    }
  });

  it('a missing sub is not everybody and not nobody', async () => {
    const host = await cleanup.host();
    for (const sub of [undefined, null, ''] as unknown as string[]) {
      await expect(host.app.get(LogoutService).endAll({ sub })).rejects.toMatchObject({ code: 'user_invalid' });
    }
    expect((await host.stored()).logouts).toEqual([]);
  });
});

describe('an API that never saw the sign-in', () => {
  const claimsOf = (host: Host, claims: object) => ({ iss: host.oneId.issuer, iat: host.clock.seconds, ...claims });
  const start = (claims: (host: Host) => object) => {
    // one token, issued once: a later one would not be reached by an earlier logout of the user
    let token: object | undefined;
    const sessionFrom = sessionFromClaims(() => token);
    return cleanup.host({ options: { sessionFrom }, client: { logoutScope: 'user' } }).then((host) => {
      token = claims(host);
      return host;
    });
  };

  it('refuses a token without sid of a user whom no sign-in here tells: no logout could ever reach it', async () => {
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

  it('takes a refreshed token for as old as its login: it does not outlive the memory of logouts', async () => {
    const day = 24 * 60 * 60;
    const loggedIn = Math.floor(Date.now() / 1000);
    const host = await start((it) => claimsOf(it, { sub: 'bob', sid: 's', auth_time: loggedIn }));
    expect((await host.fetch('/me')).status).toBe(200);
    host.clock.advance(30 * day * 1000);
    const rejected = await host.fetch('/me');
    expect([rejected.status, await rejected.json()]).toEqual([401, expect.objectContaining({ reason: 'expired' })]);
  });

  it.each(['', 'x'.repeat(256), 7, null])('refuses a token whose sid no logout can name: %j', async (sid) => {
    const host = await start((it) => claimsOf(it, { sub: 'carol', sid }));
    expect((await host.fetch('/me')).status).toBe(401);
  });
});
