import { createSecretKey } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { compactVerify, importJWK } from 'jose';
import { signCompact } from './sign-compact.js';
import { createSigningKey } from './signing-keys.js';

const decode = (part: string | undefined): unknown => JSON.parse(Buffer.from(part ?? '', 'base64url').toString());

describe('signCompact', () => {
  it.each(['RS256', 'RS512', 'PS256', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'])(
    'signs %s so that jose verifies it',
    async (alg) => {
      const key = await createSigningKey(alg);
      const token = signCompact({ iss: 'a' }, key, { typ: 'JWT' });

      const { payload, protectedHeader } = await compactVerify(token, await importJWK(key.publicJwk));

      expect(protectedHeader).toEqual({ alg, kid: key.kid, typ: 'JWT' });
      expect(new TextDecoder().decode(payload)).toBe('{"iss":"a"}');
    },
  );

  it.each(['HS256', 'HS384', 'HS512'] as const)('signs %s with a secret', async (alg) => {
    const token = signCompact({ iss: 'a' }, { secret: 'top secret', alg });

    const { protectedHeader } = await compactVerify(token, createSecretKey(Buffer.from('top secret')));

    expect(protectedHeader).toEqual({ alg });
  });

  it('accepts a public PEM as a secret, for tests of algorithm confusion', async () => {
    const { publicPem } = await createSigningKey();
    const token = signCompact({}, { secret: publicPem });

    await expect(compactVerify(token, createSecretKey(Buffer.from(publicPem)))).resolves.toMatchObject({
      protectedHeader: { alg: 'HS256' },
    });
  });

  it("leaves the signature empty for 'none'", () => {
    const [header, payload, signature] = signCompact({ iss: 'a' }, 'none').split('.');

    expect([decode(header), decode(payload), signature]).toEqual([{ alg: 'none' }, { iss: 'a' }, '']);
  });

  it('lets a test set false header values, and omits undefined ones', async () => {
    const key = await createSigningKey('ES256');
    const [header, , signature] = signCompact({}, key, { alg: 'RS256', kid: undefined, crit: ['b64'] }).split('.');

    expect(decode(header)).toEqual({ alg: 'RS256', crit: ['b64'] });
    expect(Buffer.from(signature ?? '', 'base64url')).toHaveLength(64);
  });

  it('signs a payload that is not a JSON object unchanged', () => {
    const [, payload] = signCompact('[1', 'none').split('.');

    expect(Buffer.from(payload ?? '', 'base64url').toString()).toBe('[1');
  });
});
