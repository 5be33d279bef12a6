import { Controller, Post, Req, Res, UseGuards } from '@nestjs/common';
import { type Request, type Response } from 'express';
import {
  AllowAnonymous,
  CurrentSession,
  LogoutService,
  SessionAliveGuard,
  type SessionFacts,
} from 'nestjs-oneid-logout';

/** A logout that starts here. */
@Controller('logout')
export class LogoutController {
  constructor(private readonly logout: LogoutService) {}

  /** Without a session, too: the one at OneID may still live. */
  @Post()
  @UseGuards(SessionAliveGuard)
  @AllowAnonymous({ deadSession: 'anonymous' })
  async start(
    @Req() request: Request,
    @Res() response: Response,
    @CurrentSession() session: SessionFacts | undefined,
  ): Promise<void> {
    await this.logout.respond(request, response, { session, returnTo: '/goodbye' });
  }
}
