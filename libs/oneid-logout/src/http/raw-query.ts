import { parseParameters } from './parameters.js';

/** The query as the client sent it; the host's query parser has no influence. */
export function rawQuery(request: object): URLSearchParams {
  const { originalUrl, url } = request as { originalUrl?: unknown; url?: unknown };
  const target = typeof originalUrl === 'string' ? originalUrl : String(url);
  const start = target.indexOf('?');
  return parseParameters(start === -1 ? '' : target.slice(start + 1));
}
