/** How the check of a signature ended. */
export type SignatureResult = 'valid' | 'invalid' | 'key_unknown';

/** What a client's tokens are verified with: the provider's public keys, or the client's own secret, never both. */
export interface TokenKeys {
  /**
   * Checks the signature of a compact JWS.
   *
   * @param algorithm the only one allowed
   * @param issuedAt when the token may have been issued at the latest, milliseconds
   * @throws {ProviderUnavailableError} nothing can be decided just now
   */
  verify(jws: string, algorithm: string, issuedAt: number): Promise<SignatureResult>;
}
