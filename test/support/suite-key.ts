import { createPrivateKey, createPublicKey, randomUUID } from 'node:crypto';
import { createSigningKey, type SigningKey } from 'nestjs-oneid-logout/testing';

let key: Promise<SigningKey> | undefined;

/**
 * One signing key for all providers of a suite. Its RSA key pair is the same in all suites of a run, because the
 * creation of an RSA key is slow: the run's global setup creates it.
 */
export function suiteKey(): Promise<SigningKey> {
  const pem = process.env['TEST_RSA_KEY'];
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
