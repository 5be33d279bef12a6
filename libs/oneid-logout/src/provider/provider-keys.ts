import { compactVerify, createLocalJWKSet, decodeProtectedHeader, errors, type JSONWebKeySet } from 'jose';
import { type Clock } from '../clock.js';
import { ProviderUnavailableError } from '../oneid-logout.errors.js';
import { CachedResource } from './cached-resource.js';
import { providerFetch, type ProviderFetch } from './provider-fetch.js';
import { type SignatureResult, type TokenKeys } from './token-keys.js';

/** No keys are asked for within so many milliseconds after they were, had or not. */
export const KEYS_COOL_DOWN = 30 * 1000;

const TIMES = { maxAge: 60 * 60 * 1000, coolDown: KEYS_COOL_DOWN };

type KeySet = ReturnType<typeof createLocalJWKSet>;

/** The provider's signing keys (`jwks_uri`): the only place keys come from, whatever a token's header offers. */
export class ProviderKeys implements TokenKeys {
  private readonly keys: CachedResource<KeySet>;

  constructor(jwksUri: () => Promise<string>, clock: Clock, fetch: ProviderFetch = providerFetch) {
    const load = async () => createLocalJWKSet(await fetchKeys(await jwksUri(), fetch));
    this.keys = new CachedResource(load, clock, TIMES, "the provider's keys");
  }

  /**
   * Checks the signature of a compact JWS.
   *
   * @param algorithm the only one allowed
   * @param issuedAt when the token may have been issued at the latest, milliseconds: only keys asked for since then, or
   *   since the token came, can tell that its key is unknown
   * @throws {ProviderUnavailableError} the keys can't be had or used, or may be older than the token and can't be
   *   fetched again just now
   */
  async verify(jws: string, algorithm: string, issuedAt: number): Promise<SignatureResult> {
    const fetchedSince = this.keys.watch();
    const first = await this.verifyWithKnown(jws, algorithm);
    if (!mayHaveNewKey(first, jws)) return first;
    await this.keys.refresh();
    const second = await this.verifyWithKnown(jws, algorithm);
    if (mayHaveNewKey(second, jws) && !fetchedSince() && !this.keys.isNewerThan(issuedAt)) {
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
      throw new ProviderUnavailableError("The provider's key can't be used", error);
    }
  }
}

/** A token that names no key may have been signed by one we have not seen yet, too. */
function mayHaveNewKey(result: SignatureResult, jws: string): boolean {
  return result === 'key_unknown' || (result === 'invalid' && decodeProtectedHeader(jws).kid === undefined);
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
      // a key that can't be used is as good as none, as long as there are others
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
