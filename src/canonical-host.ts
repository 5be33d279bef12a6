import { type NextFunction, type Request, type Response } from 'express';
import { type Settings } from './settings.js';

const LOOPBACK = ['localhost', '127.0.0.1', '[::1]'];

/**
 * On one's own machine one types `localhost` for `127.0.0.1`, or the other way round. To a browser these are two sites, and a
 * sign-in that starts at one can't end at the other.
 */
export function canonicalHost({ baseUrl }: Settings) {
  const { hostname, port } = new URL(baseUrl);
  return (request: Request, response: Response, next: NextFunction): void => {
    const elsewhere = LOOPBACK.filter((name) => name !== hostname).some(
      (name) => request.headers.host === `${name}:${port}`,
    );
    if (request.method !== 'GET' || !LOOPBACK.includes(hostname) || !elsewhere) next();
    else response.redirect(303, baseUrl + request.originalUrl);
  };
}
