import { stripVTControlCharacters } from 'node:util';
import { type NamedTest } from './sabotage.js';

/** The parts of Jest's JSON report that a verdict needs. */
export interface JestReport {
  readonly testResults: readonly {
    /** The absolute path of the file. */
    readonly name: string;
    /** Why the file could not be run, or all failures of its tests. */
    readonly message: string;
    readonly assertionResults: readonly {
      readonly fullName: string;
      readonly status: string;
      /** `environment.mjs` marks the errors by which a test judges the code. */
      readonly failureDetails: readonly unknown[];
      readonly failureMessages: readonly string[];
    }[];
  }[];
}

/** @returns why the test proves nothing without a fault in the code; undefined when it passes */
export function faultWithout(report: JestReport, test: NamedTest): string | undefined {
  const { ran, message } = resultsOf(report, test);
  if (ran.length === 0) return didNotRun(message);
  const failed = ran.find(({ status }) => status !== 'passed');
  return failed && `the named test fails without the sabotage: ${firstLines(failed.failureMessages.join('\n'))}`;
}

/** @returns why the test has not found the fault that was planted; undefined when it has */
export function faultWith(report: JestReport, test: NamedTest): string | undefined {
  const { ran, message } = resultsOf(report, test);
  if (ran.length === 0) return didNotRun(message);
  const failed = ran.filter(({ status }) => status === 'failed');
  if (failed.length === 0) return 'the named test passes all the same';
  if (failed.some(({ failureDetails }) => failureDetails.some(isVerdict))) return undefined;
  return `the named test fails, but not because of what the code does: ${firstLines(failed.flatMap((one) => one.failureMessages).join('\n'))}`;
}

function resultsOf({ testResults }: JestReport, { file, name }: NamedTest) {
  const suites = testResults.filter((suite) => suite.name.replaceAll('\\', '/').endsWith(`/${file}`));
  const tests = suites.flatMap(({ assertionResults }) => assertionResults);
  return {
    ran: tests.filter(({ fullName, status }) => fullName === name && (status === 'passed' || status === 'failed')),
    message: suites.map((suite) => suite.message).join('\n'),
  };
}

function didNotRun(message: string): string {
  return message === '' ? 'no test with this name has run' : `the named test did not run: ${firstLines(message)}`;
}

function isVerdict(detail: unknown): boolean {
  return typeof detail === 'object' && detail !== null && 'isVerdict' in detail && detail.isVerdict === true;
}

/** Enough of a message to see its reason. */
function firstLines(message: string): string {
  // Jest colours its messages
  return stripVTControlCharacters(message)
    .split('\n')
    .map((line) => line.trim().slice(0, 300))
    .filter((line) => line !== '')
    .slice(0, 6)
    .join(' / ');
}
