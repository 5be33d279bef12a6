export function freePort(): Promise<number>;

export class TestPostgres {
  /** @param settings.durable the server writes a commit to disk before it confirms it, like a production server */
  static start(settings?: { readonly durable?: boolean }): Promise<TestPostgres>;
  readonly url: string;
  copy(): Promise<TestPostgres>;
  startAsStandbyOf(primary: TestPostgres): Promise<void>;
  kill(signal: 'SIGINT' | 'SIGKILL'): Promise<void>;
  restart(): Promise<void>;
  stop(): Promise<void>;
}
