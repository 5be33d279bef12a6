import { compactVerify, createLocalJWKSet, decodeProtectedHeader, errors, type JSONWebKeySet } from 'jose';
import { type Clock } from '../clock.js';
import { ProviderUnavailableError } from '../oneid-logout.errors.js';
import { CachedResource } from './cached-resource.js';
import { type ProviderFetch } from './provider-fetch.js';
import { type SignatureResult, type TokenKeys } from './token-keys.js';

/** Pause between two fetches of the keys, milliseconds: forged tokens with unknown keys can't flood the provider. */
export const KEYS_COOL_DOWN = 30 * 1000;

const TIMES = { maxAge: 60 * 60 * 1000, coolDown: KEYS_COOL_DOWN };

type KeySet = ReturnType<typeof createLocalJWKSet>;

/** The provider's signing keys, from `jwks_uri` only. Keys that a token's header offers are never used. */
export class ProviderKeys implements TokenKeys {
  private readonly keys: CachedResource<KeySet>;

  constructor(jwksUri: () => Promise<string>, clock: Clock, fetch: ProviderFetch) {
    const load = async () => createLocalJWKSet(await fetchKeys(await jwksUri(), fetch));
    this.keys = new CachedResource(load, clock, TIMES, "the provider's keys");
  }

  /**
   * Checks the signature of a compact JWS.
   *
   * @param algorithm the only `alg` allowed
   * @param issuedAtMs the latest time at which the token may have been issued, milliseconds. Only keys fetched since this
   *   time, or during this call, prove that the token's key is unknown
   * @throws {ProviderUnavailableError} 503: the keys can't be had or used; or they may be older than the token, and
   *   can't be fetched again now
   */
  async verify(jws: string, algorithm: string, issuedAtMs: number): Promise<SignatureResult> {
    const fetchedSince = this.keys.watch();
    const first = await this.verifyWithKnown(jws, algorithm);
    if (!mayHaveNewKey(first, jws)) return first;
    await this.keys.refresh();
    const second = await this.verifyWithKnown(jws, algorithm);
    if (mayHaveNewKey(second, jws) && !fetchedSince() && !this.keys.isNewerThan(issuedAtMs)) {
      throw new ProviderUnavailableError("The provider's current keys are not available, try again");
    }
    return second;
  }

  private async verifyWithKnown(jws: string, algorithm: string): Promise<SignatureResult> {
    const keys = await this.keys.get().catch((error: unknown) => {
      throw new ProviderUnavailableError("The provider's keys are not available, try again", error);
    });
    try {
      await compactVerify(jws, keys, { algorithms: [algorithm] });
      return 'valid';
    } catch (error) {
      if (error instanceof errors.JWKSNoMatchingKey) return 'key_unknown';
      if (error instanceof errors.JWKSMultipleMatchingKeys) return verifyWithAny(jws, algorithm, error);
      if (error instanceof errors.JOSEError) return 'invalid';
      throw new ProviderUnavailableError("The provider's key can't be used", error);
    }
  }
}

/** May a key that we have not fetched yet have signed the token? Also possible when the token names no `kid`. */
function mayHaveNewKey(result: SignatureResult, jws: string): boolean {
  return result === 'key_unknown' || (result === 'invalid' && decodeProtectedHeader(jws).kid === undefined);
}

/** Tries each key in turn, because several keys match a token without `kid`. */
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
      // the next key may fit after a wrong signature or an unusable key; other errors of jose are the token's fault
      if (error instanceof errors.JOSEError && !(error instanceof errors.JWSSignatureVerificationFailed)) break;
    }
  }
  return 'invalid';
}

async function fetchKeys(jwksUri: string, fetch: ProviderFetch): Promise<JSONWebKeySet> {
  const response = await fetch(jwksUri, { headers: { accept: 'application/json, application/jwk-set+json' } });
  if (response.status !== 200) throw new Error(`The JWKS endpoint answered ${response.status}`);
  return (await response.json()) as JSONWebKeySet;
}
