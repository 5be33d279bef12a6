import { Controller, Get, Header, UseGuards } from '@nestjs/common';
import { AllowAnonymous, CurrentSession, SessionAliveGuard, type SessionFacts } from 'nestjs-oneid-logout';
import { escapeHtml, page } from './page.js';

/** What the browser sees. */
@Controller()
export class PagesController {
  /** For everybody: a session that has ended is as good as none. */
  @Get()
  @UseGuards(SessionAliveGuard)
  @AllowAnonymous({ deadSession: 'anonymous' })
  @Header('Cache-Control', 'no-store')
  home(@CurrentSession() session: SessionFacts | undefined): string {
    if (session === undefined) return page('You are signed out', '<p><a href="/login">Sign in with OneID</a></p>');
    return page(
      'You are signed in',
      `<p>As <strong>${escapeHtml(session.sub ?? '')}</strong>. <a href="/me">What this app knows of you</a></p>
<form method="post" action="/logout"><button>Log out</button></form>`,
    );
  }

  /** Only with a session that lives: this is the line to copy to your own routes. */
  @Get('me')
  @UseGuards(SessionAliveGuard)
  @Header('Cache-Control', 'no-store')
  me(@CurrentSession() { sub, sid, issuer, registeredAt, expiresAt }: SessionFacts) {
    return { sub, sid, issuer, registeredAt, expiresAt };
  }

  @Get('goodbye')
  goodbye(): string {
    return page('Goodbye', '<p>You are logged out. <a href="/">Start again</a></p>');
  }
}
