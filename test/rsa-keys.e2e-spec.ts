import { createPublicKey, webcrypto } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { createRsaKeys, takeRsaKeysFrom } from './support/rsa-keys.mjs';

const { subtle } = webcrypto;

const ALGORITHM = {
  name: 'RSASSA-PKCS1-v1_5',
  hash: 'SHA-256',
  modulusLength: 2048,
  publicExponent: new Uint8Array([1, 0, 1]),
};

const modulusOf = (pem: string) => createPublicKey(pem).export({ format: 'jwk' }).n;

async function createdModulus(): Promise<string | undefined> {
  const { publicKey } = await subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  return (await subtle.exportKey('jwk', publicKey)).n;
}

describe('the stock of RSA keys', () => {
  it('gives each key once, except the first; after the last one, a suite gets new keys and none of an earlier suite', async () => {
    const stock = await createRsaKeys(3);
    const moduli = stock.map(modulusOf);

    takeRsaKeysFrom(stock, subtle);
    const ofEarlierSuite = await createdModulus();
    takeRsaKeysFrom(stock, subtle);
    const [first, second, ...others] = [await createdModulus(), await createdModulus(), await createdModulus()];

    expect([ofEarlierSuite, first, second]).toEqual([moduli[1], moduli[1], moduli[2]]);
    expect(moduli).not.toContain(others[0]);
  });
});
