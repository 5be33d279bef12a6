import { createHash } from 'node:crypto';
import { decodeJwt, decodeProtectedHeader, type JWTPayload } from 'jose';
import { isStorableIdentifier } from '../rule/identifier.js';
import { InvalidIdTokenError } from '../oneid-logout.errors.js';
import { isCompact } from './compact-token.js';
import { type OneIdClient, type OneIdClients } from './oneid-clients.js';
import { isSameAlgorithm } from './signature-algorithms.js';
import { openToken } from './token-decryption.js';
import { type TimeFault, type TokenTimes } from './token-times.js';

/** The content of an ID token that has passed all checks. */
export interface VerifiedIdToken {
  readonly issuer: string;
  readonly clientId: string;
  readonly sub: string;
  readonly sid?: string;
  /** `iat`: the provider's clock, seconds. */
  readonly iat: number;
  /** Hex SHA-256 of the token's signed part. The same token always gives the same hash. */
  readonly idTokenHash: string;
  readonly logoutScope: 'session' | 'user';
}

/** Maximum age of an ID token at registration, seconds: only a sign-in registers, and its token is new. */
export const ID_TOKEN_MAX_AGE = 300;

const TIME_FAULTS: Record<TimeFault, string> = {
  issued_in_future: 'has no iat, or an iat in the future',
  too_old: 'is too old for a sign-in',
  expired: 'has expired',
};

/** Verifies fresh ID tokens (OpenID Connect Core 1.0 §3.1.3.7). */
export class IdTokenVerifier {
  constructor(
    private readonly clients: OneIdClients,
    private readonly times: TokenTimes,
  ) {}

  /**
   * @throws {InvalidIdTokenError} 401: a check failed
   * @throws {ProviderUnavailableError} 503: the provider's metadata or keys can't be had now
   * @throws {StoreUnavailableError} 503: the times are wrong by this host's clock, and the database can't be asked
   */
  async verify(idToken: string, expected: { readonly nonce?: string | undefined }): Promise<VerifiedIdToken> {
    const { jws, openedFor } = await this.open(idToken);
    const { header, claims } = decode(jws);
    const { iss, sub, aud, iat, exp, sid, nonce } = claims;
    refuseUnless(header.alg !== undefined && header.crit === undefined, 'has no alg in its header, or a crit');
    refuseUnless(header.typ === undefined || /^(application\/)?jwt$/i.test(header.typ), 'has a typ that is not JWT');
    refuseUnless(!('events' in claims), 'is a security event token');
    refuseUnless(typeof iss === 'string', 'has no iss');

    const client = this.clients.inAudience(iss, aud);
    refuseUnless(client !== undefined, 'is not for a client of this app');
    refuseUnless(
      openedFor === undefined ? client.idTokenEncryption === undefined : openedFor.includes(client),
      'does not have the encryption that the options name',
    );
    refuseUnless(
      isSameAlgorithm(header.alg, client.idTokenSignedResponseAlg),
      'does not have the alg that the options name',
    );
    refuseUnless(claims['azp'] === undefined || claims['azp'] === client.clientId, 'has an azp of another client');
    refuseUnless(isStorableIdentifier(sub), 'has no valid sub');
    refuseUnless(sid === undefined || isStorableIdentifier(sid), 'has an invalid sid');
    refuseUnless(expected.nonce === undefined || nonce === expected.nonce, 'does not have the expected nonce');

    refuseUnless(typeof exp === 'number', TIME_FAULTS.expired);
    refuseUnless(typeof iat === 'number', TIME_FAULTS.issued_in_future);

    refuseUnless(await client.provider.isIssuer(iss), 'is from another issuer');
    const signature = await client.keys.verify(jws, client.idTokenSignedResponseAlg, this.times.latestIssueMs(iat));
    refuseUnless(signature === 'valid', 'has no valid signature');
    const fault = await this.times.findFault({ iat, exp }, ID_TOKEN_MAX_AGE);
    if (fault !== undefined) refuseUnless(false, TIME_FAULTS[fault]);
    return {
      issuer: iss,
      clientId: client.clientId,
      sub,
      ...(sid !== undefined && { sid }),
      iat: Math.floor(iat),
      idTokenHash: hashOfSigned(jws),
      logoutScope: client.logoutScope,
    };
  }

  private async open(idToken: string): Promise<{ jws: string; openedFor?: readonly OneIdClient[] }> {
    // an app in plain JavaScript passes undefined when it did not ask for the scope openid
    refuseUnless(typeof (idToken as unknown) === 'string', 'is missing');
    if (!isCompact(idToken, 5)) return { jws: idToken };
    const opened = await openToken(idToken, this.clients.all).catch(() => 'failed' as const);
    refuseUnless(typeof opened === 'object', 'is encrypted, and no key of this app decrypts it');
    return { jws: opened.jws, openedFor: opened.clients };
  }
}

function decode(idToken: string) {
  if (!isCompact(idToken, 3)) throw new InvalidIdTokenError('The ID token is not a JWT');
  try {
    return { header: decodeProtectedHeader(idToken), claims: decodeJwt<JWTPayload & { sid?: unknown }>(idToken) };
  } catch (error) {
    throw new InvalidIdTokenError('The ID token is not a JWT', error);
  }
}

function refuseUnless(condition: boolean, fault: string): asserts condition {
  if (!condition) throw new InvalidIdTokenError(`The ID token ${fault}`);
}

/** Leaves out the signature: with some algorithms an attacker can turn a valid signature into another valid one. */
function hashOfSigned(jws: string): string {
  return createHash('sha256')
    .update(jws.slice(0, jws.lastIndexOf('.')))
    .digest('hex');
}
