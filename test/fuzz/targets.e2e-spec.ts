import { describe, expect, it } from '@jest/globals';
import { readdirSync } from 'node:fs';
import fc from 'fast-check';
import { corpusOf } from './corpus.js';
import { fuzzParameters } from './fuzz-parameters.js';
import { checkInput } from './fuzz-target.js';
import { targets } from './targets.js';

/** Inputs that differ a little from those of the corpus. */
function changed(corpus: readonly string[]): fc.Arbitrary<string> {
  const [one, other] = [fc.constantFrom(...corpus), fc.constantFrom(...corpus)];
  const cut = fc.tuple(one, fc.nat(), fc.nat(), fc.oneof(fc.string({ maxLength: 3 }), other));
  return cut.map(([text, from, length, by]) => {
    const start = from % (text.length + 1);
    return text.slice(0, start) + by + text.slice(start + (length % 8));
  });
}

describe.each(targets)('what parses $name', (target) => {
  const corpus = corpusOf(target.name);

  it('keeps its properties for the corpus', async () => {
    for (const input of corpus) await checkInput(target, input);
  });

  it('keeps its properties for random inputs', async () => {
    const inputs = fc.oneof(target.inputs, changed(corpus));
    await fc.assert(
      fc.asyncProperty(inputs, (input) => checkInput(target, input)),
      fuzzParameters(),
    );
  });
});

it('every target has a corpus, and every corpus a target', () => {
  const folders = readdirSync(new URL('corpus', import.meta.url));
  expect(folders.sort()).toEqual(targets.map(({ name }) => name).sort());
});
