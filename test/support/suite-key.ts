import { createSigningKey, type SigningKey } from 'nestjs-oneid-logout/testing';

let key: Promise<SigningKey> | undefined;

/** One signing key for all providers of a suite, because the creation of an RSA key is slow. */
export function suiteKey(): Promise<SigningKey> {
  key ??= createSigningKey();
  return key;
}
