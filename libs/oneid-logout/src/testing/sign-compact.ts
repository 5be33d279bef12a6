import { constants, createHmac, sign } from 'node:crypto';
import { type SigningKey } from './signing-keys.js';

/** The claims of a token; one that is `undefined` is left out. */
export type Claims = Readonly<Record<string, unknown>>;

/** Header parameters of a token; one that is `undefined` is left out. */
export type HeaderParameters = Readonly<Record<string, unknown>>;

/** Signs with HMAC: with the client's secret, or with another value that an attacker uses as the secret. */
export interface HmacKey {
  /** The key of the HMAC. */
  readonly secret: string | Uint8Array;
  /** `HS256` by default. */
  readonly alg?: 'HS256' | 'HS384' | 'HS512';
}

/** The key that signs a token; `'none'` leaves the signature empty. */
export type TokenKey = SigningKey | HmacKey | 'none';

/**
 * Makes a compact JWS. `key` decides how the token is signed; `header` only changes the values that the header shows.
 *
 * Tests need headers that lie about the signature, so this function does not use jose's signer. A `payload` string is
 * signed unchanged, even when it is not JSON.
 *
 * @param payload the claims, or a text
 * @param header joins or replaces `alg` and `kid`
 * @see {@link https://www.rfc-editor.org/rfc/rfc7515#section-3.1 RFC 7515 §3.1}
 * @example
 * ```ts
 * import { type OneIdTestProvider, signCompact } from 'nestjs-oneid-logout/testing';
 *
 * // an RS256 signature under a header that says `alg: none`: the app must answer 400
 * export const lyingToken = (oneId: OneIdTestProvider): string =>
 *   signCompact({ iss: oneId.issuer, aud: 'my-app' }, oneId.signingKey, { alg: 'none' });
 * ```
 */
export function signCompact(payload: Claims | string, key: TokenKey, header: HeaderParameters = {}): string {
  const encodedHeader = base64url(JSON.stringify({ ...headerFor(key), ...header }));
  const encodedPayload = base64url(typeof payload === 'string' ? payload : JSON.stringify(payload));
  const signingInput = `${encodedHeader}.${encodedPayload}`;
  return `${signingInput}.${signature(signingInput, key).toString('base64url')}`;
}

function headerFor(key: TokenKey): HeaderParameters {
  if (key === 'none') return { alg: 'none' };
  if ('secret' in key) return { alg: key.alg ?? 'HS256' };
  return { alg: key.alg, kid: key.kid };
}

function signature(signingInput: string, key: TokenKey): Buffer {
  if (key === 'none') return Buffer.alloc(0);
  if ('secret' in key)
    return createHmac(hashOf(key.alg ?? 'HS256'), key.secret)
      .update(signingInput)
      .digest();
  const data = Buffer.from(signingInput);
  if (key.alg === 'EdDSA' || key.alg === 'Ed25519') return sign(null, data, key.privateKey);
  if (key.alg.startsWith('PS')) {
    const pss = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST };
    return sign(hashOf(key.alg), data, { key: key.privateKey, ...pss });
  }
  return sign(hashOf(key.alg), data, { key: key.privateKey, dsaEncoding: 'ieee-p1363' });
}

const hashOf = (alg: string): string => `sha${alg.slice(2)}`;

const base64url = (text: string): string => Buffer.from(text).toString('base64url');
