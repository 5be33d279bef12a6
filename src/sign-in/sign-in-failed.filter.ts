import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException, Logger } from '@nestjs/common';
import { type Request, type Response } from 'express';
import { InvalidIdTokenError, ProviderMisconfiguredError, SessionEndedError } from 'nestjs-oneid-logout';
import {
  AuthorizationResponseError,
  ClientError,
  ResponseBodyError,
  WWWAuthenticateChallengeError,
} from 'openid-client';
import { Pages } from '../pages/pages.js';
import { type PageTexts } from '../pages/texts.js';
import { NoNavigationError } from './navigation.guard.js';
import { UnknownTransactionError } from './sign-in-transactions.js';

const OF_ONEID = [ClientError, ResponseBodyError, WWWAuthenticateChallengeError];

interface Failure {
  readonly status: number;
  readonly text: (texts: PageTexts) => string;
}

/** Turns every failure of a sign-in into a page with a link to try again. */
@Catch()
export class SignInFailedFilter implements ExceptionFilter {
  private readonly logger = new Logger('SignIn');

  constructor(private readonly pages: Pages) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const { status, text } = failureOf(error);
    if (status >= 500) this.logger.error(`A sign-in failed: ${describe(error)}`);
    // for the developer: it may need an option of the client, and the page does not say which
    else if (isAboutIdToken(error)) this.logger.warn(`A sign-in was refused: ${describe(error)}`);
    const http = host.switchToHttp();
    // a callback works once, so the language links start a new sign-in, too
    const page = this.pages.for(http.getRequest<Request>(), '/login');
    const { texts } = page;
    http
      .getResponse<Response>()
      .status(status)
      .setHeader('Cache-Control', 'no-store')
      .type('html')
      .send(page.notice(texts.notSignedIn, text(texts), { href: '/login', text: texts.signInAgain }));
  }
}

function failureOf(error: unknown): Failure {
  if (error instanceof AuthorizationResponseError) {
    return { status: 400, text: (texts) => texts.refusedByOneId(error.error) };
  }
  if (error instanceof ProviderMisconfiguredError) {
    return { status: 500, text: (texts) => texts.misconfigured(error.message) };
  }
  const [status, reason] = statusAndReasonOf(error);
  return { status, text: (texts) => texts.signInFailures[reason] };
}

function statusAndReasonOf(error: unknown): [number, keyof PageTexts['signInFailures']] {
  if (error instanceof ResponseBodyError && error.error === 'invalid_grant') return [400, 'code'];
  if (error instanceof UnknownTransactionError) return [400, 'transaction'];
  if (error instanceof NoNavigationError) return [403, 'noNavigation'];
  if (error instanceof SessionEndedError) return [401, 'overtaken'];
  if (isAboutIdToken(error)) return [401, 'idToken'];
  if (error instanceof HttpException && error.getStatus() === 503) return [503, 'notNow'];
  if (isUnreachable(error)) return [503, 'unreachable'];
  if (OF_ONEID.some((type) => error instanceof type)) return [502, 'unusable'];
  return [500, 'internal'];
}

/** openid-client checks the ID token before the library does. Only its messages tell this fault from others. */
function isAboutIdToken(error: unknown): boolean {
  if (error instanceof InvalidIdTokenError) return true;
  if (!(error instanceof ClientError) || !(error.cause instanceof Error)) return false;
  return /\bJW[TE]\b|\bID Token\b|"id_token"/.test(error.cause.message);
}

/** The message identifies `fetch`'s network error, which has no class of its own. openid-client may wrap the error. */
function isUnreachable(error: unknown): boolean {
  if (error instanceof ClientError && error.code === 'OAUTH_TIMEOUT') return true;
  const origin = error instanceof ClientError ? error.cause : error;
  return typeof origin === 'object' && origin !== null && 'message' in origin && origin.message === 'fetch failed';
}

/** Describes an error for the log, without OneID's answer, because the answer may hold tokens. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown error';
  const cause = error.cause instanceof Error ? ` (${error.cause.message})` : '';
  return `${error.name}: ${error.message}${cause}`;
}
