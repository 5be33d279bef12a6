// Checks every supported Node except the one that runs this script. For each Node it copies the repository, and runs
// `npm ci`, `npm run demo` and the unit tests. On the oldest Node and on the newest LTS it runs all of `npm test`, and
// `npm run test:package`. It prints one line for each check. The exit code is 1 if a check fails.
// `npm run test:nodes -- 24` checks only Node 24.
import { execFileSync, spawn } from 'node:child_process';
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
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { nodeLines } from './supported.mjs';

/** npm's warnings about the settings of this machine. They say nothing about the repository. */
const MACHINE_WARNING = /^npm warn (Unknown (env|user|builtin|global) config|cli npm v)/;

const COMPILERS = /^(python|g?make$|cmake|gcc|g\+\+|cc$|c\+\+|clang|node$|.*-(gcc|g\+\+))/;

const root = fileURLToPath(new URL('../..', import.meta.url));
const temporary = realpathSync(mkdtempSync(join(tmpdir(), 'oneid-logout-nodes-')));
// when root runs this, PostgreSQL runs as another user, who must be able to enter the folder
chmodSync(temporary, 0o711);
const asked = process.argv.slice(2);
const [here] = process.versions.node.split('.');
let failed = 0;

/** Installs Node from npm's package `node`, with its headers, because native addons need them to compile. */
function install(version) {
  const folder = join(temporary, `node-${version}`);
  mkdirSync(folder);
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, allowScripts: { node: true } }));
  execFileSync('npm', ['install', '--no-audit', '--no-fund', '--silent', `node@${version}`], {
    cwd: folder,
    stdio: 'inherit',
  });
  const packageFolder = join(folder, 'node_modules/node');
  const platform = `node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`;
  const nodeFolder = [join(packageFolder, 'node_modules', platform), join(folder, 'node_modules', platform)].find(
    existsSync,
  );
  // better-sqlite3 13 must work without a compiler; version 12, on Node 20, may need one
  const programs = version === '20' ? process.env.PATH : programsWithoutCompilers();
  const path = [join(packageFolder, 'bin'), programs].join(delimiter);
  const env = { ...process.env, PATH: path, npm_config_nodedir: nodeFolder };
  const about = JSON.parse(execFileSync('node', ['-p', 'JSON.stringify([process.version, process.release])'], { env }));
  const [fullVersion, { lts = false }] = about;
  return { version, name: `Node ${fullVersion.slice(1)}`, lts, env };
}

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

async function check({ name }, command, { cwd, env, faultsOf }) {
  const started = performance.now();
  const [program, ...args] = command.split(' ');
  const { status, stdout, stderr } = await ended(spawn(program, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] }));
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  const faults = status === 0 ? faultsOf(stdout, stderr) : [`exit code ${status}`, stdout, stderr];
  if (faults.length > 0) failed += 1;
  console.log(`${faults.length === 0 ? 'ok  ' : 'FAIL'} ${name}: ${command} (${seconds} s)`);
  for (const fault of faults) console.log(`     ${fault.trim().replaceAll('\n', '\n     ')}`);
  return faults.length === 0;
}

/** Resolves with the exit code and the output of a process when it has ended. */
async function ended(child) {
  const [stdout, stderr] = [child.stdout, child.stderr].map(async (stream) => {
    const chunks = [];
    for await (const chunk of stream) chunks.push(chunk);
    return Buffer.concat(chunks).toString();
  });
  const status = await new Promise((resolve, reject) => child.on('close', resolve).on('error', reject));
  return { status, stdout: await stdout, stderr: await stderr };
}

const warningsIn = (_stdout, stderr) =>
  stderr.split('\n').filter((line) => line.startsWith('npm warn') && !MACHINE_WARNING.test(line));
const missedSteps = (stdout) => (/^(\d+) steps, \1 as expected$/m.test(stdout) ? [] : [stdout]);
const packageFaults = (stdout) => (/^the package is fine$/m.test(stdout) ? [] : [stdout]);
const failedTests = (_stdout, stderr) => (/^Tests: +[1-9]\d* passed, \d+ total$/m.test(stderr) ? [] : [stderr]);

try {
  const wanted = nodeLines.filter((version) => (asked.length > 0 ? asked.includes(version) : version !== here));
  const nodes = wanted.map(install);
  const newestLts = nodes.findLast(({ lts }) => lts);
  // at the same time, because npm mostly waits; the other commands one after another, because their tests watch clocks
  const installed = await Promise.all(
    nodes.map(async (node) => {
      const cwd = copy(node.version);
      return { node, cwd, passed: await check(node, 'npm ci', { cwd, env: node.env, faultsOf: warningsIn }) };
    }),
  );
  for (const { node, cwd, passed } of installed) {
    const { version, env } = node;
    const wholly = version === nodeLines[0] || node === newestLts;
    if (passed) await check(node, 'npm run demo', { cwd, env, faultsOf: missedSteps });
    if (passed && wholly) await check(node, 'npm run test:package', { cwd, env, faultsOf: packageFaults });
    if (passed) await check(node, wholly ? 'npm test' : 'npm run test:unit', { cwd, env, faultsOf: failedTests });
    rmSync(cwd, { recursive: true });
  }
} finally {
  rmSync(temporary, { recursive: true, force: true });
}
process.exitCode = failed === 0 ? 0 : 1;
