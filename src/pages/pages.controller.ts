import { Controller, Get, Header, Query, UseFilters, UseGuards } from '@nestjs/common';
import { AllowAnonymous, CurrentSession, SessionAliveGuard, type SessionFacts } from 'nestjs-oneid-logout';
import { MySessions } from '../account/my-sessions.js';
import { type Language } from '../html/language.js';
import { accountPage } from './account-page.js';
import { ErrorPageFilter } from './error-page.filter.js';
import { signedInHome, signedOutHome } from './home-page.js';
import { Lang } from './language.js';
import { Pages } from './page.js';

/** What the browser sees. */
@Controller()
export class PagesController {
  constructor(
    private readonly pages: Pages,
    private readonly sessions: MySessions,
  ) {}

  /** For everybody: a session that has ended is as good as none. */
  @Get()
  @UseGuards(SessionAliveGuard)
  @UseFilters(ErrorPageFilter)
  @AllowAnonymous({ deadSession: 'anonymous' })
  @Header('Cache-Control', 'no-store')
  async home(@CurrentSession() session: SessionFacts | undefined, @Lang() language: Language): Promise<string> {
    const texts = this.pages.texts(language);
    if (session === undefined) {
      return this.pages.render({ language, title: texts.signedOut, body: signedOutHome(texts) });
    }
    const body = signedInHome(texts, session, await this.sessions.list(session));
    return this.pages.render({ language, title: texts.signedIn, body });
  }

  /** Only with a session that lives: the guard is the one line to copy to your own routes. */
  @Get('me')
  @UseGuards(SessionAliveGuard)
  @Header('Cache-Control', 'no-store')
  me(@CurrentSession() { sub, sid, issuer, registeredAt, expiresAt }: SessionFacts) {
    return { sub, sid, issuer, registeredAt, expiresAt };
  }

  /** The same for people, and a page for those who are refused. */
  @Get('account')
  @UseGuards(SessionAliveGuard)
  @UseFilters(ErrorPageFilter)
  @Header('Cache-Control', 'no-store')
  account(@CurrentSession() session: SessionFacts, @Lang() language: Language): string {
    const texts = this.pages.texts(language);
    return this.pages.render({ language, title: texts.account, body: accountPage(texts, session) });
  }

  /** @param only `here` when OneID was not asked */
  @Get('goodbye')
  @Header('Cache-Control', 'no-store')
  goodbye(@Lang() language: Language, @Query('only') only: unknown): string {
    const { goodbye, goodbyeText, goodbyeHere, startAgain } = this.pages.texts(language);
    const text = only === 'here' ? goodbyeHere : goodbyeText;
    return this.pages.notice(language, goodbye, text, { href: '/', text: startAgain });
  }
}
