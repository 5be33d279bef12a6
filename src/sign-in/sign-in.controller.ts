import { Controller, Get, Req, Res, UseFilters, UseGuards } from '@nestjs/common';
import { parseCookie } from 'cookie';
import { type Request, type Response } from 'express';
import { SessionEndedError } from 'nestjs-oneid-logout';
import { type Language } from '../html/language.js';
import { Lang } from '../pages/language.js';
import { Settings } from '../settings.js';
import { deviceOf } from './device.js';
import { NavigationGuard } from './navigation.guard.js';
import { sessionCookie } from './session-cookie.js';
import { SignInFailedFilter } from './sign-in-failed.filter.js';
import { SignInTransactions, UnknownTransactionError } from './sign-in-transactions.js';
import { type BeginOptions, SignInService } from './sign-in.service.js';

/** Sends the browser to OneID, and signs the user in when the browser comes back. */
@Controller('login')
@UseGuards(NavigationGuard)
@UseFilters(SignInFailedFilter)
export class SignInController {
  constructor(
    private readonly signIn: SignInService,
    private readonly transactions: SignInTransactions,
    private readonly settings: Settings,
  ) {}

  @Get()
  async start(@Req() request: Request, @Res() response: Response, @Lang() language: Language): Promise<void> {
    await this.sendToOneId(request, response, { isSecondTry: false, language });
  }

  @Get('callback')
  async finish(@Req() request: Request, @Res() response: Response, @Lang() language: Language): Promise<void> {
    const query = new URL(request.originalUrl, this.settings.baseUrl).searchParams;
    const { cookie: cookies, 'user-agent': userAgent } = request.headers;
    const transaction = await this.transactions.take(response, query.get('state') ?? '', cookies);
    if (transaction === undefined) {
      throw new UnknownTransactionError();
    }
    const { name, ...attributes } = sessionCookie(this.settings);
    try {
      const { sessionToken } = await this.signIn.complete(query, transaction, {
        replaces: parseCookie(cookies ?? '')[name],
        device: deviceOf(userAgent),
      });
      response.cookie(name, sessionToken, attributes);
      response.redirect(303, '/');
    } catch (error) {
      // a logout has overtaken this sign-in: ask OneID for a new login, but only once, so the browser can't loop
      if (!(error instanceof SessionEndedError) || transaction.isSecondTry) throw error;
      await this.sendToOneId(request, response, { isSecondTry: true, language });
    }
  }

  private async sendToOneId(request: Request, response: Response, options: BeginOptions): Promise<void> {
    const { url, transaction } = await this.signIn.begin(options);
    await this.transactions.keep(response, transaction, request.headers.cookie);
    response.setHeader('Cache-Control', 'no-store');
    response.redirect(303, url);
  }
}
