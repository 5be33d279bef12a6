import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** Returns the processors that this process may use. @throws on a system that does not tell */
function allowedCores(): number[] {
  const status = readFileSync('/proc/self/status', 'utf8');
  const list = /^Cpus_allowed_list:\s*(\S+)$/m.exec(status)?.[1] ?? '';
  return list.split(',').flatMap((range) => {
    const [first = NaN, last = first] = range.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, n) => first + n);
  });
}

export interface Cores {
  /** A command that runs the command of a server. */
  readonly server: readonly string[];
  readonly pinned: boolean;
}

/**
 * Keeps this process and its other children on one core, and leaves another core to the servers. On a system that does
 * not allow this, every process may run on every core.
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
