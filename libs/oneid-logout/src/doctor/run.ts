import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { type Readable } from 'node:stream';
import { Logger } from '../logger.js';
import { reasonOf } from '../oneid-logout.errors.js';
import { HELP, type Order, parseOrder, UsageError } from './arguments.js';
import { type CheckResult, fault } from './check-result.js';
import { examine } from './doctor.js';
import { redact } from './redact.js';
import { terminalReport } from './report.js';

/** Where a command comes from, and how its output looks. */
export interface Surroundings {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly stdin: Readable;
  /** The columns of the terminal; undefined when the output goes elsewhere. */
  readonly columns: number | undefined;
}

/** What the command prints, and how it ends. */
export interface Outcome {
  readonly stdout: string;
  readonly stderr: string;
  /** 0: all is well, or there are only warnings. 1: a fault. 2: the command line is wrong. */
  readonly exitCode: 0 | 1 | 2;
}

const COLUMNS_WITHOUT_TERMINAL = 100;

/** Runs `nestjs-oneid-logout` with these arguments. */
export async function run(args: readonly string[], surroundings: Surroundings): Promise<Outcome> {
  try {
    const order = parseOrder(args, surroundings.environment);
    if (order.kind === 'help') return { stdout: HELP, stderr: '', exitCode: 0 };
    return await runExamination(order, surroundings);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return { stdout: '', stderr: `${error.message}\nRun with --help for all settings.\n`, exitCode: 2 };
  }
}

async function runExamination(
  order: Extract<Order, { kind: 'examine' }>,
  { environment, stdin, columns }: Surroundings,
): Promise<Outcome> {
  const idToken = order.idTokenFile === undefined ? order.idToken : await readToken(order.idTokenFile, stdin);
  // the library's log would stand between the lines of the report, and says the same
  Logger.overrideLogger(false);
  const found = await examine({ ...order.settings, idToken }).catch((error: unknown) => [bug(error)]);
  const secrets = idToken === undefined ? order.secrets : [...order.secrets, idToken];
  const checks = found.map((result) => redact(result, secrets));
  const healthy = checks.every(({ status }) => status !== 'fault');
  const { NO_COLOR: noColour = '', FORCE_COLOR: force = '' } = environment;
  const colour = noColour === '' && (columns !== undefined || !['', '0'].includes(force));
  const stdout = order.json
    ? `${JSON.stringify({ healthy, checks }, undefined, 2)}\n`
    : terminalReport(checks, { columns: columns ?? COLUMNS_WITHOUT_TERMINAL, colour });
  return { stdout, stderr: '', exitCode: healthy ? 0 : 1 };
}

const bug = (error: unknown): CheckResult =>
  fault('doctor', 'checks that end', {
    found: reasonOf(error),
    advice: 'This is a bug of the doctor: report this output.',
  });

async function readToken(file: string, stdin: Readable): Promise<string> {
  try {
    return (file === '-' ? await text(stdin) : await readFile(file, 'utf8')).trim();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // the value may be a token that was given in place of a file
    throw new UsageError(
      `The file of --id-token can't be read (${code ?? 'unknown error'}). Give a file, or - for the standard input.`,
    );
  }
}
