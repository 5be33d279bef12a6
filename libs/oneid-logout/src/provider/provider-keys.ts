import { compactVerify, createLocalJWKSet, errors, type JSONWebKeySet } from 'jose';
import { type Clock } from '../clock.js';
import { ProviderUnavailableError } from '../oneid-logout.errors.js';
import { CachedResource } from './cached-resource.js';
import { providerFetch } from './provider-fetch.js';

const TIMES = { maxAge: 60 * 60 * 1000, coolDown: 30 * 1000 };

type KeySet = ReturnType<typeof createLocalJWKSet>;

/** How the check of a signature ended. */
export type SignatureResult = 'valid' | 'invalid' | 'key_unknown';

/** The provider's signing keys (`jwks_uri`): the only place keys come from, whatever a token's header offers. */
export class ProviderKeys {
  private readonly keys: CachedResource<KeySet>;

  constructor(jwksUri: () => Promise<string>, clock: Clock) {
    this.keys = new CachedResource(async () => createLocalJWKSet(await fetchKeys(await jwksUri())), clock, TIMES);
  }

  /**
   * Checks the signature of a compact JWS.
   *
   * @param algorithm the only one allowed
   * @param issuedAt when the token says it was issued, milliseconds: only keys fetched since then can tell that its key
   *   is unknown
   * @throws {ProviderUnavailableError} the keys can't be had, or may be older than the token and can't be fetched again
   *   just now
   */
  async verify(jws: string, algorithm: string, issuedAt: number): Promise<SignatureResult> {
    const first = await this.verifyWithKnown(jws, algorithm);
    if (first !== 'key_unknown') return first;
    await this.keys.refresh();
    const second = await this.verifyWithKnown(jws, algorithm);
    if (second === 'key_unknown' && !this.keys.isNewerThan(issuedAt)) {
      throw new ProviderUnavailableError("The provider's current keys can't be had just now");
    }
    return second;
  }

  private async verifyWithKnown(jws: string, algorithm: string): Promise<SignatureResult> {
    const keys = await this.keys.get().catch((error: unknown) => {
      throw new ProviderUnavailableError("The provider's keys can't be had just now", error);
    });
    try {
      await compactVerify(jws, keys, { algorithms: [algorithm] });
      return 'valid';
    } catch (error) {
      if (error instanceof errors.JWKSNoMatchingKey) return 'key_unknown';
      if (error instanceof errors.JWKSMultipleMatchingKeys) return verifyWithAny(jws, algorithm, error);
      if (error instanceof errors.JOSEError) return 'invalid';
      throw error;
    }
  }
}

/** A token without `kid`, and several keys that could have signed it. */
async function verifyWithAny(
  jws: string,
  algorithm: string,
  candidates: errors.JWKSMultipleMatchingKeys,
): Promise<SignatureResult> {
  for await (const key of candidates) {
    try {
      await compactVerify(jws, key, { algorithms: [algorithm] });
      return 'valid';
    } catch (error) {
      if (!(error instanceof errors.JWSSignatureVerificationFailed)) throw error;
    }
  }
  return 'invalid';
}

async function fetchKeys(jwksUri: string): Promise<JSONWebKeySet> {
  const response = await providerFetch(jwksUri, { headers: { accept: 'application/json, application/jwk-set+json' } });
  if (response.status !== 200) throw new Error(`The JWKS endpoint answered ${response.status}`);
  return (await response.json()) as JSONWebKeySet;
}
