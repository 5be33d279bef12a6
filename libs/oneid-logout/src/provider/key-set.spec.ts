import { describe, expect, it } from '@jest/globals';
import { KeyObject } from 'node:crypto';
import { createSigningKey, signCompact } from '../testing/index.js';
import { KeySet } from './key-set.js';

const key = await createSigningKey('ES256', 'one');
const other = await createSigningKey('ES256', 'two');

function setOf(...keys: readonly unknown[]): KeySet {
  const set = KeySet.of({ keys });
  if (set === undefined) throw new Error('no key set');
  return set;
}

/** The kid of the key that has signed the token, or the fault. */
async function find(set: KeySet, jws: string, algorithm = 'ES256'): Promise<unknown> {
  const found = await set.find(jws, algorithm);
  if (!(found instanceof KeyObject)) return found;
  const jwk = found.export({ format: 'jwk' });
  return [key, other].find(({ publicJwk }) => publicJwk.x === jwk.x)?.kid;
}

describe('KeySet', () => {
  const set = setOf(key.publicJwk, other.publicJwk);

  it('P12: an answer without a list of keys is no key set', () => {
    expect([null, [], {}, { keys: {} }, 'keys'].map((answer) => KeySet.of(answer))).toEqual(Array(5).fill(undefined));
  });

  it('P12: has a key for the algorithms of its keys alone', () => {
    expect(['ES256', 'ES384', 'RS256'].map((algorithm) => set.has(algorithm))).toEqual([true, false, false]);
    expect(setOf().has('ES256')).toBe(false);
  });

  it('P12: the first key for an algorithm', () => {
    expect(set.first('ES256')?.export({ format: 'jwk' }).x).toBe(key.publicJwk.x);
    expect(set.first('RS256')).toBeUndefined();
  });

  it('P12: finds the key that has signed the token', async () => {
    expect(await find(set, signCompact({}, key))).toBe('one');
    expect(await find(set, signCompact({}, other))).toBe('two');
    expect(await find(set, signCompact({}, other, { kid: undefined }))).toBe('two');
    expect(await find(setOf({ ...key.publicJwk, kid: undefined }), signCompact({}, key, { kid: 'x' }))).toBe('one');
  });

  it('P12: tells why it finds none', async () => {
    expect(await find(set, signCompact({}, key, { kid: 'three' }))).toBe('key_unknown');
    expect(await find(set, signCompact({}, other, { kid: 'one' }))).toBe('mismatch');
    expect(await find(set, signCompact({}, key), 'RS256')).toBe('malformed');
    // jose knows no critical header parameter (RFC 7515 §4.1.11)
    expect(await find(set, signCompact({}, key, { crit: ['exp'], exp: 1 }))).toBe('malformed');
  });

  it('P12: an entry that cannot verify is skipped', () => {
    const { kty, ...withoutType } = key.publicJwk;
    const { privateKey } = key;
    const entries: [unknown, boolean][] = [
      [key.publicJwk, true],
      [{ ...key.publicJwk, use: undefined, alg: undefined }, true],
      [{ ...key.publicJwk, use: null, alg: null, key_ops: null }, true],
      [{ ...key.publicJwk, use: '', alg: '', key_ops: '' }, true],
      [{ ...key.publicJwk, key_ops: ['sign', 'verify'] }, true],
      [privateKey.export({ format: 'jwk' }), true],
      [withoutType, false],
      [{ ...withoutType, kty: '' }, false],
      [{ ...withoutType, kty: `${kty}x` }, false],
      [{ ...key.publicJwk, use: 'enc' }, false],
      [{ ...key.publicJwk, alg: 256 }, false],
      [{ ...key.publicJwk, alg: 'ES384' }, false],
      [{ ...key.publicJwk, key_ops: ['sign'] }, false],
      [{ ...key.publicJwk, key_ops: 'verify' }, false],
      [{ ...key.publicJwk, x: '' }, false],
      [null, false],
      ['a key', false],
    ];
    for (const [entry, expected] of entries) expect([entry, setOf(entry).has('ES256')]).toEqual([entry, expected]);
  });
});
