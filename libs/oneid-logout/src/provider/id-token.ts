import { createHash } from 'node:crypto';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import { isStorableIdentifier } from '../rule/identifier.js';
import { InvalidIdTokenError } from '../oneid-logout.errors.js';
import { isCompact } from './compact-token.js';
import { type OneIdClient, type OneIdClients } from './oneid-clients.js';
import { isSameAlgorithm } from './signature-algorithms.js';
import { audienceFault, encryptionFault, isSessionExpiry, presentClaims, secretHint, shown } from './token-claims.js';
import { openToken } from './token-decryption.js';
import { type TimeFault, type TokenTimes } from './token-times.js';

/** The content of an ID token that has passed all checks. */
export interface VerifiedIdToken {
  readonly issuer: string;
  readonly clientId: string;
  readonly sub: string;
  readonly sid?: string;
  /**
   * OneID ended the login while the user was signing in: Hydra v1.11 then leaves the `sid` empty. Such a sign-in must not
   * become a session, because no logout could end it.
   */
  readonly loginEnded?: true;
  /** `session_expiry`: when a session of this sign-in must end at the latest, the provider's clock, seconds. */
  readonly sessionExpiry?: number;
  /** `iat`: the provider's clock, seconds. */
  readonly iat: number;
  /** When the user authenticated, if the token proves it: `auth_time`, the provider's clock, seconds. */
  readonly authTime?: number;
  /** Hex SHA-256 of the token's signed part. The same token always gives the same hash. */
  readonly idTokenHash: string;
  readonly logoutScope: 'session' | 'user';
}

/** Maximum age of an ID token at registration, seconds: only a sign-in registers, and its token is new. */
const ID_TOKEN_MAX_AGE = 300;

/** How far the `iat` of an ID token may lie back at registration, seconds. */
export function maxSignInAge({ iatBackdatingSeconds }: Pick<OneIdClient, 'iatBackdatingSeconds'>): number {
  return ID_TOKEN_MAX_AGE + iatBackdatingSeconds;
}

/** Verifies fresh ID tokens (OpenID Connect Core 1.0 §3.1.3.7). */
export class IdTokenVerifier {
  constructor(
    private readonly clients: OneIdClients,
    private readonly times: TokenTimes,
  ) {}

  /**
   * @throws {InvalidIdTokenError} 401: a check failed
   * @throws {ProviderUnavailableError} 503: the provider's metadata or keys can't be had now
   * @throws {ProviderMisconfiguredError} 500: they do not fit the options
   * @throws {StoreUnavailableError} 503: the times are wrong by this host's clock, and the database can't be asked
   */
  async verify(idToken: string, expected: { readonly nonce?: string | undefined }): Promise<VerifiedIdToken> {
    const { jws, openedFor } = await this.open(idToken);
    const { header, claims, hasEmptySid } = decode(jws);
    const { iss, sub, aud, azp, iat, exp, sid, nonce, auth_time: authTime, session_expiry: sessionExpiry } = claims;
    refuseUnless(header.alg !== undefined && header.crit === undefined, 'has no alg in its header, or a crit');
    refuseUnless(header.typ === undefined || /^(application\/)?jwt$/i.test(header.typ), 'has a typ that is not JWT');
    refuseUnless(claims['events'] === undefined, 'is a security event token');
    refuseUnless(typeof iss === 'string', 'has no iss');

    const client = this.clients.inAudience(iss, aud, azp);
    if (client === undefined) throw invalid(`is not for a client of this app: ${this.addressFault(iss, aud)}`);
    const { idTokenEncryption: encryption } = client;
    if (openedFor === undefined ? encryption !== undefined : !openedFor.includes(client)) {
      const fault = encryptionFault(openedFor !== undefined, encryption, 'idTokenEncryption');
      throw invalid(`does not have the encryption that the options name: ${fault}`);
    }
    const { idTokenSignedResponseAlg: alg, clientId, authorizedParties } = client;
    refuseUnless(
      isSameAlgorithm(header.alg, alg),
      `does not have the alg that the options name: it has ${shown(header.alg)}, the client's idTokenSignedResponseAlg ` +
        `is '${alg}'`,
    );
    refuseUnless(
      azp === undefined || azp === clientId || (typeof azp === 'string' && authorizedParties.includes(azp)),
      `has an azp of another client: it is ${shown(azp)}, expected ${shown(clientId)}, or one of the client's ` +
        'authorizedParties',
    );
    refuseUnless(isStorableIdentifier(sub), 'has no valid sub');
    refuseUnless(sid === undefined || isStorableIdentifier(sid), 'has an invalid sid');
    refuseUnless(expected.nonce === undefined || nonce === expected.nonce, 'does not have the expected nonce');
    // the claim is the provider's limit for the session: if it can't be read, a session could outlive it
    refuseUnless(
      sessionExpiry === undefined || isSessionExpiry(sessionExpiry),
      'has a session_expiry that is not a whole number of seconds',
    );

    refuseUnless(typeof exp === 'number', 'has expired, or has no exp');
    refuseUnless(typeof iat === 'number', NO_IAT);

    const latestIssueMs = this.times.latestIssueMs(iat + client.iatBackdatingSeconds);
    if (!(await client.provider.isIssuer(iss, latestIssueMs))) {
      const { issuer } = await client.provider.metadata();
      throw invalid(`is from another issuer: its iss is ${shown(iss)}, expected ${shown(issuer)}`);
    }
    const signature = await client.keys.verify(jws, alg, latestIssueMs);
    refuseUnless(signature === 'valid', `has no valid signature${secretHint(alg)}`);
    const fault = await this.times.findFault({ iat, exp }, maxSignInAge(client));
    if (fault !== undefined) throw invalid(timeFault(fault, client));
    return {
      issuer: iss,
      clientId,
      sub,
      ...(sid !== undefined && { sid }),
      ...(hasEmptySid && { loginEnded: true }),
      ...(sessionExpiry !== undefined && { sessionExpiry }),
      iat: Math.floor(iat),
      ...provenAuthTime(authTime, iat, latestIssueMs),
      idTokenHash: hashOfSigned(jws),
      logoutScope: client.logoutScope,
    };
  }

  private addressFault(iss: string, aud: unknown): string {
    const ours = this.clients.at(iss);
    if (ours.length > 0) return `its ${audienceFault(ours, aud)}`;
    const issuers = [...new Set(this.clients.all.map(({ issuer }) => issuer))];
    return `its iss is ${shown(iss)}, expected ${shown(issuers)}`;
  }

  private async open(idToken: string): Promise<{ jws: string; openedFor?: readonly OneIdClient[] }> {
    // an app in plain JavaScript passes undefined when it did not ask for the scope openid
    refuseUnless(typeof (idToken as unknown) === 'string', 'is missing');
    if (!isCompact(idToken, 5)) return { jws: idToken };
    const opened = await openToken(idToken, this.clients.all, (client) => client.idTokenEncryption).catch(
      () => 'failed' as const,
    );
    refuseUnless(typeof opened === 'object', 'is encrypted, and no key of this app decrypts it');
    return { jws: opened.jws, openedFor: opened.clients };
  }
}

/** Claims that are written as null or `""` count as absent, but an empty `sid` has a meaning of its own. */
function decode(idToken: string) {
  if (!isCompact(idToken, 3)) throw new InvalidIdTokenError('The ID token is not a JWT');
  try {
    const claims = decodeJwt(idToken);
    return {
      header: decodeProtectedHeader(idToken),
      claims: presentClaims(claims),
      hasEmptySid: claims['sid'] === '',
    };
  } catch (error) {
    throw new InvalidIdTokenError('The ID token is not a JWT', error);
  }
}

const NO_IAT = 'has no iat, or an iat in the future';

function timeFault(fault: TimeFault, client: OneIdClient): string {
  if (fault === 'expired') return 'has expired';
  if (fault === 'issued_in_future') return NO_IAT;
  return (
    `is too old for a sign-in: its iat may lie ${maxSignInAge(client)} seconds back. For a provider that dates iat ` +
    "back, set the client's iatBackdatingSeconds"
  );
}

function refuseUnless(condition: boolean, fault: string): asserts condition {
  if (!condition) throw invalid(fault);
}

function invalid(fault: string): InvalidIdTokenError {
  return new InvalidIdTokenError(`The ID token ${fault}`);
}

/**
 * Some providers set `auth_time` when the app redeems its code, equal to `iat`: it then says nothing of the login.
 *
 * @param latestIssueMs the latest time at which the token may have been issued: a later login can't have led to it
 */
function provenAuthTime(authTime: unknown, iat: number, latestIssueMs: number): { readonly authTime?: number } {
  if (typeof authTime !== 'number' || !(authTime > 0 && authTime * 1000 <= latestIssueMs)) return {};
  const seconds = Math.floor(authTime);
  return seconds === Math.floor(iat) ? {} : { authTime: seconds };
}

/** Leaves out the signature: with some algorithms an attacker can turn a valid signature into another valid one. */
function hashOfSigned(jws: string): string {
  return createHash('sha256')
    .update(jws.slice(0, jws.lastIndexOf('.')))
    .digest('hex');
}
