import { type ArgumentsHost, Catch, HttpException } from '@nestjs/common';
import { BaseExceptionFilter, HttpAdapterHost } from '@nestjs/core';
import { type Request, type Response } from 'express';
import { SessionRejectedError } from 'nestjs-oneid-logout';
import { languageOf } from './language.js';
import { Pages } from './page.js';
import { type PageTexts } from './texts.js';

/** Errors of pages are pages; programs that accept JSON only get Nest's own answer. */
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
    const language = languageOf(request);
    const texts = this.pages.texts(language);
    const { title, text, link } = contentOf(error, texts);
    http
      .getResponse<Response>()
      .status(error.getStatus())
      .setHeader('Cache-Control', 'no-store')
      .type('html')
      .send(this.pages.notice(language, title, text, link));
  }
}

function contentOf(error: HttpException, texts: PageTexts) {
  if (error instanceof SessionRejectedError) {
    const link = { href: '/login', text: texts.signInAgain };
    return { title: texts.refusedTitle, text: texts.refused[error.reason], link };
  }
  const { crossSite, unavailable, other } = texts.failures;
  const status = error.getStatus();
  const text = status === 403 ? crossSite : status >= 500 ? unavailable : other;
  return { title: texts.failed, text, link: { href: '/', text: texts.back } };
}
