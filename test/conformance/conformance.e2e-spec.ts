import { expect, it } from '@jest/globals';
import { conformance, rawPlaceholders, readable, securityClaims } from './conformance.mjs';

it('every row of the requirements and every situation has a test, and docs/conformance.md names them', async () => {
  const { missing, text, written } = await conformance();
  expect(missing).toEqual([]);
  expect(written).toBe(text);
});

it('docs/conformance.md shows no placeholder of a test title', async () => {
  const { written } = await conformance();
  expect(rawPlaceholders(written)).toEqual([]);
});

it.each([
  ['takes %s with %d bytes, %j or %p', 'takes … with … bytes, … or …'],
  ['%s pinned per client, on $name', '… pinned per client, on …'],
  ['row $# of $client.id, %#: 100 %% of ${count + 1}', 'row … of …, …: 100 % of …'],
])('the title %j is made readable, and its placeholders are found', (title, expected) => {
  expect(readable(title)).toBe(expected);
  expect(rawPlaceholders(`fine\n${title}\n${expected}`)).toEqual([title]);
});

it('every test that SECURITY.md names exists', async () => {
  const claims = await securityClaims();
  expect(claims.length).toBeGreaterThan(15);
  expect(claims.filter(({ found }) => !found)).toEqual([]);
});
