// npm run sabotage: breaks the code one promise at a time, in memory, and expects the named test to fail.
//   --only BC-4               only the sabotages of this promise; may be given several times
//   --sample 8 --seed a1b2c3  eight of them, chosen by the seed, for example a commit's hash
import { createHash } from 'node:crypto';
import { readArguments, refuse, refuseUnused, wholeNumber } from '../support/arguments.mjs';
import start from '../support/global-setup.mjs';
import stop from '../support/global-teardown.mjs';
import { runTests } from './jest-run.js';
import { type Sabotage, titleOf } from './sabotage.js';
import { sabotages } from './sabotages.js';
import { faultWith, faultWithout } from './verdict.js';

/** How many sabotages run at the same time. */
const AT_ONCE = 2;

/** How long one run of Jest may take, milliseconds. */
const TIMEOUT_MS = 120_000;

function chosen(): readonly Sabotage[] {
  const values = readArguments({
    only: { type: 'string', multiple: true },
    sample: { type: 'string' },
    seed: { type: 'string' },
  });
  const { only, sample, seed = '' } = values;
  if (sample === undefined) refuseUnused(values, ['seed'], 'without --sample');
  if (values.seed === '') refuse("--seed takes a text, for example a commit's hash");
  const unknown = only?.find((name) => !sabotages.some(({ promise }) => promise === name));
  if (unknown !== undefined) {
    const promises = [...new Set(sabotages.map(({ promise }) => promise))];
    refuse(`No sabotage has the promise "${unknown}". The promises: ${promises.join('; ')}`);
  }
  const all = sabotages.filter(({ promise }) => only === undefined || only.includes(promise));
  if (sample === undefined) return all;
  const size = wholeNumber('sample', sample);
  const rank = (one: Sabotage) =>
    createHash('sha256')
      .update(`${seed} ${titleOf(one)}`)
      .digest('hex');
  return all.toSorted((a, b) => (rank(a) < rank(b) ? -1 : 1)).slice(0, size);
}

/** Plants one fault. @returns why the named test has not found it; undefined when it has */
async function faultOf(sabotage: Sabotage): Promise<string | undefined> {
  const { test, file, search, replace } = sabotage;
  try {
    const patch = { file, search, replace };
    return faultWith(await runTests({ tests: [test], patch, maxWorkers: 1, timeoutMs: TIMEOUT_MS }), test);
  } catch (error) {
    return String(error);
  }
}

async function run(all: readonly Sabotage[]): Promise<number> {
  const tests = all.map(({ test }) => test);
  const report = await runTests({ tests, maxWorkers: AT_ONCE, timeoutMs: 5 * TIMEOUT_MS });
  const waiting = [...all];
  let found = 0;
  const work = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const began = performance.now();
      const fault = faultWithout(report, next.test) ?? (await faultOf(next));
      const seconds = ((performance.now() - began) / 1000).toFixed(1);
      if (fault === undefined) found += 1;
      console.log(`${fault === undefined ? 'found' : 'NOT FOUND'} (${seconds} s) ${titleOf(next)}`);
      if (fault !== undefined) console.log(`    ${next.test.file}: ${next.test.name}\n    ${fault}`);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return found;
}

const all = chosen();
await start();
const found = await run(all).finally(stop);
console.log(`${all.length} sabotages, ${found} found by the named test`);
process.exitCode = found === all.length ? 0 : 1;
