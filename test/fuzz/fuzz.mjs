// npm run fuzz [-- --runs 500] [--seed N]: property tests with random inputs, --runs of them for each property.
// npm run fuzz -- --coverage [--seconds 600] [--target cookies]: inputs that Jazzer.js finds by coverage, for each target.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readArguments, refuse, refuseUnused, wholeNumber } from '../support/arguments.mjs';
import { fuzzWithCoverage, targetNames } from './jazzer/run.mjs';

const values = readArguments({
  runs: { type: 'string' },
  seed: { type: 'string' },
  coverage: { type: 'boolean' },
  seconds: { type: 'string' },
  target: { type: 'string', multiple: true },
});
if (values.coverage) refuseUnused(values, ['runs', 'seed'], 'with --coverage');
else refuseUnused(values, ['seconds', 'target'], 'without --coverage');
const runs = wholeNumber('runs', values.runs ?? '500');
const seconds = wholeNumber('seconds', values.seconds ?? '600');
const seed = values.seed === undefined ? undefined : wholeNumber('seed', values.seed, -Infinity);
const targets = values.target ?? targetNames;
const unknown = targets.find((name) => !targetNames.includes(name));
if (unknown !== undefined) refuse(`No target has the name "${unknown}". The names: ${targetNames.join(', ')}`);

/** Runs the property tests with Jest. @returns a result for each property */
function runPropertyTests() {
  const folder = mkdtempSync(join(tmpdir(), 'oneid-fuzz-'));
  const report = join(folder, 'report');
  const { status } = spawnSync(
    process.execPath,
    [
      '--experimental-vm-modules',
      '--disable-warning=ExperimentalWarning',
      fileURLToPath(new URL('../../node_modules/jest/bin/jest.js', import.meta.url)),
      '--selectProjects=e2e',
      '--testPathPatterns=test/fuzz/',
      '--testTimeout=7200000',
      '--maxWorkers=1',
    ],
    {
      stdio: 'inherit',
      env: {
        ...process.env,
        FUZZ_REPORT: report,
        FUZZ_RUNS: String(runs),
        ...(seed !== undefined && { FUZZ_SEED: String(seed) }),
      },
    },
  );
  const lines = existsSync(report) ? readFileSync(report, 'utf8').trim().split('\n') : [];
  rmSync(folder, { recursive: true });
  const results = lines.map((line) => JSON.parse(line));
  // a test that fails outside its property has no line of its own
  if (status !== 0 && !results.some(({ failed }) => failed)) results.push({ inputs: 0, failed: true });
  return results;
}

const results = values.coverage ? fuzzWithCoverage(seconds, targets) : runPropertyTests();
const inputs = results.reduce((sum, result) => sum + result.inputs, 0);
const findings = results.filter(({ failed }) => failed).length;
if (findings > 0) process.exitCode = 1;
console.log(`${results.length} targets, ${inputs} inputs, ${findings} findings`);
