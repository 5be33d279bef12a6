import { appendFileSync } from 'node:fs';
import { type Parameters } from 'fast-check';

/** In `npm test`, 200 inputs for each property. `npm run fuzz -- --runs N` sends N inputs to each. */
export function fuzzParameters<T>(): Parameters<T> {
  const { FUZZ_RUNS, FUZZ_SEED } = process.env;
  return {
    numRuns: Number(FUZZ_RUNS ?? 200),
    ...(FUZZ_SEED !== undefined && { seed: Number(FUZZ_SEED) }),
    plugins: [() => ({ onAllRunsComplete: ({ numRuns, failed }) => report(numRuns, failed) })],
  };
}

/** Tells `npm run fuzz` how many inputs a property has had, and whether it failed. */
function report(inputs: number, failed: boolean): void {
  const file = process.env['FUZZ_REPORT'];
  if (file !== undefined) appendFileSync(file, `${JSON.stringify({ inputs, failed })}\n`);
}
