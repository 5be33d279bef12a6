import { Controller, Get, Header, Req, UseFilters, UseGuards } from '@nestjs/common';
import { type Request } from 'express';
import { AllowAnonymous, CurrentSession, SessionAliveGuard, type SessionFacts } from 'nestjs-oneid-logout';
import { OneIdClient } from '../oneid/oneid-client.js';
import { OneId } from '../oneid/oneid.js';
import { ErrorPageFilter } from '../pages/error-page.filter.js';
import { Pages } from '../pages/pages.js';
import { accountPage } from './account-page.js';
import { HomePageFilter } from './home-page.filter.js';
import { signedInHome, signedOutHome } from './home-page.js';
import { MySessions } from './my-sessions.js';

/** The pages before, during and after a session. */
@Controller()
export class HomeController {
  constructor(
    private readonly pages: Pages,
    private readonly sessions: MySessions,
    private readonly oneId: OneId,
    private readonly client: OneIdClient,
  ) {}

  /** Needs no session. A session that has ended counts as absent, see {@link HomePageFilter}. */
  @Get()
  @UseGuards(SessionAliveGuard)
  @UseFilters(ErrorPageFilter, HomePageFilter)
  @AllowAnonymous()
  @Header('Cache-Control', 'no-store')
  async home(@Req() request: Request, @CurrentSession() session: SessionFacts | undefined): Promise<string> {
    const writer = this.pages.for(request);
    const { texts } = writer;
    const { embedded, otherApps } = this.oneId;
    if (session === undefined) return signedOutHome(writer, embedded !== undefined);
    const sessions = await this.sessions.list(session);
    return writer.page(texts.signedIn, signedInHome(texts, { session, sessions, otherApps }));
  }

  /** Needs a live session. The line with the guard is the only line to copy to your own routes. */
  @Get('me')
  @UseGuards(SessionAliveGuard)
  @Header('Cache-Control', 'no-store')
  me(@CurrentSession() { sub, sid, issuer, registeredAt, expiresAt }: SessionFacts) {
    return { sub, sid, issuer, registeredAt, expiresAt };
  }

  /** The same facts as a page for people. Without a live session, the visitor gets an error page. */
  @Get('account')
  @UseGuards(SessionAliveGuard)
  @UseFilters(ErrorPageFilter)
  @Header('Cache-Control', 'no-store')
  account(@Req() request: Request, @CurrentSession() session: SessionFacts): string {
    const writer = this.pages.for(request);
    return writer.page(writer.texts.account, accountPage(writer.texts, session));
  }

  /** The page after a logout. Without a logout at OneID, it says the same as the page after a logout here only. */
  @Get('goodbye')
  @Header('Cache-Control', 'no-store')
  async goodbye(@Req() request: Request): Promise<string> {
    return this.sayGoodbye(request, (await this.client.hasLogout()) ? 'goodbyeText' : 'goodbyeHere');
  }

  /** The page after a logout from this app only. */
  @Get('goodbye/here')
  @Header('Cache-Control', 'no-store')
  goodbyeHere(@Req() request: Request): string {
    return this.sayGoodbye(request, 'goodbyeHere');
  }

  private sayGoodbye(request: Request, text: 'goodbyeText' | 'goodbyeHere'): string {
    const writer = this.pages.for(request);
    const { texts } = writer;
    return writer.notice(texts.goodbye, texts[text], { href: '/', text: texts.startAgain });
  }
}
