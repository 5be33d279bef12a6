import { Controller, Get, Post, Req, Res, UseGuards } from '@nestjs/common';
import {
  AllowAnonymous,
  CurrentSession,
  LogoutService,
  SessionAliveGuard,
  type SessionFacts,
  type SessionRequest,
} from 'nestjs-oneid-logout';

/** Routes of the host. The library's guard protects them. */
@Controller()
export class HostController {
  constructor(private readonly logout: LogoutService) {}

  @Get('me')
  @UseGuards(SessionAliveGuard)
  me(@CurrentSession() session: SessionFacts) {
    return { sub: session.sub };
  }

  @Get('open')
  @AllowAnonymous()
  @UseGuards(SessionAliveGuard)
  open(@CurrentSession() session: SessionFacts | undefined) {
    return { sub: session?.sub ?? null };
  }

  @Get('home')
  @AllowAnonymous({ deadSession: 'anonymous' })
  @UseGuards(SessionAliveGuard)
  home(@CurrentSession() session: SessionFacts | undefined) {
    return { sub: session?.sub ?? null };
  }

  @Post('logout')
  @AllowAnonymous({ deadSession: 'anonymous' })
  @UseGuards(SessionAliveGuard)
  async startLogout(
    @Req() request: SessionRequest,
    @Res() response: unknown,
    @CurrentSession() session: SessionFacts | undefined,
  ): Promise<void> {
    await this.logout.respond(request, response, { session, returnTo: '/goodbye' });
  }
}
