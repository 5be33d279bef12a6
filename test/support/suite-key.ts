import { createPrivateKey, createPublicKey, randomUUID } from 'node:crypto';
import { createSigningKey, type SigningKey } from 'nestjs-oneid-logout/testing';

/** RSA private keys in PEM, which the run's global setup creates. Empty in a run without it. */
export const rsaKeys = JSON.parse(process.env['TEST_RSA_KEYS'] ?? '[]') as readonly string[];

let key: Promise<SigningKey> | undefined;

/** One signing key for all providers of a suite: the first RSA key of the run. */
export function suiteKey(): Promise<SigningKey> {
  const [pem] = rsaKeys;
  key ??= pem === undefined ? createSigningKey() : Promise.resolve(signingKeyOf(pem));
  return key;
}

function signingKeyOf(pem: string): SigningKey {
  const privateKey = createPrivateKey(pem);
  const publicKey = createPublicKey(privateKey);
  const [alg, kid] = ['RS256', randomUUID()];
  return {
    ...{ alg, kid, privateKey },
    publicJwk: { ...publicKey.export({ format: 'jwk' }), kid, alg, use: 'sig' },
    publicPem: publicKey.export({ format: 'pem', type: 'spki' }).toString(),
  };
}
