import { Injectable } from '@nestjs/common';
import { errors, type JWTPayload, jwtVerify } from 'jose';
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
      const { payload } = await jwtVerify(token, key, {
        issuer,
        audience: this.oneId.registration.apiAudience,
        algorithms: ['RS256'],
        requiredClaims: ['sub', 'iat', 'exp'],
        clockTolerance: 30,
      });
      return payload;
    } catch (error) {
      if (error instanceof errors.JOSEError) return undefined;
      throw error;
    }
  }
}
