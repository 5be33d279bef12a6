import { Controller, Get, Post, Req, Res, UseFilters, UseGuards } from '@nestjs/common';
import { type Request, type Response } from 'express';
import {
  AllowAnonymous,
  CurrentSession,
  LogoutService,
  SessionAliveGuard,
  type SessionFacts,
} from 'nestjs-oneid-logout';
import { type Language } from '../html/language.js';
import { ErrorPageFilter } from '../pages/error-page.filter.js';
import { Lang } from '../pages/language.js';
import { SameOriginGuard } from '../pages/same-origin.guard.js';
import { Settings } from '../settings.js';
import { sessionCookie } from '../sign-in/session-cookie.js';

/** Logouts that start here. */
@Controller('logout')
@UseGuards(SessionAliveGuard)
@AllowAnonymous({ deadSession: 'anonymous' })
@UseFilters(ErrorPageFilter)
export class LogoutController {
  constructor(
    private readonly logout: LogoutService,
    private readonly settings: Settings,
  ) {}

  /** Here and at OneID. Without a session, too: the one at OneID may still live. */
  @Post()
  async start(
    @Req() request: Request,
    @Res() response: Response,
    @CurrentSession() session: SessionFacts | undefined,
    @Lang() uiLocales: Language,
  ): Promise<void> {
    await this.logout.respond(request, response, { session, returnTo: '/goodbye', uiLocales });
  }

  /** A link may lead here from anywhere, so the library asks first. */
  @Get()
  ask(
    @Req() request: Request,
    @Res() response: Response,
    @CurrentSession() session: SessionFacts | undefined,
    @Lang() uiLocales: Language,
  ): Promise<void> {
    return this.start(request, response, session, uiLocales);
  }

  /** Here only: OneID and its other apps are not told. */
  @Post('here')
  @UseGuards(SameOriginGuard)
  async here(@Res() response: Response, @CurrentSession() session: SessionFacts | undefined): Promise<void> {
    if (session?.id !== undefined) await this.logout.end(session.id);
    const { name, ...attributes } = sessionCookie(this.settings);
    response.clearCookie(name, attributes);
    response.setHeader('Cache-Control', 'no-store');
    response.setHeader('Clear-Site-Data', '"cache", "storage"');
    response.redirect(303, '/goodbye/here');
  }
}
