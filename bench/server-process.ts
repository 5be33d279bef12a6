import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { type Usage } from './servers/questions.js';

const typescript = new URL('../test/support/typescript.mjs', import.meta.url).href;

/** One of `bench/servers` in a process of its own. */
export class ServerProcess {
  private constructor(
    private readonly child: ChildProcess,
    readonly url: string,
  ) {}

  /**
   * @param file in `bench/servers`
   * @param settings the server reads them from its environment
   * @param prefix a command that runs the server's command, such as taskset
   */
  static async start(file: string, settings: unknown, prefix: readonly string[] = []): Promise<ServerProcess> {
    const path = fileURLToPath(new URL(`servers/${file}`, import.meta.url));
    const all = [...prefix, process.execPath, '--expose-gc', '--import', typescript, path];
    const [command = process.execPath, ...args] = all;
    const child = spawn(command, args, {
      env: { ...process.env, NODE_ENV: 'production', NODE_OPTIONS: '', BENCH_SETTINGS: JSON.stringify(settings) },
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    const url = await Promise.race([
      once(child, 'message').then(([message]) => String(message)),
      once(child, 'exit').then(() => {
        throw new Error(`${file} did not start`);
      }),
    ]);
    return new ServerProcess(child, url);
  }

  /** Asks the server a question, and returns its answer; see `answerQuestions`. */
  async ask<T>(question: string, argument?: unknown): Promise<T> {
    this.child.send({ question, argument });
    const [message] = (await once(this.child, 'message')) as [{ readonly answer: T; readonly error?: string }];
    if (message.error !== undefined) throw new Error(message.error);
    return message.answer;
  }

  usage(): Promise<Usage> {
    return this.ask<Usage>('usage');
  }

  async stop(): Promise<void> {
    if (this.child.exitCode !== null) return;
    const exit = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await exit;
  }
}
