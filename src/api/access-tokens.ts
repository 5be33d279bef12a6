import { Injectable } from '@nestjs/common';
import { createRemoteJWKSet, errors, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from 'jose';
import { ProviderUnavailableError } from 'nestjs-oneid-logout';
import { OneIdClient } from '../oneid/oneid-client.js';
import { OneId } from '../oneid/oneid.js';

/** Verifies OneID's access tokens when they are JWTs (RFC 9068). */
@Injectable()
export class AccessTokens {
  private keys: JWTVerifyGetKey | undefined;

  constructor(
    private readonly client: OneIdClient,
    private readonly oneId: OneId,
  ) {}

  /**
   * The claims of an access token for this API; undefined for any other token.
   *
   * @throws {ProviderUnavailableError} 503: OneID's configuration or keys can't be loaded
   */
  async verify(token: string): Promise<JWTPayload | undefined> {
    const { issuer, jwks_uri = '' } = (await this.client.configuration()).serverMetadata();
    this.keys ??= createRemoteJWKSet(new URL(jwks_uri));
    try {
      const { payload } = await jwtVerify(token, this.keys, {
        issuer,
        audience: this.oneId.registration.apiAudience,
        algorithms: ['RS256'],
        requiredClaims: ['sub', 'iat', 'exp'],
        clockTolerance: 30,
      });
      return payload;
    } catch (error) {
      if (keysFailed(error)) throw new ProviderUnavailableError("OneID's keys are not available, try again", error);
      return undefined;
    }
  }
}

/** True when OneID's keys could not be loaded or used; the token itself may be valid. */
function keysFailed(error: unknown): boolean {
  if (!(error instanceof errors.JOSEError)) return true;
  return ['ERR_JWKS_TIMEOUT', 'ERR_JWKS_INVALID', 'ERR_JOSE_GENERIC'].includes(error.code);
}
