import { CompactEncrypt, type CryptoKey, type JWK } from 'jose';
import { type KeyObject } from 'node:crypto';
import { type HeaderParameters } from './sign-compact.js';

/** The recipient's key and the algorithms that encrypt a token. */
export interface Encryption {
  /** The recipient's public key, or the shared secret of a symmetric `alg`. */
  readonly key: CryptoKey | KeyObject | JWK | Uint8Array;
  /** Key management algorithm, `RSA-OAEP-256` by default. */
  readonly alg?: string;
  /** Content encryption algorithm, `A256GCM` by default. */
  readonly enc?: string;
  /** Further header parameters, `kid` for example. */
  readonly header?: HeaderParameters;
}

/**
 * Wraps a signed token in a compact JWE (`cty: JWT`).
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc7519#section-11.2 RFC 7519 §11.2}
 */
export function encryptCompact(
  token: string,
  { key, alg = 'RSA-OAEP-256', enc = 'A256GCM', header }: Encryption,
): Promise<string> {
  return new CompactEncrypt(new TextEncoder().encode(token))
    .setProtectedHeader({ cty: 'JWT', ...header, alg, enc })
    .encrypt(key);
}
