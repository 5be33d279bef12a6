import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { type OneIdLogoutOptions } from 'nestjs-oneid-logout';

const file = (name: string) => fileURLToPath(new URL(name, import.meta.url));

/** A replica of an app with the library in it, as a process of its own: one that can be killed. */
export class ReplicaProcess {
  private constructor(
    private readonly child: ChildProcess,
    readonly url: string,
  ) {}

  /**
   * @param options what survives JSON; sessions come from the cookie `session`
   * @param settings.credulous whether it takes what it remembers for true for ever
   */
  static async start(options: OneIdLogoutOptions, { credulous = false } = {}): Promise<ReplicaProcess> {
    const output: string[] = [];
    const child = fork(file('replica-main.ts'), {
      execArgv: ['--import', new URL('typescript.mjs', import.meta.url).href],
      env: {
        ...process.env,
        NODE_OPTIONS: '',
        REPLICA_OPTIONS: JSON.stringify(options),
        ...(credulous && { REPLICA_IS_CREDULOUS: '1' }),
      },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (text) => output.push(String(text)));
    const url = await Promise.race([
      once(child, 'message').then(([message]) => String(message)),
      once(child, 'exit').then(() => {
        throw new Error(`the replica did not start:\n${output.join('')}`);
      }),
    ]);
    return new ReplicaProcess(child, url);
  }

  /** Signs a user in with what OneID gave; the id of the session. */
  async signIn(tokens: { readonly idToken: string; readonly refreshToken?: string }): Promise<string> {
    const response = await fetch(`${this.url}/sign-in`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(tokens),
    });
    if (!response.ok) throw new Error(`The sign-in was answered ${response.status}: ${await response.text()}`);
    return ((await response.json()) as { id: string }).id;
  }

  /** A request to a guarded page; its status. */
  async me(session: string): Promise<number> {
    const response = await fetch(`${this.url}/me`, { headers: { cookie: `session=${session}` } });
    await response.text();
    return response.status;
  }

  /** Stops the process where it is, or has it go on. */
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.child.kill(signal);
  }

  /** Sets its wall clock, as an administrator or NTP may. @param ahead milliseconds, of this process's */
  async setClock(ahead: number): Promise<void> {
    const set = once(this.child, 'message');
    this.child.send(ahead);
    await set;
  }

  /** Posts a logout token as OneID does; the status. */
  async deliver(logoutToken: string): Promise<number> {
    const body = new URLSearchParams({ logout_token: logoutToken });
    const response = await fetch(`${this.url}/backchannel_logout`, { method: 'POST', body });
    await response.text();
    return response.status;
  }

  /** Ends the process without a chance to do anything more. */
  async kill(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const exit = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await exit;
  }
}
