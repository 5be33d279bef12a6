import { type KeyObject } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import { isCompact } from './compact-token.js';
import { OneIdClients } from './oneid-clients.js';
import { ASYMMETRIC_ALGORITHMS } from './signature-algorithms.js';
import { TokenTimes } from './token-times.js';

/**
 * The providers' signing keys, for JWTs that the app verifies itself, such as access tokens (RFC 9068). They are the
 * keys that verify ID tokens and logout tokens, fetched again in the same cases.
 *
 * @category Guard and decorators
 * @hideconstructor
 * @example
 * ```ts
 * import { Injectable, UnauthorizedException } from '@nestjs/common';
 * import { errors, type JWTPayload, jwtVerify } from 'jose';
 * import { ProviderSigningKeys } from 'nestjs-oneid-logout';
 *
 * const checks = { issuer: 'https://oauth-qc.vinid.dev/', audience: 'my-api', algorithms: ['RS256'] };
 *
 * @Injectable()
 * export class AccessTokens {
 *   constructor(private readonly keys: ProviderSigningKeys) {}
 *
 *   async verify(token: string): Promise<JWTPayload> {
 *     const key = await this.keys.find(token);
 *     if (key === undefined) throw new UnauthorizedException();
 *     try {
 *       return (await jwtVerify(token, key, { ...checks, requiredClaims: ['exp'] })).payload;
 *     } catch (error) {
 *       if (error instanceof errors.JOSEError) throw new UnauthorizedException();
 *       throw error;
 *     }
 *   }
 * }
 * ```
 */
@Injectable()
export class ProviderSigningKeys {
  constructor(
    private readonly clients: OneIdClients,
    private readonly times: TokenTimes,
  ) {}

  /**
   * Finds the key that has signed a JWT, for a library that verifies JWTs. It checks only the signature: that library
   * must check the claims, and allow only the algorithms that your API accepts.
   *
   * When no known key has signed the token, the keys are fetched again, unless they are newer than the token: a
   * provider may have made a new key, also under the old `kid`.
   *
   * @param jwt a JWT in the compact form (RFC 7519)
   * @returns the public key; undefined if the token is no signed JWT, its `iss` is no configured provider, or none of
   *   the provider's keys has signed it
   * @throws {ProviderUnavailableError} 503: the provider's keys can't be had now, or they may be older than the token and
   *   can't be fetched again now
   * @throws {ProviderMisconfiguredError} 500: what the provider answers does not fit the options
   */
  async find(jwt: string): Promise<KeyObject | undefined> {
    const decoded = isCompact(jwt, 3) ? decode(jwt) : undefined;
    const { alg, crit, iss, iat } = decoded ?? {};
    if (typeof iss !== 'string' || alg === undefined || crit !== undefined) return undefined;
    const clients = this.clients.at(iss);
    const [client] = clients;
    if (client === undefined || !ASYMMETRIC_ALGORITHMS.includes(alg)) return undefined;
    const backdating = Math.max(...clients.map(({ iatBackdatingSeconds }) => iatBackdatingSeconds));
    // a token without iat may have been made just now
    const issuedAtMs = typeof iat === 'number' ? this.times.latestIssueMs(iat + backdating) : Infinity;
    if (!(await client.provider.isIssuer(iss, issuedAtMs))) return undefined;
    const found = await client.provider.keys.find(jwt, alg, issuedAtMs);
    return typeof found === 'string' ? undefined : found;
  }
}

function decode(jwt: string) {
  try {
    const { alg, crit } = decodeProtectedHeader(jwt);
    const { iss, iat } = decodeJwt(jwt);
    return { alg, crit, iss, iat };
  } catch {
    return undefined;
  }
}
