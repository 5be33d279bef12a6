import { Controller, Get, Post, Query, Req, Res, UseGuards } from '@nestjs/common';
import { LogoutService, SessionAliveGuard, SessionRegistry } from 'nestjs-oneid-logout';
import { CurrentSession, type SessionFacts, type SessionRequest } from 'nestjs-oneid-logout';
import { issuer, publicUrl } from './settings.js';

@Controller()
export class AccountController {
  constructor(
    private readonly sessions: SessionRegistry,
    private readonly logout: LogoutService,
  ) {}

  @Get('login/callback')
  async signedIn(
    @Query('code') code: string,
    @Res({ passthrough: true }) response: { header(name: string, value: string): unknown },
  ) {
    const { sessionToken } = await this.sessions.register({ idToken: await idTokenFor(code) });
    response.header('Set-Cookie', `session=${sessionToken}; Path=/; HttpOnly; SameSite=Lax`);
    return { signedIn: true };
  }

  @Get('me')
  @UseGuards(SessionAliveGuard)
  me(@CurrentSession() session: SessionFacts) {
    return { sub: session.sub };
  }

  @Post('logout')
  startLogout(@Req() request: SessionRequest, @Res() response: unknown): Promise<void> {
    return this.logout.respond(request, response, { returnTo: '/' });
  }
}

/** The last step of the authorization code flow. A real app also checks `state` and uses PKCE. */
async function idTokenFor(code: string): Promise<string> {
  const response = await fetch(new URL('oauth2/token', issuer()), {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from('my-app:secret').toString('base64')}` },
    body: new URLSearchParams({
      grant_type: 'authorization_code',
      code,
      redirect_uri: `${publicUrl()}/login/callback`,
    }),
  });
  const tokens = (await response.json()) as { id_token: string };
  return tokens.id_token;
}
