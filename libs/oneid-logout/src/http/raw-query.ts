/** The query as it was sent, whatever the host's query parser makes of it. */
export function rawQuery(request: object): URLSearchParams {
  const { originalUrl, url } = request as { originalUrl?: unknown; url?: unknown };
  const target = typeof originalUrl === 'string' ? originalUrl : String(url);
  const start = target.indexOf('?');
  return new URLSearchParams(start === -1 ? '' : target.slice(start + 1));
}
