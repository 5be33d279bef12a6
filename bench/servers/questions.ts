import { startProfile, stopProfile } from './profiler.js';
import { sentStatements } from './statements.js';

export type Answers = Readonly<Record<string, (argument: unknown) => unknown>>;

/** The resources that a server has used since its process started. */
export interface Usage {
  /** Processor time, microseconds. */
  readonly cpu: number;
  /** Statements sent to a database, as far as the server counts them. */
  readonly statements: number;
}

/** The settings that `ServerProcess.start` was given. */
export function settings(): unknown {
  return JSON.parse(process.env['BENCH_SETTINGS'] ?? '');
}

/** Answers the questions of `ServerProcess.ask` from now on. @param url where the server listens */
export function answerQuestions(url: string, answers: Answers = {}): void {
  const all: Answers = { usage, startProfile, stopProfile, ...answers };
  process.on('message', (message: { readonly question: string; readonly argument?: unknown }) => {
    void Promise.resolve()
      .then(() => all[message.question]?.(message.argument))
      .then(
        (answer) => process.send?.({ answer }),
        (error: unknown) => process.send?.({ error: String(error) }),
      );
  });
  // the bench has ended, perhaps with an error
  process.on('disconnect', () => process.exit());
  process.send?.(url);
}

function usage(): Usage {
  const { user, system } = process.cpuUsage();
  return { cpu: user + system, statements: sentStatements() };
}
