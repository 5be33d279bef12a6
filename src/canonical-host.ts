import { type NextFunction, type Request, type Response } from 'express';
import { requestUrl } from './pages/request-url.js';
import { type Settings } from './settings.js';

const LOOPBACK = ['localhost', '127.0.0.1', '[::1]'];

/**
 * Redirects GET requests from another loopback name to the name in `baseUrl`. A developer may type `localhost` for
 * `127.0.0.1`. To a browser these are two sites, so a sign-in that starts at one can't end at the other.
 */
export function canonicalHost({ baseUrl }: Settings) {
  const { hostname, port } = new URL(baseUrl);
  return (request: Request, response: Response, next: NextFunction): void => {
    const elsewhere = LOOPBACK.filter((name) => name !== hostname).some(
      (name) => request.headers.host === `${name}:${port}`,
    );
    if (request.method !== 'GET' || !LOOPBACK.includes(hostname) || !elsewhere) next();
    else response.redirect(303, requestUrl(request, baseUrl).href);
  };
}
