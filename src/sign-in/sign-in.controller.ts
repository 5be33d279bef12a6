import { BadRequestException, Controller, Get, Req, Res, UseFilters } from '@nestjs/common';
import { parseCookie } from 'cookie';
import { type Request, type Response } from 'express';
import { SessionEndedError } from 'nestjs-oneid-logout';
import { Settings } from '../settings.js';
import { sessionCookie } from './session-cookie.js';
import { SignInFailedFilter } from './sign-in-failed.filter.js';
import { SignInTransactions } from './sign-in-transactions.js';
import { SignInService } from './sign-in.service.js';

/** Takes the browser to OneID, and signs it in when it comes back. */
@Controller('login')
@UseFilters(SignInFailedFilter)
export class SignInController {
  constructor(
    private readonly signIn: SignInService,
    private readonly transactions: SignInTransactions,
    private readonly settings: Settings,
  ) {}

  @Get()
  async start(@Req() request: Request, @Res() response: Response): Promise<void> {
    await this.sendToOneId(request, response, false);
  }

  @Get('callback')
  async finish(@Req() request: Request, @Res() response: Response): Promise<void> {
    const query = new URL(request.originalUrl, this.settings.baseUrl).searchParams;
    const { cookie: cookies } = request.headers;
    const transaction = await this.transactions.take(response, query.get('state') ?? '', cookies);
    if (transaction === undefined) {
      throw new BadRequestException('This sign-in was not started in this browser, is too old, or is used already.');
    }
    const { name, ...attributes } = sessionCookie(this.settings.baseUrl);
    try {
      const session = await this.signIn.complete(query, transaction, parseCookie(cookies ?? '')[name]);
      response.cookie(name, session.id, attributes);
      response.redirect(303, '/');
    } catch (error) {
      // a logout has overtaken this sign-in: a fresh login, once, so that nothing can loop
      if (!(error instanceof SessionEndedError) || transaction.isSecondTry) throw error;
      await this.sendToOneId(request, response, true);
    }
  }

  private async sendToOneId(request: Request, response: Response, isSecondTry: boolean): Promise<void> {
    const { url, transaction } = await this.signIn.begin(isSecondTry);
    await this.transactions.keep(response, transaction, request.headers.cookie);
    response.setHeader('Cache-Control', 'no-store');
    response.redirect(303, url);
  }
}
