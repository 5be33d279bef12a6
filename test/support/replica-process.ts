import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { type OneIdLogoutOptions, type RegisteredSession } from 'nestjs-oneid-logout';

const file = (name: string) => fileURLToPath(new URL(name, import.meta.url));

/** A replica of an app that uses the library, as a separate process, so that a test can kill it. */
export class ReplicaProcess {
  private constructor(
    private readonly child: ChildProcess,
    readonly url: string,
  ) {}

  /**
   * @param options must be valid JSON values. The replica takes the session from the cookie `session`
   * @param settings.trustsMemoryForever switches the staleness limit off, for control tests
   */
  static async start(options: OneIdLogoutOptions, { trustsMemoryForever = false } = {}): Promise<ReplicaProcess> {
    const output: string[] = [];
    const child = fork(file('replica-main.ts'), {
      execArgv: ['--import', new URL('typescript.mjs', import.meta.url).href],
      env: {
        ...process.env,
        NODE_OPTIONS: '',
        REPLICA_OPTIONS: JSON.stringify(options),
        ...(trustsMemoryForever && { REPLICA_TRUSTS_MEMORY_FOREVER: '1' }),
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

  /** Registers a sign-in with OneID's tokens. @returns the session token */
  async signIn(tokens: { readonly idToken: string; readonly refreshToken?: string }): Promise<string> {
    const response = await fetch(`${this.url}/sign-in`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(tokens),
    });
    if (!response.ok) throw new Error(`The sign-in was answered ${response.status}: ${await response.text()}`);
    return ((await response.json()) as RegisteredSession).sessionToken;
  }

  /** Requests a guarded page. @returns the status */
  async me(session: string): Promise<number> {
    const response = await fetch(`${this.url}/me`, { headers: { cookie: `session=${session}` } });
    await response.text();
    return response.status;
  }

  /** Pauses the process, or continues it. */
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.child.kill(signal);
  }

  /** Changes its wall clock, like NTP. @param ahead milliseconds ahead of the machine's clock */
  async setClock(ahead: number): Promise<void> {
    const set = once(this.child, 'message');
    this.child.send(ahead);
    await set;
  }

  /** Posts a logout token as OneID does. @returns the status */
  async deliver(logoutToken: string): Promise<number> {
    const body = new URLSearchParams({ logout_token: logoutToken });
    const response = await fetch(`${this.url}/backchannel_logout`, { method: 'POST', body });
    await response.text();
    return response.status;
  }

  /** Kills the process at once. It cannot finish its work. */
  async kill(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const exit = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await exit;
  }
}
