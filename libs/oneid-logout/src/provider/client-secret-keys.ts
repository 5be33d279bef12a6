import { compactVerify, errors } from 'jose';
import { type SignatureResult, type Signer, type TokenKeys } from './token-keys.js';

/** Minimum length of a secret for each algorithm, bytes (RFC 7518 §3.2). */
export const LEAST_SECRET_LENGTH: Readonly<Record<string, number>> = { HS256: 32, HS384: 48, HS512: 64 };

/**
 * Verifies a client's tokens with the client's secret (OpenID Connect Core 1.0 §10.1). It never uses a JWKS: an
 * attacker knows the public keys, and could sign a token with one of them as the secret.
 */
export class ClientSecretKeys implements TokenKeys {
  private readonly secret: Uint8Array;

  constructor(clientSecret: string) {
    this.secret = new TextEncoder().encode(clientSecret);
  }

  async verify(jws: string, algorithm: string): Promise<SignatureResult> {
    try {
      await compactVerify(jws, this.secret, { algorithms: [algorithm] });
      return 'valid';
    } catch (error) {
      if (error instanceof errors.JOSEError) return 'invalid';
      throw error;
    }
  }

  async signerOf(jws: string, algorithm: string): Promise<Signer> {
    return (await this.verify(jws, algorithm)) === 'valid' ? 'newest' : 'unknown';
  }

  /** The options give the secret, so it is never fetched. */
  refresh(): Promise<void> {
    return Promise.resolve();
  }
}
