import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import { compactVerify, decodeProtectedHeader, errors } from 'jose';
import { isRecord } from '../option-checks.js';
import { fitsAlgorithm, isSameAlgorithm, namesOf } from './signature-algorithms.js';

/** The least length of an RSA key, bits (RFC 7518 §3.3). */
const LEAST_RSA_LENGTH = 2048;

/** How many entries of a key set {@link KeySet.toString} describes. */
const DESCRIBED = 5;

/** A public key of the set that verifies signatures. */
interface VerificationKey {
  readonly kty: string;
  readonly crv?: string;
  /** undefined: the key may have signed a token with any `kid`. */
  readonly kid: string | undefined;
  /** undefined: the key fits each algorithm of its type. */
  readonly alg: string | undefined;
  readonly publicKey: KeyObject;
}

/**
 * Why no key of the set has verified a token. `key_unknown`: no key has its `kid` and its algorithm. `mismatch`: none of
 * these keys has signed it. `malformed`: no key can verify it.
 */
export type KeyFault = 'key_unknown' | 'mismatch' | 'malformed';

/** A provider's JWK Set (RFC 7517 §5). It skips each entry that is no public key for signatures. */
export class KeySet {
  private readonly keys: readonly VerificationKey[];

  private constructor(private readonly entries: readonly unknown[]) {
    this.keys = entries.map(toVerificationKey).filter((key) => key !== undefined);
  }

  /** @returns undefined when the answer of the JWKS endpoint is no JWK Set */
  static of(answer: unknown): KeySet | undefined {
    return isRecord(answer) && Array.isArray(answer['keys']) ? new KeySet(answer['keys']) : undefined;
  }

  /** Has the set a key for this algorithm? */
  has(algorithm: string): boolean {
    return this.keys.some((key) => fits(key, algorithm));
  }

  /**
   * Finds the key that has signed a compact JWS. If the token names a `kid`, the keys with this `kid` and the keys
   * without any are tried; otherwise all keys of the algorithm.
   *
   * @param algorithm the only `alg` allowed
   */
  async find(jws: string, algorithm: string): Promise<KeyObject | KeyFault> {
    const { alg, kid } = decodeProtectedHeader(jws) as { alg?: unknown; kid?: unknown };
    if (!isSameAlgorithm(alg, algorithm)) return 'malformed';
    const named = isPresent(kid) ? kid : undefined;
    const candidates = this.keys.filter(
      (key) => fits(key, algorithm) && (named === undefined || key.kid === undefined || key.kid === named),
    );
    if (candidates.length === 0) return 'key_unknown';
    for (const { publicKey } of candidates) {
      try {
        await compactVerify(jws, publicKey, { algorithms: [...namesOf(algorithm)] });
        return publicKey;
      } catch (error) {
        // after a wrong signature the next key may fit; other errors of jose are the token's fault
        if (error instanceof errors.JWSSignatureVerificationFailed) continue;
        if (error instanceof errors.JOSEError) return 'malformed';
        throw error;
      }
    }
    return 'mismatch';
  }

  /** The first key for this algorithm, which is the provider's newest; undefined without any. */
  first(algorithm: string): KeyObject | undefined {
    return this.keys.find((key) => fits(key, algorithm))?.publicKey;
  }

  /** Describes the entries, for the log. */
  toString(): string {
    const { length } = this.entries;
    const described = this.entries.slice(0, DESCRIBED).map(describe);
    const more = length > DESCRIBED ? [`${length - DESCRIBED} more`] : [];
    return length === 0 ? 'no keys' : [...described, ...more].join('; ');
  }
}

function fits(key: VerificationKey, algorithm: string): boolean {
  return fitsAlgorithm(key, algorithm) && (key.alg === undefined || isSameAlgorithm(key.alg, algorithm));
}

/** @returns undefined for an entry that is no public key, or not for signatures (RFC 7517 §4, §5) */
function toVerificationKey(entry: unknown): VerificationKey | undefined {
  if (!isRecord(entry)) return undefined;
  const { kty, crv, kid, alg, use, key_ops: operations } = entry;
  if (!isPresent(kty) || (isGiven(use) && use !== 'sig') || (isGiven(alg) && typeof alg !== 'string')) return undefined;
  if (isGiven(operations) && !(Array.isArray(operations) && operations.includes('verify'))) return undefined;
  try {
    const publicKey = createPublicKey({ key: entry as JsonWebKey, format: 'jwk' });
    const { modulusLength = LEAST_RSA_LENGTH } = publicKey.asymmetricKeyDetails ?? {};
    if (modulusLength < LEAST_RSA_LENGTH) return undefined;
    return {
      kty,
      ...(isPresent(crv) && { crv }),
      kid: isPresent(kid) ? kid : undefined,
      alg: isPresent(alg) ? alg : undefined,
      publicKey,
    };
  } catch {
    return undefined;
  }
}

/** A member that is null or empty counts as absent. */
const isGiven = (value: unknown): boolean => value !== undefined && value !== null && value !== '';

const isPresent = (value: unknown): value is string => typeof value === 'string' && value !== '';

/** Such as `RSA RS256 sig`. It shows only short names, because an entry may hold anything. */
function describe(entry: unknown): string {
  if (!isRecord(entry)) return entry === null ? 'null' : Array.isArray(entry) ? 'a list' : `a ${typeof entry}`;
  const { kty, crv, alg, use } = entry;
  const names = [kty, crv, alg, use].filter((name) => typeof name === 'string' && /^[\w.+-]{1,32}$/.test(name));
  return names.length === 0 ? 'an object without kty' : names.join(' ');
}
