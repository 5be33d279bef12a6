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
import { loggedOutHereCookie, sessionCookie } from '../sign-in/session-cookie.js';

/** How long after a logout here only a sign-in may meet the revocation that this logout has caused, milliseconds. */
const REVOCATION_TIME = 60_000;

/** Routes for logouts that start in this app. */
@Controller('logout')
@UseGuards(SessionAliveGuard)
@AllowAnonymous({ deadSession: 'anonymous' })
@UseFilters(ErrorPageFilter)
export class LogoutController {
  constructor(
    private readonly logout: LogoutService,
    private readonly settings: Settings,
  ) {}

  /** Logs out here and at OneID. Needs no session here, because the login at OneID may still be alive. */
  @Post()
  async start(
    @Req() request: Request,
    @Res() response: Response,
    @CurrentSession() session: SessionFacts | undefined,
    @Lang() uiLocales: Language,
  ): Promise<void> {
    await this.logout.respond(request, response, { session, returnTo: '/goodbye', uiLocales });
  }

  /** Any site may link to this address, so the library shows a confirmation page first. */
  @Get()
  ask(
    @Req() request: Request,
    @Res() response: Response,
    @CurrentSession() session: SessionFacts | undefined,
    @Lang() uiLocales: Language,
  ): Promise<void> {
    return this.start(request, response, session, uiLocales);
  }

  /** Logs out here only. The library still revokes the refresh token: Keycloak may then end the login, OneID does not. */
  @Post('here')
  @UseGuards(SameOriginGuard)
  async here(@Req() request: Request, @Res() response: Response): Promise<void> {
    await this.logout.endHere(request);
    const { name, ...attributes } = sessionCookie(this.settings);
    response.clearCookie(name, attributes);
    response.cookie(loggedOutHereCookie(this.settings).name, '1', { ...attributes, maxAge: REVOCATION_TIME });
    response.setHeader('Cache-Control', 'no-store');
    response.setHeader('Clear-Site-Data', '"cache", "storage"');
    response.redirect(303, '/goodbye/here');
  }
}
