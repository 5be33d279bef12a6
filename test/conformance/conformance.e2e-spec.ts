import { expect, it } from '@jest/globals';
import { conformance } from './conformance.mjs';

it('every row of the requirements has a test, and docs/conformance.md names them', async () => {
  const { missing, text, written } = await conformance();
  expect(missing).toEqual([]);
  expect(written).toBe(text);
});
