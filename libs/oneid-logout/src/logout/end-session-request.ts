import { decodeJwt } from 'jose';
import { InvalidLogoutRequestError } from '../oneid-logout.errors.js';
import { type OneIdClient } from '../provider/oneid-clients.js';

/** The request that takes the browser to OneID: as a URL to go to, or as a form to submit when that is too long. */
export interface EndSessionRequest {
  readonly method: 'GET' | 'POST';
  /** Where to send the browser, everything included; too long for many servers when the method is POST. */
  readonly url: string;
  /** The endpoint alone, for a form with these fields. */
  readonly action: string;
  readonly fields: Readonly<Record<string, string>>;
}

export interface EndSessionParameters {
  readonly idTokenHint?: string | undefined;
  readonly state?: string | undefined;
  readonly logoutHint?: string | undefined;
  readonly uiLocales?: string | undefined;
  /** Further parameters of the provider's own. */
  readonly parameters?: Readonly<Record<string, string>> | undefined;
}

/** Beyond this length servers begin to refuse a URL (414): characters. */
export const MAX_URL_LENGTH = 7_000;

const RESERVED = ['id_token_hint', 'client_id', 'logout_hint', 'post_logout_redirect_uri', 'state', 'ui_locales'];

/** @throws {InvalidLogoutRequestError} 400 `parameter_reserved`: a further parameter that has an option of its own */
export function refuseReserved(parameters: Readonly<Record<string, string>> = {}): void {
  const reserved = Object.keys(parameters).find((name) => RESERVED.includes(name));
  if (reserved !== undefined) {
    throw new InvalidLogoutRequestError('parameter_reserved', `The parameter ${reserved} has an option of its own`);
  }
}

/**
 * Builds the logout request (OpenID Connect RP-Initiated Logout 1.0 §2).
 *
 * Without a hint it carries neither `state` nor `post_logout_redirect_uri`: OneID answers those with an error page from
 * which the browser never comes back.
 *
 * @param endpoint the provider's `end_session_endpoint`, which may carry a query
 */
export function endSessionRequest(
  endpoint: string,
  client: Pick<OneIdClient, 'clientId' | 'postLogoutRedirectUri' | 'statePlacement'>,
  parameters: EndSessionParameters,
): EndSessionRequest {
  const { idTokenHint, state, logoutHint, uiLocales } = parameters;
  const { clientId, postLogoutRedirectUri, statePlacement } = client;
  const inside = state !== undefined && statePlacement !== 'parameter';
  const fields = {
    ...parameters.parameters,
    ...(idTokenHint !== undefined && {
      id_token_hint: idTokenHint,
      post_logout_redirect_uri: inside ? withParameters(postLogoutRedirectUri, { state }) : postLogoutRedirectUri,
      ...(state !== undefined && statePlacement !== 'redirectUri' && { state }),
    }),
    client_id: clientId,
    ...(logoutHint !== undefined && { logout_hint: logoutHint }),
    ...(uiLocales !== undefined && { ui_locales: uiLocales }),
  };
  const url = withParameters(endpoint, fields);
  return { method: url.length > MAX_URL_LENGTH ? 'POST' : 'GET', url, action: endpoint, fields };
}

/**
 * Can OneID take this ID token as a hint? It may have expired, but must be of this client and, when the session has a
 * `sid`, of that login. A hint it can't take ends on its error page, none at all on its own logout page.
 *
 * @param issuer what the provider calls itself today: a token from before it changed its trailing slash is no hint
 */
export function isUsableHint(idToken: string, issuer: string, clientId: string, sid: string | undefined): boolean {
  try {
    const { iss, aud, sub, iat, ...claims } = decodeJwt(idToken);
    return (
      iss === issuer &&
      [aud].flat().includes(clientId) &&
      sub !== undefined &&
      iat !== undefined &&
      (sid === undefined || claims['sid'] === sid)
    );
  } catch {
    return false;
  }
}

/** Adds to the query and leaves the rest of the URL as it is, character for character. */
function withParameters(url: string, parameters: Record<string, string>): string {
  const query = new URLSearchParams(parameters).toString();
  return `${url}${url.includes('?') ? '&' : '?'}${query}`;
}
