import { once } from 'node:events';
import { type OneIdLogoutOptions, type RegisteredSession } from 'nestjs-oneid-logout';
import { type OtherEnd, otherEnds } from './history.js';
import { TypescriptProcess } from './typescript-process.js';

/** The app of a replica, and the version of the library that it uses. */
export interface ReplicaApp {
  readonly main: URL;
  /** The sources of another version of the library. */
  readonly library?: URL;
}

const thisApp: ReplicaApp = { main: new URL('replica-main.ts', import.meta.url) };

/** A replica of an app that uses the library, as a separate process, so that a test can kill it. */
export class ReplicaProcess {
  private constructor(
    private readonly process: TypescriptProcess,
    readonly url: string,
  ) {}

  /**
   * @param options must be valid JSON values. The replica takes the session from the cookie `session`
   * @param settings.trustsMemoryForever switches the staleness limit off, for control tests
   * @param settings.maxIdleMs in place of the option `maxIdleSeconds`, which must be set: milliseconds
   */
  static async start(
    options: OneIdLogoutOptions,
    {
      trustsMemoryForever = false,
      app = thisApp,
      maxIdleMs,
    }: { trustsMemoryForever?: boolean; app?: ReplicaApp; maxIdleMs?: number } = {},
  ): Promise<ReplicaProcess> {
    const process = TypescriptProcess.start(app.main, {
      REPLICA_OPTIONS: JSON.stringify(options),
      ...(app.library && { TEST_LIBRARY: app.library.href }),
      ...(trustsMemoryForever && { REPLICA_TRUSTS_MEMORY_FOREVER: '1' }),
      ...(maxIdleMs !== undefined && { REPLICA_MAX_IDLE_MS: String(maxIdleMs) }),
    });
    const { child } = process;
    const url = await Promise.race([
      once(child, 'message').then(([message]) => String(message)),
      once(child, 'exit').then(() => {
        throw new Error(`the replica did not start:\n${process.output}`);
      }),
    ]);
    return new ReplicaProcess(process, url);
  }

  /** Registers a sign-in with OneID's tokens. @returns the session token */
  async signIn(tokens: { readonly idToken: string; readonly refreshToken?: string }): Promise<string> {
    const response = await this.post('sign-in', tokens);
    return ((await response.json()) as RegisteredSession).sessionToken;
  }

  /** Ends the sessions of everyone. */
  async endEveryone(issuer: string): Promise<void> {
    await this.post('end-everyone', { issuer });
  }

  async eraseUser(sub: string): Promise<void> {
    await this.post('erase-user', { sub });
  }

  /** Requests a guarded page. @returns the status; of a 401 with one of these reasons, the reason */
  async me(session: string): Promise<number | OtherEnd> {
    const response = await fetch(`${this.url}/me`, { headers: { cookie: `session=${session}` } });
    const body = await response.text();
    const end = otherEnds.find((reason) => body.includes(`"reason":"${reason}"`));
    return response.status === 401 && end !== undefined ? end : response.status;
  }

  /** Pauses the process, or continues it. */
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.process.child.kill(signal);
  }

  /** Changes its wall clock, like NTP. @param ahead milliseconds ahead of the machine's clock */
  async setClock(ahead: number): Promise<void> {
    const { child } = this.process;
    const set = once(child, 'message');
    child.send(ahead);
    await set;
  }

  /** Posts a logout token as OneID does. @returns the status */
  async deliver(logoutToken: string): Promise<number> {
    const body = new URLSearchParams({ logout_token: logoutToken });
    const response = await fetch(`${this.url}/backchannel_logout`, { method: 'POST', body });
    await response.text();
    return response.status;
  }

  /** All that it has printed. */
  get output(): string {
    return this.process.output;
  }

  /** Kills the process at once. It cannot finish its work. */
  kill(): Promise<void> {
    return this.process.kill();
  }

  private async post(path: string, body: object): Promise<Response> {
    const response = await fetch(`${this.url}/${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    if (!response.ok) throw new Error(`${path} was answered ${response.status}: ${await response.text()}`);
    return response;
  }
}
