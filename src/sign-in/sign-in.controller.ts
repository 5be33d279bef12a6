import { Controller, Get, Req, Res, UseFilters, UseGuards } from '@nestjs/common';
import { parseCookie } from 'cookie';
import { type Request, type Response } from 'express';
import { SessionEndedError } from 'nestjs-oneid-logout';
import { AuthorizationResponseError, ResponseBodyError } from 'openid-client';
import { type Language } from '../html/language.js';
import { Lang } from '../pages/language.js';
import { requestUrl } from '../pages/request-url.js';
import { Settings } from '../settings.js';
import { deviceOf } from './device.js';
import { NavigationGuard } from './navigation.guard.js';
import { returnPageOf } from '../pages/return-page.js';
import { loggedOutHereCookie, sessionCookie } from './session-cookie.js';
import { SignInFailedFilter } from './sign-in-failed.filter.js';
import { type SignInTransaction, SignInTransactions, UnknownTransactionError } from './sign-in-transactions.js';
import { type BeginOptions, SignInService } from './sign-in.service.js';

/**
 * Sends the browser to OneID, and signs the user in when the browser comes back. Two failures pass by themselves, so the
 * app tries once more; a second failure is shown, so the browser can't loop.
 *
 * - A logout has ended the new session, because OneID gave the old `sid` again, or because a logout that names only the
 *   user came in the same second. The app asks for a new login, one second later.
 * - OneID refuses soon after a logout from this app only. That logout revokes the refresh token in the background, and
 *   some providers, such as Keycloak, then end the login under the sign-in.
 */
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
    const returnTo = returnPageOf(requestUrl(request, this.settings.baseUrl).searchParams.get('returnTo'));
    await this.sendToOneId(request, response, { isSecondTry: false, returnTo, language });
  }

  @Get('callback')
  async finish(@Req() request: Request, @Res() response: Response, @Lang() language: Language): Promise<void> {
    const query = requestUrl(request, this.settings.baseUrl).searchParams;
    const { cookie: cookies, 'user-agent': userAgent } = request.headers;
    const transaction = await this.transactions.take(response, query.get('state') ?? '', cookies);
    if (transaction === undefined) {
      throw new UnknownTransactionError();
    }
    const { name, ...attributes } = sessionCookie(this.settings);
    try {
      const { sessionToken } = await this.signIn.complete(query, transaction, {
        // a browser may have several cookies of one name
        replaces: (cookies ?? '').split(';').flatMap((pair) => parseCookie(pair)[name] ?? []),
        device: deviceOf(userAgent),
      });
      response.cookie(name, sessionToken, attributes);
      response.redirect(303, transaction.returnTo);
    } catch (error) {
      const again = this.secondTryAfter(error, transaction, cookies);
      if (again === undefined) throw error;
      if (again.newLogin) await this.signIn.nextSecond();
      await this.sendToOneId(request, response, {
        ...again,
        isSecondTry: true,
        returnTo: transaction.returnTo,
        language,
      });
    }
  }

  private secondTryAfter(
    error: unknown,
    { isSecondTry }: SignInTransaction,
    cookies = '',
  ): Pick<BeginOptions, 'newLogin'> | undefined {
    if (isSecondTry) return undefined;
    if (error instanceof SessionEndedError) return { newLogin: true };
    const refused =
      error instanceof ResponseBodyError ||
      (error instanceof AuthorizationResponseError && error.error !== 'access_denied');
    const loggedOutHere = parseCookie(cookies)[loggedOutHereCookie(this.settings).name] !== undefined;
    return refused && loggedOutHere ? { newLogin: false } : undefined;
  }

  private async sendToOneId(request: Request, response: Response, options: BeginOptions): Promise<void> {
    const { url, transaction } = await this.signIn.begin(options);
    await this.transactions.keep(response, transaction, request.headers.cookie);
    response.setHeader('Cache-Control', 'no-store');
    response.redirect(303, url);
  }
}
