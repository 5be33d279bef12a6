import { type Parameters } from 'fast-check';

/** The number of property tests that share the runs. */
const PROPERTIES = 9;

/** In `npm test`, 200 inputs for each property. `npm run fuzz -- --runs N` shares N inputs among all properties. */
export function fuzzParameters<T>(): Parameters<T> {
  const { FUZZ_RUNS, FUZZ_SEED } = process.env;
  return {
    numRuns: FUZZ_RUNS === undefined ? 200 : Math.ceil(Number(FUZZ_RUNS) / PROPERTIES),
    ...(FUZZ_SEED !== undefined && { seed: Number(FUZZ_SEED) }),
  };
}
