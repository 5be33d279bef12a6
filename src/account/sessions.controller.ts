import { Controller, Get, Header, Param, Post, Redirect, UseFilters, UseGuards } from '@nestjs/common';
import { CurrentSession, SessionAliveGuard, type SessionFacts } from 'nestjs-oneid-logout';
import { type Language } from '../html/language.js';
import { ErrorPageFilter } from '../pages/error-page.filter.js';
import { Lang } from '../pages/language.js';
import { SameOriginGuard } from '../pages/same-origin.guard.js';
import { pageTexts } from '../pages/texts.js';
import { MySessions } from './my-sessions.js';
import { sessionList } from './session-list.js';

/** The targets of the forms in the list of sessions, and the list itself, which an open page fetches again. */
@Controller('sessions')
@UseGuards(SameOriginGuard, SessionAliveGuard)
@UseFilters(ErrorPageFilter)
export class SessionsController {
  constructor(private readonly sessions: MySessions) {}

  @Get()
  @Header('Cache-Control', 'no-store')
  async list(@CurrentSession() session: SessionFacts, @Lang() language: Language): Promise<string> {
    return sessionList(await this.sessions.list(session), pageTexts[language]).toString();
  }

  @Post('end-others')
  @Redirect('/', 303)
  async endOthers(@CurrentSession() session: SessionFacts): Promise<void> {
    await this.sessions.endOthers(session);
  }

  @Post(':id/end')
  @Redirect('/', 303)
  async end(@CurrentSession() session: SessionFacts, @Param('id') id: string): Promise<void> {
    await this.sessions.end(session, id);
  }
}
