import { type JWK } from 'jose';

/** The algorithms that sign with a private key, by the type of this key (RFC 7518 §3.1, RFC 9864 §2.2). */
const KEY_TYPES: Readonly<Record<string, { readonly kty: string; readonly crv?: string }>> = {
  RS256: { kty: 'RSA' },
  RS384: { kty: 'RSA' },
  RS512: { kty: 'RSA' },
  PS256: { kty: 'RSA' },
  PS384: { kty: 'RSA' },
  PS512: { kty: 'RSA' },
  ES256: { kty: 'EC', crv: 'P-256' },
  ES384: { kty: 'EC', crv: 'P-384' },
  ES512: { kty: 'EC', crv: 'P-521' },
  EdDSA: { kty: 'OKP', crv: 'Ed25519' },
  Ed25519: { kty: 'OKP', crv: 'Ed25519' },
};

export const ASYMMETRIC_ALGORITHMS: readonly string[] = Object.keys(KEY_TYPES);

/** The two names of one algorithm: the library takes no other curve for `EdDSA` (RFC 9864 §2.2). */
const ED25519: readonly string[] = ['Ed25519', 'EdDSA'];

/** All names of an algorithm. */
export function namesOf(algorithm: string): readonly string[] {
  return ED25519.includes(algorithm) ? ED25519 : [algorithm];
}

/** Do the two names mean the same algorithm? */
export function isSameAlgorithm(one: unknown, other: string): boolean {
  return typeof one === 'string' && namesOf(other).includes(one);
}

/** Do the key's type and curve fit this algorithm? */
export function fitsAlgorithm({ kty, crv }: Pick<JWK, 'kty' | 'crv'>, algorithm: string): boolean {
  const type = KEY_TYPES[algorithm];
  return type !== undefined && type.kty === kty && (type.crv === undefined || type.crv === crv);
}
