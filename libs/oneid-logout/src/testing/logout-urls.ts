import { withQuery } from './with-query.js';

/**
 * The URL that OneID puts into an iframe: the client's `frontchannel_logout_uri` with `iss` and `sid` in its query. As
 * in Hydra, other parameters of the URI stay, and the keys are sorted.
 *
 * @param uri the client's `frontchannel_logout_uri`
 * @see {@link https://openid.net/specs/openid-connect-frontchannel-1_0.html#RPLogout Front-Channel Logout 1.0 §2}
 * @example
 * ```ts
 * import { frontchannelUrl } from 'nestjs-oneid-logout/testing';
 *
 * // loads the app's front-channel page as the iframe of OneID's page does
 * export const loadFrame = (app: string, iss: string, sid: string): Promise<Response> =>
 *   fetch(frontchannelUrl(`${app}/frontchannel_logout`, { iss, sid }), { headers: { 'Sec-Fetch-Dest': 'iframe' } });
 * ```
 */
export function frontchannelUrl(uri: string, parameters: { iss: string; sid: string }): string {
  return withQuery(uri, parameters);
}

/**
 * The URL to which OneID sends the browser after a logout: the `post_logout_redirect_uri` of the request, with the
 * request's `state` in its query. As in Hydra, `state` replaces a `state` of the URI, and the keys are sorted, even
 * without a `state`.
 *
 * @param uri the request's `post_logout_redirect_uri`
 * @param state the request's `state`
 * @see {@link https://openid.net/specs/openid-connect-rpinitiated-1_0.html#RedirectionAfterLogout RP-Initiated Logout 1.0 §3}
 * @example
 * ```ts
 * import { postLogoutUrl } from 'nestjs-oneid-logout/testing';
 *
 * // where a OneID of your own sends the browser after a logout
 * export const wayBack = (request: URLSearchParams): string =>
 *   postLogoutUrl(request.get('post_logout_redirect_uri') ?? '', request.get('state') ?? undefined);
 * ```
 */
export function postLogoutUrl(uri: string, state?: string): string {
  return withQuery(uri, state === undefined ? {} : { state });
}
