import { createSigningKey, type SigningKey } from 'nestjs-oneid-logout/testing';

let key: Promise<SigningKey> | undefined;

/** One signing key for the providers that a suite starts one after another: making an RSA key takes long. */
export function suiteKey(): Promise<SigningKey> {
  key ??= createSigningKey();
  return key;
}
