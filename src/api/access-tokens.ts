import { Injectable } from '@nestjs/common';
import { errors, type JWTHeaderParameters, type JWTPayload, jwtVerify } from 'jose';
import { ProviderSigningKeys } from 'nestjs-oneid-logout';
import { OneIdClient } from '../oneid/oneid-client.js';
import { OneId } from '../oneid/oneid.js';

/** Verifies OneID's access tokens when they are JWTs (RFC 9068). */
@Injectable()
export class AccessTokens {
  constructor(
    private readonly client: OneIdClient,
    private readonly oneId: OneId,
    private readonly keys: ProviderSigningKeys,
  ) {}

  /**
   * The claims of an access token for this API; undefined for any other token.
   *
   * @throws {ProviderUnavailableError} 503: OneID's configuration or keys can't be loaded
   */
  async verify(token: string): Promise<JWTPayload | undefined> {
    const { issuer } = (await this.client.configuration()).serverMetadata();
    const key = await this.keys.find(token);
    if (key === undefined) return undefined;
    try {
      const { payload, protectedHeader } = await jwtVerify(token, key, {
        issuer,
        audience: this.oneId.registration.apiAudience,
        algorithms: ['RS256'],
        requiredClaims: ['sub', 'iat', 'exp'],
        clockTolerance: 30,
      });
      return isAccessToken(protectedHeader, payload) ? payload : undefined;
    } catch (error) {
      if (error instanceof errors.JOSEError) return undefined;
      throw error;
    }
  }
}

/**
 * Tells an access token from the provider's other JWTs, which may have the API in their `aud`, too. Most providers do
 * not write the `typ` of RFC 9068 §2.1. Then the claims decide:
 *
 * - Only an ID token has `at_hash`, `c_hash` or `s_hash` (OpenID Connect Core §3.3.2.11, FAPI 1.0 part 2 §5.1), and only
 *   a logout token has `events` (Back-Channel Logout 1.0 §2.4).
 * - Keycloak writes the kind into the claim `typ`: `Bearer`, `ID`, `Logout`. Its access tokens had a `nonce` until
 *   version 24. Elsewhere a `nonce` means an ID token.
 * - An ID token has a client id in its `aud` (OpenID Connect Core §2), so a token for the API alone is none. Else an access
 *   token names its client or its scopes: Hydra writes `client_id` and `scp`, Keycloak `scope`.
 * - The client id in `aud` proves nothing: Keycloak and Zitadel also write it into access tokens.
 */
function isAccessToken({ typ }: JWTHeaderParameters, claims: JWTPayload): boolean {
  if (/^(application\/)?at\+jwt$/i.test(typ ?? '')) return true;
  if (['at_hash', 'c_hash', 's_hash', 'events'].some((name) => name in claims)) return false;
  const kind = claims['typ'];
  if (kind === 'ID' || kind === 'Logout' || (kind !== 'Bearer' && 'nonce' in claims)) return false;
  const isForApiAlone = typeof claims.aud === 'string' || claims.aud?.length === 1;
  return isForApiAlone || ['client_id', 'scope', 'scp'].some((name) => name in claims);
}
