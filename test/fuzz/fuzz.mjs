// npm run fuzz -- --runs 200000: runs the property tests of this folder with 200,000 inputs together.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const { values } = parseArgs({ options: { runs: { type: 'string', default: '10000' }, seed: { type: 'string' } } });
if (!/^[1-9]\d*$/.test(values.runs)) {
  console.error('--runs takes a whole number');
  process.exit(2);
}
const { status } = spawnSync(
  process.execPath,
  [
    '--experimental-vm-modules',
    fileURLToPath(new URL('../../node_modules/jest/bin/jest.js', import.meta.url)),
    '--selectProjects=e2e',
    '--testPathPatterns=test/fuzz/',
    '--testTimeout=7200000',
  ],
  {
    stdio: 'inherit',
    env: { ...process.env, FUZZ_RUNS: values.runs, ...(values.seed && { FUZZ_SEED: values.seed }) },
  },
);
process.exit(status ?? 1);
