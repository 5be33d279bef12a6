import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException, Logger } from '@nestjs/common';
import { type Response } from 'express';
import { SessionEndedError } from 'nestjs-oneid-logout';
import {
  AuthorizationResponseError,
  ClientError,
  ResponseBodyError,
  WWWAuthenticateChallengeError,
} from 'openid-client';
import { escapeHtml, page } from '../pages/page.js';

const OF_ONEID = [ClientError, ResponseBodyError, WWWAuthenticateChallengeError];

interface Failure {
  readonly status: number;
  readonly text: string;
}

/** Every failure of a sign-in becomes a page from which the user can try again. */
@Catch()
export class SignInFailedFilter implements ExceptionFilter {
  private readonly logger = new Logger('SignIn');

  catch(error: unknown, host: ArgumentsHost): void {
    const { status, text } = failureOf(error);
    if (status >= 500) this.logger.error(`A sign-in failed: ${describe(error)}`);
    host
      .switchToHttp()
      .getResponse<Response>()
      .status(status)
      .setHeader('Cache-Control', 'no-store')
      .send(page('You are not signed in', `<p>${escapeHtml(text)}</p>\n<p><a href="/login">Sign in again</a></p>`));
  }
}

function failureOf(error: unknown): Failure {
  if (error instanceof AuthorizationResponseError) {
    return { status: 400, text: `OneID did not sign you in: ${error.error}` };
  }
  if (error instanceof ResponseBodyError && error.error === 'invalid_grant') {
    return { status: 400, text: 'OneID does not accept this sign-in any more.' };
  }
  if (error instanceof SessionEndedError) {
    return { status: error.getStatus(), text: 'You were logged out while you signed in.' };
  }
  if (error instanceof HttpException) {
    const status = error.getStatus();
    return {
      status,
      text: status === 503 ? 'Signing in is not possible just now, please wait a moment.' : error.message,
    };
  }
  if (isUnreachable(error)) {
    return { status: 503, text: 'OneID could not be reached just now, please wait a moment.' };
  }
  if (OF_ONEID.some((type) => error instanceof type)) {
    return { status: 502, text: 'OneID gave an answer that this app can not use.' };
  }
  return { status: 500, text: 'Something went wrong here.' };
}

/** `fetch` has no better name for it, and openid-client at times wraps it. */
function isUnreachable(error: unknown): boolean {
  if (error instanceof ClientError && error.code === 'OAUTH_TIMEOUT') return true;
  const origin = error instanceof ClientError ? error.cause : error;
  return typeof origin === 'object' && origin !== null && 'message' in origin && origin.message === 'fetch failed';
}

/** Never the answer itself: it may hold tokens. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown error';
  const cause = error.cause instanceof Error ? ` (${error.cause.message})` : '';
  return `${error.name}: ${error.message}${cause}`;
}
