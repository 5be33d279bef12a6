import { compactVerify, type JWTPayload } from 'jose';
import { postLogoutUrl, type SigningKey } from 'nestjs-oneid-logout/testing';
import { errors } from 'oidc-provider';
import type { EmbeddedClients } from './embedded-client.js';

/** A valid request to the logout endpoint. */
export interface LogoutRequest {
  /** The browser login of the hint. Absent without a hint: OneID then uses the login of the browser's cookie. */
  sid?: string;
  /** The client that the hint was issued to. */
  clientId?: string;
  /** The URL to which the browser goes afterwards; absent: OneID's own page. */
  next?: string;
}

export interface LogoutRules {
  issuer: string;
  clients: EmbeddedClients;
  key: SigningKey;
}

/** Checks a logout request by Hydra's rules. @throws errors.InvalidRequest; the browser then stays at OneID */
export async function readLogoutRequest(parameters: URLSearchParams, rules: LogoutRules): Promise<LogoutRequest> {
  const hint = parameters.get('id_token_hint');
  const redirectUri = parameters.get('post_logout_redirect_uri');
  const state = parameters.get('state');

  if (!hint) {
    if (redirectUri || state) {
      throw new errors.InvalidRequest('post_logout_redirect_uri and state need an id_token_hint');
    }
    return {};
  }
  const { sid, client } = await readHint(hint, rules);
  const { clientId } = client;
  if (!redirectUri) {
    return { sid, clientId };
  }
  if (!client.postLogoutRedirectUris.includes(redirectUri)) {
    throw new errors.InvalidRequest('post_logout_redirect_uri is not registered for this client');
  }
  return { sid, clientId, next: postLogoutUrl(redirectUri, state || undefined) };
}

async function readHint(hint: string, { issuer, clients, key }: LogoutRules) {
  const { iss, aud, sid, sub, iat } = await verifiedClaims(hint, key).catch((): JWTPayload => {
    throw new errors.InvalidRequest('id_token_hint is not an ID token of this issuer');
  });
  if (iss !== issuer || !sub || typeof sid !== 'string' || typeof iat !== 'number') {
    throw new errors.InvalidRequest('id_token_hint lacks iss, sub, sid or iat');
  }
  if (iat > Date.now() / 1000) {
    throw new errors.InvalidRequest('id_token_hint was issued in the future');
  }
  const client = [aud].flat().map((id) => clients.get(id ?? ''))[0];
  if (!client) {
    throw new errors.InvalidRequest('id_token_hint has an aud that is not a client of this issuer');
  }
  return { sid, client };
}

/** The claims of an ID token, even an expired one, because a logout may come later. @throws jose's errors */
async function verifiedClaims(hint: string, { alg, publicJwk }: SigningKey): Promise<JWTPayload> {
  const { payload } = await compactVerify(hint, publicJwk, { algorithms: [alg] });
  return JSON.parse(new TextDecoder().decode(payload)) as JWTPayload;
}
