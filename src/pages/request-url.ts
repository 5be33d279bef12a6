import { type Request } from 'express';

/**
 * The request's URL at this app.
 *
 * @param baseUrl this app's origin. It replaces the origin of an absolute-form target (RFC 9112 §3.2.2), because the
 *   client may write any there
 */
export function requestUrl({ originalUrl }: Request, baseUrl: string): URL {
  const target = originalUrl.replace(/^[a-z][a-z\d+.-]*:\/\/[^/?#]*/i, '');
  return new URL(baseUrl + (target.startsWith('/') ? target : `/${target}`));
}
