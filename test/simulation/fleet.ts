import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { addSummary, emptySummary, type Summary } from './summary.js';
import { type Work } from './worker.js';

const worker = fileURLToPath(new URL('worker.ts', import.meta.url));
const typescript = new URL('../support/typescript.mjs', import.meta.url).href;

export interface FleetWork {
  readonly firstSeed: number;
  /** The most runs, and the most seconds. */
  readonly runs: number;
  readonly seconds: number;
  readonly processes: number;
  /** Stops all processes at the first violation. */
  readonly stopsAtFirst?: boolean;
  /** More variables of the environment of the processes. */
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * Runs many plans in several processes. The seeds are numbers, from the first one on.
 *
 * @throws {Error} a process has ended before its work
 */
export async function runFleet(work: FleetWork): Promise<Summary> {
  const summary = emptySummary();
  const children: ChildProcess[] = [];
  const stopOthers = () => {
    for (const child of children) child.kill();
  };
  await Promise.all(
    Array.from({ length: work.processes }, (_, n) => {
      const child = fork(worker, { execArgv: ['--import', typescript], env: { ...process.env, ...work.env } });
      children.push(child);
      return workOf(child, summary, {
        from: work.firstSeed + n,
        step: work.processes,
        runs: Math.ceil((work.runs - n) / work.processes),
        seconds: work.seconds,
        stopsAtFirst: work.stopsAtFirst ?? false,
        stopOthers,
      });
    }),
  );
  return summary;
}

function workOf(
  child: ChildProcess,
  summary: Summary,
  work: Work & { readonly stopOthers: () => void },
): Promise<void> {
  const { stopOthers, ...message } = work;
  return new Promise((resolve, reject) => {
    child.on('message', (part: Summary) => {
      addSummary(summary, part);
      if (work.stopsAtFirst && part.failed.length > 0) stopOthers();
    });
    child.on('exit', (code, signal) => {
      if (code === 0 || (work.stopsAtFirst && signal === 'SIGTERM')) resolve();
      else reject(new Error(`A process of the simulation has ended with ${String(code ?? signal)}`));
    });
    child.send(message);
  });
}
