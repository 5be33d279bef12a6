import { type ArgumentsHost, Catch, type HttpException } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { type Request, type Response } from 'express';
import { SessionRejectedError } from 'nestjs-oneid-logout';
import { OneId } from '../oneid/oneid.js';
import { ErrorPageFilter } from '../pages/error-page.filter.js';
import { Pages } from '../pages/pages.js';
import { signedOutHome } from './home-page.js';

/** For the home page: shows it signed out when the session is over, unless OneID must only confirm the session. */
@Catch(SessionRejectedError)
export class HomePageFilter extends ErrorPageFilter {
  constructor(
    adapterHost: HttpAdapterHost,
    private readonly writers: Pages,
    private readonly oneId: OneId,
  ) {
    super(adapterHost, writers);
  }

  override catch(error: HttpException, host: ArgumentsHost): void {
    if (error instanceof SessionRejectedError && error.reason === 'unconfirmed') {
      super.catch(error, host);
      return;
    }
    const http = host.switchToHttp();
    const page = signedOutHome(this.writers.for(http.getRequest<Request>()), this.oneId.embedded !== undefined);
    http.getResponse<Response>().setHeader('Cache-Control', 'no-store').type('html').send(page);
  }
}
