import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** The processors this process may use, where the system tells. */
function allowedCores(): number[] {
  const status = readFileSync('/proc/self/status', 'utf8');
  const list = /^Cpus_allowed_list:\s*(\S+)$/m.exec(status)?.[1] ?? '';
  return list.split(',').flatMap((range) => {
    const [first = NaN, last = first] = range.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, n) => first + n);
  });
}

export interface Cores {
  /** Put before the command of a server. */
  readonly server: readonly string[];
  readonly pinned: boolean;
}

/**
 * Keeps this process, with all that it starts otherwise, on one core, and leaves another one to the servers; where that
 * can't be had, everything runs wherever it may.
 */
export function divideCores(): Cores {
  try {
    const [server, load] = allowedCores();
    if (server === undefined || load === undefined) return { server: [], pinned: false };
    execFileSync('taskset', ['-acp', String(load), String(process.pid)], { stdio: 'ignore' });
    return { server: ['taskset', '-c', String(server)], pinned: true };
  } catch {
    return { server: [], pinned: false };
  }
}
