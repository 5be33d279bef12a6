// Checks every supported Node except the one that runs this script. For each Node it copies the repository, and runs
// `npm ci` and `npm run demo`. On the newest Node it also runs the tests whose result the version of Node can change
// (jest.nodes.config.js), and on the oldest Node and on the newest LTS `npm run test:package`. It prints one line for each
// check. The exit code is 1 if a check fails.
// `npm run test:nodes -- 24` checks only Node 24, with the tests. `npm run test:nodes -- --whole` runs all of `npm test` and
// `npm run test:package` on each Node: do this before a release.
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { refuse } from '../support/arguments.mjs';
import { check, failures, faultsOfCommand } from '../support/checks.mjs';
import { installNode } from './node-version.mjs';
import { nodeLines } from './supported.mjs';

/** npm's warnings about the settings of this machine. They say nothing about the repository. */
const MACHINE_WARNING = /^npm warn (Unknown (env|user|builtin|global) config|cli npm v)/;

const COMPILERS = /^(python|g?make$|cmake|gcc|g\+\+|cc$|c\+\+|clang|node$|.*-(gcc|g\+\+))/;

const root = fileURLToPath(new URL('../..', import.meta.url));
const isWhole = process.argv.includes('--whole');
const asked = process.argv.slice(2).filter((argument) => argument !== '--whole');
const unknown = asked.find((version) => !nodeLines.includes(version));
if (unknown !== undefined) refuse(`npm run test:nodes takes --whole or ${nodeLines.join(', ')}, not "${unknown}"`);
const temporary = realpathSync(mkdtempSync(join(tmpdir(), 'oneid-logout-nodes-')));
// when root runs this, PostgreSQL runs as another user, who must be able to enter the folder
chmodSync(temporary, 0o711);
const tests = isWhole ? 'npm test' : 'npm test -- --config jest.nodes.config.js';
const [here] = process.versions.node.split('.');

/** A folder with a link to each program of this machine, except compilers. */
function programsWithoutCompilers() {
  const folder = join(temporary, 'programs');
  if (existsSync(folder)) return folder;
  mkdirSync(folder);
  const linked = new Set();
  for (const from of process.env.PATH.split(delimiter).filter(existsSync)) {
    for (const program of readdirSync(from)) {
      if (!COMPILERS.test(program) && !linked.has(program)) symlinkSync(join(from, program), join(folder, program));
      linked.add(program);
    }
  }
  return folder;
}

/** All files of the working tree that git does not ignore. */
function copy(version) {
  const folder = join(temporary, `copy-${version}`);
  const list = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: root });
  for (const file of list.toString().split('\0')) {
    if (file === '' || !existsSync(join(root, file))) continue;
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    cpSync(join(root, file), join(folder, file));
  }
  return folder;
}

function checkCommand({ name }, command, options) {
  return check(`${name}: ${command}`, () => faultsOfCommand(command, options));
}

const warningsIn = (_stdout, stderr) =>
  stderr.split('\n').filter((line) => line.startsWith('npm warn') && !MACHINE_WARNING.test(line));
const missedSteps = (stdout) => (/^(\d+) steps, \1 as expected$/m.test(stdout) ? [] : [stdout]);
const packageFaults = (stdout) => (/^the package is fine$/m.test(stdout) ? [] : [stdout]);
const failedTests = (_stdout, stderr) => (/^Tests: +[1-9]\d* passed, \d+ total$/m.test(stderr) ? [] : [stderr]);

try {
  const wanted = nodeLines.filter((version) => (asked.length > 0 ? asked.includes(version) : version !== here));
  // better-sqlite3 13 must work without a compiler; version 12, on Node 20, may need one
  const nodes = await Promise.all(
    wanted.map((version) =>
      installNode(version, temporary, version === '20' ? process.env.PATH : programsWithoutCompilers()),
    ),
  );
  const newestLts = nodes.findLast(({ lts }) => lts);
  // at the same time, because npm mostly waits; the other commands one after another, because their tests watch clocks
  const installed = await Promise.all(
    nodes.map(async (node) => {
      const cwd = copy(node.version);
      return { node, cwd, passed: await checkCommand(node, 'npm ci', { cwd, env: node.env, faultsOf: warningsIn }) };
    }),
  );
  for (const { node, cwd, passed } of installed) {
    const { version, env } = node;
    const packs = isWhole || version === nodeLines[0] || node === newestLts;
    if (passed) await checkCommand(node, 'npm run demo', { cwd, env, faultsOf: missedSteps });
    if (passed && packs) await checkCommand(node, 'npm run test:package', { cwd, env, faultsOf: packageFaults });
    const runsTests = isWhole || asked.length > 0 || version === nodeLines.at(-1);
    if (passed && runsTests) await checkCommand(node, tests, { cwd, env, faultsOf: failedTests });
    rmSync(cwd, { recursive: true });
  }
} finally {
  rmSync(temporary, { recursive: true, force: true });
}
process.exitCode = failures() === 0 ? 0 : 1;
