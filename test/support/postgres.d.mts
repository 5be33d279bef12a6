export function freePort(): Promise<number>;

export class TestPostgres {
  /** @param settings.durable whether it writes to disk before it says so, as a server in production does */
  static start(settings?: { readonly durable?: boolean }): Promise<TestPostgres>;
  readonly url: string;
  kill(signal: 'SIGINT' | 'SIGKILL'): Promise<void>;
  restart(): Promise<void>;
  stop(): Promise<void>;
}
