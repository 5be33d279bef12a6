import { Controller, Get, Post, Query, Req, Res, UseGuards } from '@nestjs/common';
import { CurrentSession, LogoutService, SessionAliveGuard, SessionRegistry } from 'nestjs-oneid-logout';
import type { SessionFacts, SessionRequest } from 'nestjs-oneid-logout';

/** Your code that exchanges OneID's code for an ID token. */
export abstract class TokenClient {
  abstract exchange(code: string): Promise<string>;
}

@Controller()
export class AppController {
  constructor(
    private readonly logout: LogoutService,
    private readonly sessions: SessionRegistry,
    private readonly tokens: TokenClient,
  ) {}

  @Get('me')
  @UseGuards(SessionAliveGuard)
  me(@CurrentSession() session: SessionFacts) {
    return { sub: session.sub };
  }

  @Get('login/callback')
  async signIn(
    @Query('code') code: string,
    @Res({ passthrough: true }) res: { header(name: string, value: string): void },
  ) {
    const { sessionToken } = await this.sessions.register({ idToken: await this.tokens.exchange(code) });
    res.header('Set-Cookie', `session=${sessionToken}; Path=/; HttpOnly; SameSite=Lax`);
    return 'Signed in';
  }

  @Post('logout')
  startLogout(@Req() req: SessionRequest, @Res() res: unknown): Promise<void> {
    return this.logout.respond(req, res, { returnTo: '/' });
  }
}
