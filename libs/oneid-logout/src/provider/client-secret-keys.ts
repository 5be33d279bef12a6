import { compactVerify, errors } from 'jose';
import { type SignatureResult, type TokenKeys } from './token-keys.js';

/** Least length of a secret by algorithm, bytes (RFC 7518 §3.2). */
export const LEAST_SECRET_LENGTH: Readonly<Record<string, number>> = { HS256: 32, HS384: 48, HS512: 64 };

/**
 * The client's secret as the key of its tokens (OpenID Connect Core 1.0 §10.1). No JWKS comes near it: a public key
 * taken for a secret is the oldest forgery there is.
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
}
