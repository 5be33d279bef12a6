// npm run mutate: changes the code that decides, and looks whether its tests notice. Without options it runs all groups
// and writes docs/mutation.md. --only rule runs one group and writes nothing.
import { spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { readArguments, refuse } from '../support/arguments.mjs';
import { createRsaKeys } from '../support/rsa-keys.mjs';
import { groups, pathsOf } from './groups.mjs';
import { judge, tellUnused, writePage } from './report.mjs';

const { only } = readArguments({ only: { type: 'string' } });
const known = Object.keys(groups);
if (only !== undefined && !known.includes(only))
  refuse(`No group has the name "${only}". The groups: ${known.join(', ')}`);

/** Almost as many as the suite with the most keys needs. On Linux, an environment variable has at most 128 KiB. */
const RSA_KEYS = 64;
const TEST_RSA_KEYS = JSON.stringify(await createRsaKeys(RSA_KEYS));
const files = {};
for (const name of only === undefined ? known : [only]) Object.assign(files, await mutate(groups[name]));

const judgement = judge(files);
process.exitCode = judgement.passes ? 0 : 1;
if (only === undefined) {
  await writePage(judgement);
  if (tellUnused(judgement)) process.exitCode = 1;
}

/** @returns {Promise<object>} Stryker's report: for each file its source and its mutants */
async function mutate(group) {
  const mutate = ['--mutate', pathsOf(group.files).join(',')];
  const env = { ...process.env, TEST_RSA_KEYS, MUTATION_TESTS: JSON.stringify(pathsOf(group.tests)) };
  const { status } = spawnSync('npx', ['stryker', 'run', ...mutate], { stdio: 'inherit', env });
  if (status !== 0) throw new Error(`Stryker could not run: exit code ${status}`);
  return JSON.parse(await readFile('reports/mutation.json', 'utf8')).files;
}
