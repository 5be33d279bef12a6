import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Patch, PLANTED_PATCH } from '../support/patch.mjs';
import { type NamedTest } from './sabotage.js';
import { type JestReport } from './verdict.js';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** What one run of Jest does. */
export interface Run {
  readonly tests: readonly NamedTest[];
  /** The fault to plant. */
  readonly patch?: Patch;
  /** How many files Jest runs at the same time. */
  readonly maxWorkers: number;
  readonly timeoutMs: number;
}

/**
 * Runs tests by their names. Call it after `global-setup.mjs`, whose servers the tests use.
 *
 * @throws when Jest writes no report: it did not end in time, or could not start
 */
export async function runTests({ tests, patch, maxWorkers, timeoutMs }: Run): Promise<JestReport> {
  const folder = await mkdtemp(join(tmpdir(), 'oneid-sabotage-'));
  const report = join(folder, 'report.json');
  const names = new Set(tests.map(({ name }) => escaped(name)));
  const args = [
    ...['--experimental-vm-modules', '--disable-warning=ExperimentalWarning', 'node_modules/jest/bin/jest.js'],
    ...['--config', 'jest.sabotage.config.js', '--maxWorkers', String(maxWorkers), '--json', '--outputFile', report],
    ...['--testNamePattern', `^(${[...names].join('|')})$`],
    ...['--runTestsByPath', ...new Set(tests.map(({ file }) => file))],
  ];
  try {
    const jest = spawn(process.execPath, args, {
      cwd: root,
      // with services, some suites have other names
      env: { ...process.env, TEST_SERVICES: undefined, [PLANTED_PATCH]: patch && JSON.stringify(patch) },
      stdio: ['ignore', 'ignore', 'pipe'],
      timeout: timeoutMs,
    });
    let output = '';
    jest.stderr.on('data', (data) => (output += String(data)));
    await once(jest, 'close');
    const text = await readFile(report, 'utf8').catch(() => undefined);
    if (text === undefined)
      throw new Error(`Jest wrote no report within ${timeoutMs / 1000} s:\n${output.slice(-2_000)}`);
    return JSON.parse(text) as JestReport;
  } finally {
    await rm(folder, { recursive: true });
  }
}

const escaped = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/]/g, String.raw`\$&`);
