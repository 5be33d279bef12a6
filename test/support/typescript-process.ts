import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';

/** A TypeScript program of this repository as a separate process, so that a test can kill it. */
export class TypescriptProcess {
  /** All that it has printed. */
  output = '';

  private constructor(readonly child: ChildProcess) {
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (text) => (this.output += String(text)));
  }

  /** @param env environment variables, beside those of this process */
  static start(file: URL, env: Readonly<Record<string, string>>): TypescriptProcess {
    const child = fork(file, {
      execArgv: ['--import', new URL('typescript.mjs', import.meta.url).href],
      env: { ...process.env, NODE_OPTIONS: '', ...env },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    return new TypescriptProcess(child);
  }

  get hasEnded(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  /** Kills the process at once. It cannot finish its work. */
  async kill(): Promise<void> {
    if (this.hasEnded) return;
    const exit = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await exit;
  }
}
