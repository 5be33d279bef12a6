import { type HttpAnswer } from './http-answer.js';

/**
 * The parts of a request that tell why a browser sent it. Express and Fastify both have them.
 *
 * @inline
 */
interface BrowserRequest {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

/**
 * Headers of a request whose answer the user may never see: the standard's, those of older browsers (Chrome, Safari,
 * Firefox), and those of scripts that fetch a page before a click (Turbo, Next.js). Other requests do not have them, so
 * their values do not matter.
 */
const PREFETCH_HEADERS = ['sec-purpose', 'purpose', 'x-purpose', 'x-moz', 'x-sec-purpose', 'next-router-prefetch'];

/** Does the request load a page before the user asks for it (prefetch, prerender, preview)? */
export function isPrefetch({ headers }: BrowserRequest): boolean {
  return PREFETCH_HEADERS.some((name) => headers[name] !== undefined && headers[name] !== '');
}

/**
 * Modes of a navigation (Fetch Metadata §2.2). A browser's `cors` request is none, but it also has a destination other
 * than `document`. Node's own `fetch` sends `cors` without a destination, so a program without a browser may pass.
 */
const MODES: readonly unknown[] = ['navigate', 'cors', undefined];

/**
 * A service worker that passes a navigation on, with `respondWith(fetch(event.request))`, leaves the mode but empties
 * the destination (Chromium). A script can't make a request of this mode.
 */
const isPassedOn = (mode: unknown, dest: unknown) => mode === 'navigate' && dest === 'empty';

/**
 * Did the browser send this request to show its answer as a page? False for a prefetch, an image, a frame, a script's
 * `fetch` and a HEAD request. Browsers without the `Sec-Fetch-` headers say less, so their images count as navigations;
 * a frame counts as one, too, if a service worker of this site has passed its request on.
 *
 * Use it in a route that acts on a GET, for example the one that starts a sign-in. Answer 403 with `no-store`: a browser
 * would keep a redirect or a 204 of a prefetch, and use it when the user follows the link.
 *
 * @param request the framework's request (Fetch Metadata, `Sec-Fetch-Mode` and `Sec-Fetch-Dest`)
 * @category Guard and decorators
 * @example
 * ```ts
 * import { Controller, ForbiddenException, Get, Header, Redirect, Req } from '@nestjs/common';
 * import { isNavigation, type SessionRequest } from 'nestjs-oneid-logout';
 *
 * @Controller('login')
 * export class LoginController {
 *   @Get()
 *   @Header('Cache-Control', 'no-store')
 *   @Redirect()
 *   start(@Req() request: SessionRequest) {
 *     if (!isNavigation(request)) throw new ForbiddenException();
 *     return { url: 'https://oauth-qc.vinid.dev/oauth2/auth' }; // with the parameters of your sign-in
 *   }
 * }
 * ```
 */
export function isNavigation(request: BrowserRequest): boolean {
  const { 'sec-fetch-mode': mode, 'sec-fetch-dest': dest = 'document' } = request.headers;
  const { method } = request as { readonly method?: unknown };
  const destFits = dest === 'document' || isPassedOn(mode, dest);
  return method !== 'HEAD' && MODES.includes(mode) && destFits && !isPrefetch(request);
}

/**
 * Refuses a prefetch. A browser discards an answer with such a status and loads the page again when the user asks for
 * it. It would keep a 204 or a redirect and show it then.
 */
export const prefetchRefusal: HttpAnswer = {
  status: 403,
  headers: { 'Content-Type': 'text/plain; charset=utf-8' },
  body: 'This address must not be prefetched.',
};
