import { decodeJwt, decodeProtectedHeader, type JWTPayload, type ProtectedHeaderParameters } from 'jose';
import { type Moment } from '../clock.js';
import { isIdentifier } from '../rule/identifier.js';
import { InvalidLogoutTokenError, type LogoutTokenFault } from '../oneid-logout.errors.js';
import { isCompact } from './compact-token.js';
import { type OneIdClient, type OneIdClients } from './oneid-clients.js';
import { isSameAlgorithm } from './signature-algorithms.js';
import { audienceFault, encryptionFault, presentClaims, secretHint, shown } from './token-claims.js';
import { openToken } from './token-decryption.js';
import { type TimeFault, type TokenTimes } from './token-times.js';

const LOGOUT_EVENT = 'http://schemas.openid.net/event/backchannel-logout';

/**
 * Maximum age of a logout token at its receipt, seconds: Hydra sends the same token again for up to three minutes. The
 * client's `iatBackdatingSeconds` is added.
 */
const MAX_AGE = 600;

/** Longest token that the library parses, characters. */
const MAX_TOKEN_LENGTH = 16 * 1024;

const MALFORMED = 'the logout token is not a signed JWT';

const TIME_FAULTS: Record<TimeFault, readonly [LogoutTokenFault, string]> = {
  issued_in_future: ['logout_token_iat_invalid', 'iat is missing or in the future'],
  too_old: ['logout_token_too_old', 'iat is too long ago'],
  expired: ['logout_token_expired', 'exp is in the past, or is not a time'],
};

/** The content of a verified logout token. */
export interface VerifiedLogoutToken {
  readonly issuer: string;
  readonly clientId: string;
  readonly jti: string;
  /** The provider's clock, seconds. */
  readonly iat: number;
  readonly sid?: string | undefined;
  readonly sub?: string | undefined;
  /** The client's option `logoutScope`. `user`: this logout ends all sessions of the user. */
  readonly scope: 'session' | 'user';
  /**
   * With the client's option `reusesSid`: the logout spares sessions of the `sid` whose user authenticated after this
   * time. The provider's clock, seconds.
   */
  readonly authenticatedUntil?: number | undefined;
}

/** Validates logout tokens (OpenID Connect Back-Channel Logout 1.0 §2.4 and §2.6). */
export class LogoutTokenVerifier {
  constructor(
    private readonly clients: OneIdClients,
    private readonly times: TokenTimes,
  ) {}

  /**
   * Checks in a fixed order, the cheapest first. It asks the provider only when all checks without a fetch have passed,
   * and the database only about the times of a token that the provider has signed.
   *
   * @param receivedAt when this process first received the token: its times count at this moment; by default now
   * @throws {InvalidLogoutTokenError} 400: a check failed
   * @throws {ProviderUnavailableError} 503: the provider's metadata or keys can't be had, so the token stays undecided
   * @throws {ProviderMisconfiguredError} they do not fit the options, so the token stays undecided, too: the
   *   back-channel answers 503 also for this error
   * @throws {StoreUnavailableError} 503: the times are wrong by this host's clock, and the database can't be asked
   */
  async verify(token: string, receivedAt?: Moment): Promise<VerifiedLogoutToken> {
    const { jws, openedFor } = await this.open(token);
    const { header, claims } = decode(jws);
    const client = this.checkAddress(header, claims);
    const { logoutTokenEncryption: encryption } = client;
    if (openedFor === undefined ? encryption !== undefined : !openedFor.includes(client)) {
      throw encryptionNotAllowed(encryptionFault(openedFor !== undefined, encryption, 'logoutTokenEncryption'));
    }
    const { exp, ...checked } = this.checkClaims(claims, client);
    const latestIat = checked.iat + client.iatBackdatingSeconds;
    const logout = {
      ...checked,
      scope: client.logoutScope,
      // rather too late than too early: the session of the login that has ended must not live on
      ...(client.reusesSid && { authenticatedUntil: latestIat + this.times.toleranceSeconds }),
    };

    const issuer = String(claims.iss);
    const latestIssueMs = this.times.latestIssueMs(latestIat);
    if (!(await client.provider.isIssuer(issuer, latestIssueMs, receivedAt))) {
      const expected = (await client.provider.metadata()).issuer;
      const message = `iss is ${shown(issuer)}, but the provider's issuer is ${shown(expected)}`;
      throw new InvalidLogoutTokenError('logout_token_issuer_unknown', message);
    }
    const { idTokenSignedResponseAlg: alg } = client;
    const signature = await client.keys.verify(jws, alg, latestIssueMs, receivedAt);
    refuseUnless(signature !== 'key_unknown', 'logout_token_key_unknown', 'the provider has no such signing key');
    const hint = secretHint(alg);
    refuseUnless(signature === 'valid', 'logout_token_signature_invalid', `the signature is not valid${hint}`);
    const maxAge = MAX_AGE + client.iatBackdatingSeconds;
    const fault = await this.times.findFault({ iat: logout.iat, exp }, maxAge, receivedAt);
    if (fault !== undefined) throw new InvalidLogoutTokenError(...TIME_FAULTS[fault]);
    return { ...logout, issuer };
  }

  /** Fetches the keys of all providers again, whatever the budget of fetches. Never throws. */
  async refreshKeys(): Promise<void> {
    const keys = new Set(this.clients.all.map((client) => client.keys));
    await Promise.all([...keys].map((one) => one.refresh()));
  }

  /** Decrypts an encrypted token (BC-14). The token inside is then checked like any other. */
  private async open(token: string): Promise<{ jws: string; openedFor?: readonly OneIdClient[] }> {
    refuseUnless(token.length <= MAX_TOKEN_LENGTH, 'logout_token_malformed', MALFORMED);
    if (!isCompact(token, 5)) return { jws: token };
    const opened = await openToken(token, this.clients.all, (client) => client.logoutTokenEncryption).catch(
      (error: unknown) => {
        throw new InvalidLogoutTokenError('logout_token_malformed', MALFORMED, error);
      },
    );
    if (opened === 'not_allowed') {
      const { alg, enc } = decodeProtectedHeader(token);
      throw encryptionNotAllowed(
        `it has ${shown(alg)} with ${shown(enc)}, which no client's logoutTokenEncryption names`,
      );
    }
    refuseUnless(opened !== 'failed', 'logout_token_decryption_failed', 'the logout token cannot be decrypted');
    return { jws: opened.jws, openedFor: opened.clients };
  }

  /** Finds the client that the token is for, and checks the header against this client's options: BC-3, BC-4, BC-9. */
  private checkAddress(header: ProtectedHeaderParameters, claims: JWTPayload): OneIdClient {
    const { iss, aud } = claims;
    refuseUnless(
      typeof iss === 'string' && this.clients.at(iss).length > 0,
      'logout_token_issuer_unknown',
      'iss is not the issuer of a configured provider',
    );
    const client = this.clients.inAudience(iss, aud);
    if (client === undefined) {
      throw new InvalidLogoutTokenError('logout_token_audience_mismatch', audienceFault(this.clients.at(iss), aud));
    }
    const { alg, typ, crit } = header;
    const algAllowed = isSameAlgorithm(alg, client.idTokenSignedResponseAlg);
    refuseUnless(algAllowed, 'logout_token_alg_not_allowed', 'alg is not the algorithm that the options name');
    refuseUnless(typAllowed(typ, client), 'logout_token_typ_not_allowed', 'typ is not allowed for a logout token');
    refuseUnless(crit === undefined, 'logout_token_crit_not_supported', 'crit names an unsupported extension');
    return client;
  }

  /** Checks everything but the signature and the values of the times. */
  private checkClaims(
    claims: JWTPayload,
    client: OneIdClient,
  ): Omit<VerifiedLogoutToken, 'issuer' | 'scope'> & { readonly exp: number | undefined } {
    const { iat, exp, jti, sid, sub, events } = presentClaims(claims);

    refuseUnless(isTime(iat), ...TIME_FAULTS.issued_in_future);
    refuseUnless(exp !== undefined || !client.requireLogoutTokenExp, 'logout_token_exp_missing', 'exp is missing');
    refuseUnless(exp === undefined || isTime(exp), ...TIME_FAULTS.expired);
    refuseUnless(isLogout(events), 'logout_token_events_invalid', 'events does not contain the logout event');
    // BC-7: in any form, also null or empty
    refuseUnless(!('nonce' in claims), 'logout_token_nonce_present', 'nonce is not allowed');
    refuseUnless(isIdentifier(jti), 'logout_token_jti_missing', 'jti is missing');
    const subjects =
      (sid !== undefined || sub !== undefined) && [sid, sub].every((s) => s === undefined || isIdentifier(s));
    refuseUnless(subjects, 'logout_token_subject_missing', 'the token needs a sid or a sub, as a non-empty string');
    return {
      clientId: client.clientId,
      jti,
      iat: Math.floor(iat),
      exp,
      sid: sid as string | undefined,
      sub: sub as string | undefined,
    };
  }
}

function decode(token: string): { header: ProtectedHeaderParameters; claims: JWTPayload } {
  refuseUnless(isCompact(token, 3), 'logout_token_malformed', MALFORMED);
  try {
    return { header: decodeProtectedHeader(token), claims: decodeJwt(token) };
  } catch (error) {
    throw new InvalidLogoutTokenError('logout_token_malformed', MALFORMED, error);
  }
}

function typAllowed(typ: string | undefined, client: OneIdClient): boolean {
  const type = typeof typ === 'string' ? typ.toLowerCase().replace(/^application\//, '') : typ;
  if (type === 'logout+jwt') return true;
  return !client.strictLogoutTokenTyp && (type === undefined || type === 'jwt');
}

function isLogout(events: unknown): boolean {
  return isPlainObject(events) && isPlainObject(events[LOGOUT_EVENT]);
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(Math.floor(value)) && value >= 0;
}

function encryptionNotAllowed(fault: string): InvalidLogoutTokenError {
  const message = `the logout token does not have the encryption that the options name: ${fault}`;
  return new InvalidLogoutTokenError('logout_token_encryption_not_allowed', message);
}

function refuseUnless(condition: boolean, code: LogoutTokenFault, message: string): asserts condition {
  if (!condition) throw new InvalidLogoutTokenError(code, message);
}
