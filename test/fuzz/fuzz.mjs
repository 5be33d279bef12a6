// npm run fuzz [-- --runs 500] [-- --seed N]: property tests with random inputs, --runs of them for each property.
// npm run fuzz -- --coverage [--seconds 600] [--target cookies]: inputs that Jazzer.js finds by coverage, for each target.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { fuzzWithCoverage } from './jazzer/run.mjs';

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '500' },
    seed: { type: 'string' },
    coverage: { type: 'boolean', default: false },
    seconds: { type: 'string', default: '600' },
    target: { type: 'string', multiple: true },
  },
});
for (const name of ['runs', 'seconds']) {
  if (!/^[1-9]\d*$/.test(values[name])) {
    console.error(`--${name} takes a whole number`);
    process.exit(2);
  }
}

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
        FUZZ_RUNS: values.runs,
        ...(values.seed && { FUZZ_SEED: values.seed }),
      },
    },
  );
  const lines = readFileSync(report, 'utf8').trim().split('\n');
  rmSync(folder, { recursive: true });
  // a test that fails outside its property has no line of its own
  if (status !== 0) process.exitCode = 1;
  return lines.map((line) => JSON.parse(line));
}

const results = values.coverage ? fuzzWithCoverage(Number(values.seconds), values.target) : runPropertyTests();
const inputs = results.reduce((sum, result) => sum + result.inputs, 0);
const findings = results.filter(({ failed }) => failed).length;
if (findings > 0) process.exitCode = 1;
console.log(`${results.length} targets, ${inputs} inputs, ${findings} findings`);
