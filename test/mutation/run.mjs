// npm run mutate: changes the code that decides, and looks whether its tests notice. Without options it runs all groups
// and writes docs/mutation.md. --only rule runs one group and writes nothing.
import { spawnSync } from 'node:child_process';
import { readFile, rm } from 'node:fs/promises';
import { readArguments, refuse } from '../support/arguments.mjs';
import { createRsaKeys } from '../support/rsa-keys.mjs';
import { groups, pathsOf } from './groups.mjs';
import { judge, writePage } from './report.mjs';

const { only } = readArguments({ only: { type: 'string' } });
const known = Object.keys(groups);
if (only !== undefined && !known.includes(only))
  refuse(`No group has the name "${only}". The groups: ${known.join(', ')}`);

const REPORT = 'reports/mutation.json';
/** Almost as many as the suite with the most keys needs. On Linux, an environment variable has at most 128 KiB. */
const RSA_KEYS = 64;
const TEST_RSA_KEYS = JSON.stringify(await createRsaKeys(RSA_KEYS));
const files = {};
for (const name of only === undefined ? known : [only]) Object.assign(files, await mutate(groups[name]));

const judgement = judge(files, only === undefined);
if (only === undefined) await writePage(judgement);
process.exitCode = judgement.passes ? 0 : 1;

/** @returns {Promise<object>} Stryker's report: for each file its source and its mutants */
async function mutate({ files, tests }) {
  const paths = pathsOf(files);
  const env = { ...process.env, TEST_RSA_KEYS, MUTATION_TESTS: JSON.stringify(pathsOf(tests)) };
  // a report of an earlier run must not count for this one
  await rm(REPORT, { force: true });
  const { status } = spawnSync('npx', ['stryker', 'run', '--mutate', paths.join(',')], { stdio: 'inherit', env });
  const report = status === 0 ? JSON.parse(await readFile(REPORT, 'utf8').catch(() => '{}')).files : undefined;
  const missing = paths.filter((path) => report?.[path] === undefined);
  if (missing.length === 0) return report;
  console.error(`Stryker did not report on ${missing.join(', ')}. Compare test/mutation/groups.mjs with the sources`);
  process.exit(1);
}
