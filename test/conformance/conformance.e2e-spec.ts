import { expect, it } from '@jest/globals';
import { conformance, securityClaims } from './conformance.mjs';

it('every row of the requirements has a test, and docs/conformance.md names them', async () => {
  const { missing, text, written } = await conformance();
  expect(missing).toEqual([]);
  expect(written).toBe(text);
});

it('every test that SECURITY.md names is there', async () => {
  const claims = await securityClaims();
  expect(claims.length).toBeGreaterThan(15);
  expect(claims.filter(({ found }) => !found)).toEqual([]);
});
