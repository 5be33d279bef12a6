import { type Moment } from '../clock.js';

/** Result of a signature check. `key_unknown`: no known key matches the token. */
export type SignatureResult = 'valid' | 'invalid' | 'key_unknown';

/** Which key has signed a token: the `newest` of the keys, an `older` one that still counts, or one that is `unknown`. */
export type Signer = 'newest' | 'older' | 'unknown';

/** Verifies a client's tokens with the provider's public keys or with the client's own secret, never with both. */
export interface TokenKeys {
  /**
   * Checks the signature of a compact JWS.
   *
   * @param algorithm the only `alg` allowed
   * @param issuedAtMs the latest time at which the token may have been issued, milliseconds
   * @param receivedAt when this process first received the token; by default in this call
   * @throws {ProviderUnavailableError} 503: the keys can't be had now, so the signature can't be judged
   */
  verify(jws: string, algorithm: string, issuedAtMs: number, receivedAt?: Moment): Promise<SignatureResult>;

  /**
   * Which of the keys of today has signed this compact JWS?
   *
   * @param algorithm the only `alg` allowed
   * @returns undefined when the keys can't be had within a second
   */
  signerOf(jws: string, algorithm: string): Promise<Signer | undefined>;

  /** Fetches the keys again, whatever the budget of fetches. Never throws. */
  refresh(): Promise<void>;
}
