import { type Parameters } from 'fast-check';

/** How many properties share the runs. */
const PROPERTIES = 9;

/** A few hundred inputs for each property in `npm test`; `npm run fuzz -- --runs N` makes it N in all. */
export function fuzzParameters<T>(): Parameters<T> {
  const { FUZZ_RUNS, FUZZ_SEED } = process.env;
  return {
    numRuns: FUZZ_RUNS === undefined ? 200 : Math.ceil(Number(FUZZ_RUNS) / PROPERTIES),
    ...(FUZZ_SEED !== undefined && { seed: Number(FUZZ_SEED) }),
  };
}
