// npm test: runs all tests that need no external service. It passes its arguments to Jest: npm test -- test/module
import { spawn } from 'node:child_process';
import { availableParallelism, setPriority } from 'node:os';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/** The quick suites run at this lower priority, because the slow suites measure times. */
const LOW_PRIORITY = 10;

/** Megabytes for young objects: with Node's default, these processes spend much more time on collecting garbage. */
const MORE_YOUNG_SPACE = '--max-semi-space-size=64';

function jest(args, stdio) {
  return spawn(process.execPath, [MORE_YOUNG_SPACE, 'node_modules/jest/bin/jest.js', ...args], { cwd: root, stdio });
}

/** Resolves with the process's exit code and output when it has ended. */
async function ended(child) {
  const output = [];
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (data) => output.push(data));
  const code = await new Promise((resolve) => child.on('close', resolve));
  return { code: code ?? 1, output: Buffer.concat(output) };
}

async function runAll() {
  // at the same time, because the quick suites use the processors and the slow suites mostly wait
  const quick = jest(
    ['--selectProjects', 'unit', 'e2e', '--maxWorkers', String(Math.max(2, availableParallelism() - 1))],
    'inherit',
  );
  setPriority(quick.pid, LOW_PRIORITY);
  const slow = jest(['--selectProjects', 'processes', '--runInBand'], ['ignore', 'pipe', 'pipe']);
  const [first, second] = await Promise.all([ended(quick), ended(slow)]);
  process.stderr.write(second.output);
  return first.code || second.code;
}

const args = process.argv.slice(2);
process.exitCode = args.length > 0 ? (await ended(jest(args, 'inherit'))).code : await runAll();
