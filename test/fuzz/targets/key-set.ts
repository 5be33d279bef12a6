import assert from 'node:assert/strict';
import { KeyObject } from 'node:crypto';
import fc from 'fast-check';
import { importJWK } from 'jose';
import { KeySet } from '../../../libs/oneid-logout/src/provider/key-set.js';
import { assertShowable, type FuzzTarget } from '../fuzz-target.js';

/** The key that has signed {@link TOKEN}: the example of RFC 7515 Appendix A.2. */
const RSA_KEY = {
  kty: 'RSA',
  n:
    'ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNM' +
    'D1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdV' +
    'MTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ',
  e: 'AQAB',
};
const TOKEN =
  'eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.' +
  'cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjb' +
  'KBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtF' +
  'ZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw';

const ALGORITHMS = ['RS256', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'];
const PRIVATE = new Set(['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']);
const LEAST_RSA_LENGTH = 2048;

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isAbsent = (value: unknown): boolean => value === undefined || value === null || value === '';
const isSame = (one: unknown, other: string): boolean =>
  one === other || (typeof one === 'string' && [one, other].every((name) => name === 'EdDSA' || name === 'Ed25519'));

/** Does jose take this entry as a public key for signatures with this algorithm (RFC 7517 §4)? */
async function isUsable(entry: unknown, algorithm: string): Promise<boolean> {
  if (!isRecord(entry)) return false;
  const { use, alg, key_ops: operations } = entry;
  if (!isAbsent(use) && use !== 'sig') return false;
  if (!isAbsent(alg) && !isSame(alg, algorithm)) return false;
  if (!isAbsent(operations) && !(Array.isArray(operations) && operations.includes('verify'))) return false;
  const jwk = Object.fromEntries(
    Object.entries(entry).filter(([name]) => !PRIVATE.has(name) && name !== 'key_ops' && name !== 'ext'),
  );
  try {
    const key = await importJWK({ ...jwk, alg: algorithm }, algorithm);
    if (key instanceof Uint8Array) return false;
    const { modulusLength = LEAST_RSA_LENGTH } = key.algorithm as { modulusLength?: number };
    return modulusLength >= LEAST_RSA_LENGTH;
  } catch {
    return false;
  }
}

const EC_KEY = {
  ...{ kty: 'EC', crv: 'P-256', x: 'MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4' },
  y: '4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM',
};
const OKP_KEY = { kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' };

const json = fc.jsonValue({ maxDepth: 1 });
const change = fc.tuple(
  fc.constantFrom('kty', 'crv', 'n', 'e', 'x', 'y', 'kid', 'alg', 'use', 'key_ops', 'd', 'ext', 'x5c', '__proto__'),
  fc.oneof(json, fc.constantFrom('RSA', 'EC', 'P-256', 'sig', 'enc', ['verify'], 'RS256', 'EdDSA', 'AQAB', 'AA', '')),
);
const entry = fc
  .tuple(fc.constantFrom(RSA_KEY, EC_KEY, OKP_KEY), fc.array(change, { maxLength: 2 }))
  .map(([key, changes]) => ({ ...key, ...Object.fromEntries(changes) }));

/** The body of a provider's JWKS. Reference: jose. */
export const keySetTarget: FuzzTarget = {
  name: 'key-set',
  inputs: fc.oneof(
    { weight: 4, arbitrary: fc.array(fc.oneof(entry, json), { maxLength: 3 }).map((keys) => JSON.stringify({ keys })) },
    json.map((value) => JSON.stringify(value)),
    fc.string(),
  ),
  async check(input) {
    let answer: unknown;
    try {
      answer = JSON.parse(input);
    } catch {
      return; // the library gets the parsed answer
    }
    const set = KeySet.of(answer);
    const entries = isRecord(answer) && Array.isArray(answer['keys']) ? (answer['keys'] as unknown[]) : undefined;
    assert.equal(set === undefined, entries === undefined);
    if (set === undefined || entries === undefined) return;
    assertShowable(set.toString());
    for (const algorithm of ALGORITHMS) {
      const usable: boolean[] = await Promise.all(entries.map((one) => isUsable(one, algorithm)));
      assert.equal(set.has(algorithm), usable.includes(true), algorithm);
      assert.equal(set.first(algorithm) !== undefined, set.has(algorithm));
    }
    const found = await set.find(TOKEN, 'RS256');
    const signers = entries.filter((one) => isRecord(one) && one['n'] === RSA_KEY.n && one['e'] === RSA_KEY.e);
    const isThere = (await Promise.all(signers.map((one) => isUsable(one, 'RS256')))).includes(true);
    assert.equal(found instanceof KeyObject, isThere);
    if (!(found instanceof KeyObject)) assert.equal(found, set.has('RS256') ? 'mismatch' : 'key_unknown');
  },
};
