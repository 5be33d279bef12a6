// Fuzzing by coverage, with Jazzer.js. It is installed on demand, because its binary does not load everywhere.
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const pathOf = (file) => fileURLToPath(new URL(file, import.meta.url));
const reports = join(root, 'reports');
const installed = join(reports, 'jazzer');
const cli = join(installed, 'node_modules/@jazzer.js/core/dist/cli.js');

/** The status of a run that found an input. */
const FINDING = 77;
/** Longest input, bytes. */
const MAX_LENGTH = 4096;
/** An input that takes longer is a finding, milliseconds. */
const TIMEOUT = 5000;

/** Each target has a folder of inputs. */
export const targetNames = readdirSync(pathOf('../corpus')).sort();

/**
 * Fuzzes targets one after another. Inputs that reach new code go to `reports/fuzz/<target>`.
 *
 * @param seconds for each target
 * @returns a result for each target
 */
export function fuzzWithCoverage(seconds, names) {
  install();
  return names.map((name) => fuzz(name, seconds));
}

function install() {
  if (!existsSync(cli)) {
    mkdirSync(installed, { recursive: true });
    for (const file of ['package.json', 'package-lock.json']) cpSync(pathOf(file), join(installed, file));
    console.log('Installing Jazzer.js');
    execFileSync('npm', ['ci', '--ignore-scripts'], { cwd: installed, stdio: ['ignore', 'ignore', 'inherit'] });
  }
  // node from the PATH, and not process.execPath: with another C library, that is the path of its loader
  const loaded = spawnSync('node', ['-e', "require('@jazzer.js/fuzzer')"], { cwd: installed, encoding: 'utf8' });
  if (loaded.status === 0) return;
  const reason = /^Error: .*$/m.exec(loaded.stderr)?.[0] ?? loaded.stderr;
  console.error(`Jazzer.js does not run here: see docs/fuzzing.md. ${reason}`);
  process.exit(2);
}

function fuzz(name, seconds) {
  const found = join(reports, 'fuzz', name);
  mkdirSync(found, { recursive: true });
  console.log(`${name}: ${seconds} s`);
  const { status, stderr } = spawnSync(
    'node',
    [
      ...[
        '--import',
        pathOf('../../support/typescript.mjs'),
        cli,
        pathOf('entry.mjs'),
        found,
        pathOf(`../corpus/${name}`),
      ],
      ...['--includes', 'libs/oneid-logout/src', '--timeout', String(TIMEOUT)],
      ...['--', `-max_total_time=${seconds}`, `-max_len=${MAX_LENGTH}`, '-print_final_stats=1'],
      `-artifact_prefix=${join(reports, 'fuzz', `${name}-`)}`,
    ],
    { cwd: root, encoding: 'utf8', maxBuffer: Infinity, env: { ...process.env, FUZZ_TARGET: name } },
  );
  const inputs = Number(/number_of_executed_units: *(\d+)/.exec(stderr)?.[1] ?? 0);
  const reached = [...stderr.matchAll(/ cov: (\d+) ft: (\d+) corp: (\d+)/g)].at(-1);
  const failed = status !== 0;
  if (failed) console.log(stderr.slice(-4000));
  if (status === FINDING) console.log(`The input is in ${relative(root, join(reports, 'fuzz'))}/${name}-*`);
  console.log(`${name}: ${inputs} inputs, ${reached?.[1] ?? 0} places of the code, ${reached?.[3] ?? 0} kept inputs`);
  return { inputs, failed };
}
