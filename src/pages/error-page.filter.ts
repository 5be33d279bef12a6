import { type ArgumentsHost, Catch, HttpException, NotFoundException } from '@nestjs/common';
import { BaseExceptionFilter, HttpAdapterHost } from '@nestjs/core';
import { type Request, type Response } from 'express';
import { isNavigation, SessionRejectedError } from 'nestjs-oneid-logout';
import { signInUrl } from './return-page.js';
import { Pages } from './pages.js';
import { type PageTexts } from './texts.js';

/** Answers errors with a page. Clients that prefer JSON get Nest's own answer. */
@Catch(HttpException)
export class ErrorPageFilter extends BaseExceptionFilter {
  constructor(
    { httpAdapter }: HttpAdapterHost,
    private readonly pages: Pages,
  ) {
    super(httpAdapter);
  }

  override catch(error: HttpException, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const request = http.getRequest<Request>();
    if (request.accepts(['html', 'json']) !== 'html') {
      super.catch(error, host);
      return;
    }
    if (error instanceof SessionRejectedError && error.reason === 'unconfirmed' && isPage(request)) {
      // after an outage: a user who is still signed in at OneID comes back to this page, another user sees OneID's form
      http.getResponse<Response>().setHeader('Cache-Control', 'no-store').redirect(303, signInUrl(request.path));
      return;
    }
    const page = this.pages.for(request);
    const { title, text, link } = contentOf(error, page.texts);
    http
      .getResponse<Response>()
      .status(error.getStatus())
      .setHeader('Cache-Control', 'no-store')
      .type('html')
      .send(page.notice(title, text, link));
  }
}

/** For the whole app: a page for unknown addresses. */
@Catch(NotFoundException)
export class NotFoundPageFilter extends ErrorPageFilter {}

/** Does the browser show the answer as a page? A script's `fetch` gets the 401. */
function isPage(request: Request): boolean {
  return request.method === 'GET' && isNavigation(request);
}

function contentOf(error: HttpException, texts: PageTexts) {
  if (error instanceof SessionRejectedError) {
    const { reason } = error;
    // only a logout ends all sessions that the browser sends; a new sign-in would leave the other one
    const link =
      reason === 'ambiguous'
        ? { href: '/logout', text: texts.logOut }
        : { href: '/login', text: reason === 'missing' ? texts.signIn : texts.signInAgain };
    return { title: texts.refusedTitle, text: texts.refused[reason], link };
  }
  const { crossSite, unavailable, other } = texts.failures;
  const status = error.getStatus();
  const text = status === 403 ? crossSite : status >= 500 ? unavailable : other;
  return { title: texts.failed, text, link: { href: '/', text: texts.back } };
}
