import { decodeJwt } from 'jose';
import { InvalidLogoutRequestError } from '../oneid-logout.errors.js';
import { type OneIdClient } from '../provider/oneid-clients.js';

/** The request that takes the browser to OneID: a URL to open, or a form to submit when the URL is too long. */
export interface EndSessionRequest {
  /** How the browser sends it: GET opens `url`, POST submits `fields` to `action`. */
  readonly method: 'GET' | 'POST';
  /** The URL with all parameters. When `method` is POST, it is too long for many servers. */
  readonly url: string;
  /** The endpoint without the parameters: the `action` of a form with `fields`. */
  readonly action: string;
  /** The parameters by name (RP-Initiated Logout 1.0 §2). They may contain the ID token: do not log them. */
  readonly fields: Readonly<Record<string, string>>;
}

export interface EndSessionParameters {
  readonly idTokenHint?: string | undefined;
  readonly state?: string | undefined;
  readonly logoutHint?: string | undefined;
  readonly uiLocales?: string | undefined;
  /** Additional parameters that the provider understands. */
  readonly parameters?: Readonly<Record<string, string>> | undefined;
}

/** Longest URL for a GET, characters: servers begin to refuse longer URLs with 414. */
export const MAX_URL_LENGTH = 7_000;

const RESERVED = ['id_token_hint', 'client_id', 'logout_hint', 'post_logout_redirect_uri', 'state', 'ui_locales'];

/** @throws {InvalidLogoutRequestError} 400 `parameter_reserved`: a name in `parameters` that the library itself sets */
export function refuseReserved(parameters: Readonly<Record<string, string>> = {}): void {
  const reserved = Object.keys(parameters).find((name) => RESERVED.includes(name));
  if (reserved !== undefined) {
    throw new InvalidLogoutRequestError(
      'parameter_reserved',
      `parameters must not contain ${reserved}: the library sets it`,
    );
  }
}

/**
 * Builds the logout request (OpenID Connect RP-Initiated Logout 1.0 §2).
 *
 * Without `idTokenHint`, the request has no `state` and no `post_logout_redirect_uri`, unless the client has the option
 * `hintlessLogout`. OneID would answer them with an error page, and the browser would not come back to the app.
 *
 * @param endpoint the provider's `end_session_endpoint`, which may carry a query
 */
export function endSessionRequest(
  endpoint: string,
  client: Pick<OneIdClient, 'clientId' | 'postLogoutRedirectUri' | 'statePlacement'> & {
    readonly hintlessLogout?: boolean;
  },
  parameters: EndSessionParameters,
): EndSessionRequest {
  const { idTokenHint, state, logoutHint, uiLocales } = parameters;
  const { clientId, postLogoutRedirectUri, statePlacement, hintlessLogout = false } = client;
  const inside = state !== undefined && statePlacement !== 'parameter';
  const fields = {
    ...parameters.parameters,
    ...(idTokenHint !== undefined && { id_token_hint: idTokenHint }),
    ...((idTokenHint !== undefined || hintlessLogout) && {
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
 * Can OneID accept this ID token as `id_token_hint`? The token may have expired. It must be for this client, and it
 * must have the session's `sid` if the session has one. OneID shows an error page for a hint that it can't accept, but
 * its normal logout page for a request without a hint.
 *
 * @param issuer the provider's issuer today; a token from before the issuer's trailing slash changed can't be a hint
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

/** Adds parameters to the query. The rest of the URL stays exactly the same. */
function withParameters(url: string, parameters: Record<string, string>): string {
  const query = new URLSearchParams(parameters).toString();
  return `${url}${url.includes('?') ? '&' : '?'}${query}`;
}
