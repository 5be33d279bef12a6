import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { parseCookie } from 'cookie';
import { type NextFunction, type Request, type Response } from 'express';
import { firstLanguage, type Language } from '../html/language.js';

const COOKIE = 'language';
const A_YEAR = 365 * 24 * 60 * 60 * 1000;

/** The language that the user chose, now or earlier; otherwise the browser's preference, or English. */
export function languageOf(request: Request): Language {
  const { cookie = '' } = request.headers;
  return (
    firstLanguage([
      chosenIn(request),
      parseCookie(cookie)[COOKIE],
      request.acceptsLanguages('en', 'vi') || undefined,
    ]) ?? 'en'
  );
}

/** Stores the language of a link with `?lang=` in a cookie. */
export function keepLanguage(request: Request, response: Response, next: NextFunction): void {
  const chosen = firstLanguage([chosenIn(request)]);
  if (chosen !== undefined) response.cookie(COOKIE, chosen, { path: '/', sameSite: 'lax', maxAge: A_YEAR });
  next();
}

/** Decorates a route's parameter: the language of the answer. */
export const Lang = createParamDecorator((_data: unknown, context: ExecutionContext) =>
  languageOf(context.switchToHttp().getRequest<Request>()),
);

function chosenIn({ query }: Request): string | undefined {
  return typeof query['lang'] === 'string' ? query['lang'] : undefined;
}
