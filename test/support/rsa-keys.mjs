import { createPrivateKey, createPublicKey, generateKeyPair } from 'node:crypto';
import { promisify } from 'node:util';

/** How many keys a run creates at its start. A suite that needs more creates the others itself. */
const COUNT = 16;
const MODULUS_LENGTH_BITS = 2048;

/**
 * Creates RSA keys. The creation of one takes more processor time than most tests, so a run creates a stock of them at its
 * start, and all suites use it.
 *
 * @returns private keys, as PKCS #8 in PEM
 */
export async function createRsaKeys(count = COUNT) {
  const options = { modulusLength: MODULUS_LENGTH_BITS, privateKeyEncoding: { format: 'pem', type: 'pkcs8' } };
  const pairs = await Promise.all(Array.from({ length: count }, () => promisify(generateKeyPair)('rsa', options)));
  return pairs.map(({ privateKey }) => privateKey);
}

/**
 * Lets `subtle` take RSA keys from the stock, each once; after the last one, it creates keys. It leaves out the first
 * key: with this key, the provider of each suite signs. The suites of one process share one `subtle`, so each suite
 * replaces what the suite before it has set up.
 *
 * @param {string[]} stock private keys, as PKCS #8 in PEM
 * @param {SubtleCrypto} subtle
 */
export function takeRsaKeysFrom(stock, subtle) {
  const create = Object.getPrototypeOf(subtle).generateKey.bind(subtle);
  const left = stock.slice(1);
  subtle.generateKey = async (algorithm, extractable, usages) => {
    const { name, modulusLength } = Object(algorithm);
    const wanted = /^RSA/.test(name) && modulusLength === MODULUS_LENGTH_BITS;
    const pem = wanted ? left.shift() : undefined;
    if (pem === undefined) return create(algorithm, extractable, usages);
    const key = createPrivateKey(pem);
    const pkcs8 = key.export({ format: 'der', type: 'pkcs8' });
    const spki = createPublicKey(key).export({ format: 'der', type: 'spki' });
    return {
      privateKey: await subtle.importKey('pkcs8', pkcs8, algorithm, extractable, usages.filter(isPrivate)),
      publicKey: await subtle.importKey(
        'spki',
        spki,
        algorithm,
        true,
        usages.filter((usage) => !isPrivate(usage)),
      ),
    };
  };
}

function isPrivate(usage) {
  return ['sign', 'decrypt', 'unwrapKey'].includes(usage);
}
