import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { CommandError } from '../../command.js';

/** Milliseconds that a replica may take to start on a busy machine. */
const START_TIME = 60_000;

/** Milliseconds to wait for the first refusal, far longer than a refusal normally takes. */
const PATIENCE = 20_000;

/** The reference app in its own process, one of several behind the same public URL. */
export class Replica {
  private constructor(
    readonly name: string,
    readonly url: string,
    private readonly process: ChildProcess,
  ) {}

  static async start(name: string, port: number, env: Readonly<Record<string, string>>): Promise<Replica> {
    const child = fork(fileURLToPath(new URL('../../main.js', import.meta.url)), {
      env: { ...process.env, ...env, PORT: String(port) },
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    // an interrupted demo must not leave this replica running
    process.once('exit', () => child.kill());
    const replica = new Replica(name, `http://127.0.0.1:${port}`, child);
    await replica.requireStart();
    child.stderr?.on('data', (chunk) => process.stderr.write(String(chunk)));
    return replica;
  }

  private async requireStart(): Promise<void> {
    const said: string[] = [];
    const listen = (chunk: unknown) => said.push(String(chunk));
    this.process.stderr?.on('data', listen);
    const deadline = performance.now() + START_TIME;
    while ((await fetch(`${this.url}/healthz`).catch(() => undefined))?.status !== 200) {
      if (this.hasEnded) throw new CommandError(`${this.name} did not start: ${said.join('').trim() || this.ending}`);
      if (performance.now() > deadline) {
        this.process.kill('SIGKILL');
        throw new CommandError(
          `${this.name} did not answer within ${START_TIME / 1000} seconds. Is this machine busy?`,
        );
      }
      await delay(50);
    }
    this.process.stderr?.off('data', listen);
  }

  private get hasEnded(): boolean {
    return this.process.exitCode !== null || this.process.signalCode !== null;
  }

  private get ending(): string {
    const { exitCode, signalCode } = this.process;
    return signalCode === null
      ? `the process ended with exit code ${String(exitCode)}`
      : `the signal ${signalCode} ended the process`;
  }

  /** Requests a guarded page until the replica answers 401. @returns the time, in `performance.now()` milliseconds */
  async firstRefusal(cookie: string): Promise<number> {
    const deadline = performance.now() + PATIENCE;
    for (;;) {
      const asked = performance.now();
      if (asked > deadline) throw new Error(`${this.name} did not refuse the session in time`);
      const { status } = await fetch(`${this.url}/me`, { headers: { cookie } }).catch((cause: unknown) => {
        throw new CommandError(`${this.name} stopped answering${this.hasEnded ? `: ${this.ending}` : ''}`, { cause });
      });
      if (status === 401) return performance.now();
      if (status !== 200) throw new Error(`${this.name} answered ${status}`);
      // every 5 ms: precise enough for the report, and the other replicas keep their share of the processors
      await delay(Math.max(0, 5 - (performance.now() - asked)));
    }
  }

  async stop(): Promise<void> {
    if (this.hasEnded) return;
    const exit = once(this.process, 'exit');
    this.process.kill('SIGTERM');
    await exit;
  }
}
