import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { createConnection } from 'mysql2/promise';

const root = fileURLToPath(new URL('..', import.meta.url));

/**
 * Starts the MariaDB of `.ci/services`, writes its URL, and stops it when the input ends. It installs no package. It does
 * not use a server that runs already, because that server would not share the core of the other databases.
 */
const SERVICE = `
  . .ci/services
  needs() { command -v "$1" >/dev/null; }
  needs mariadbd && needs mariadb-install-db || exit 1
  answers 127.0.0.1 33060 && exit 1
  services_folder=$(mktemp -d /tmp/oneid-services-XXXXXX)
  chmod 711 "$services_folder"
  trap stop_services EXIT
  start_mariadb >&2 || exit 1
  echo "$TEST_MARIADB_URL"
  read -r _
`;

/** A MariaDB server, and the databases that the bench creates on it. */
export class BenchMariadb {
  private readonly created: string[] = [];

  private constructor(
    private readonly serverUrl: string,
    /** Undefined for the server of `TEST_MARIADB_URL`. */
    private readonly service: ChildProcess | undefined,
  ) {}

  /** @returns undefined if the machine has no MariaDB, or if another process uses its port */
  static async open(): Promise<BenchMariadb | undefined> {
    const named = process.env['TEST_MARIADB_URL'];
    if (named !== undefined) return new BenchMariadb(named, undefined);
    const service = spawn('bash', ['-c', SERVICE], { cwd: root, stdio: ['pipe', 'pipe', 'ignore'] });
    const url = await Promise.race([
      once(createInterface({ input: service.stdout }), 'line').then(([line]) => String(line)),
      // without bash, this rejects
      once(service, 'exit').then(
        () => undefined,
        () => undefined,
      ),
    ]);
    return url === undefined ? undefined : new BenchMariadb(url, service);
  }

  /** Whether this is the server of `TEST_MARIADB_URL`, which may run on any core. */
  get isForeign(): boolean {
    return this.service === undefined;
  }

  /** @returns the URL of an empty database */
  async databaseUrl(): Promise<string> {
    const name = `oneid_logout_bench_${randomBytes(8).toString('hex')}`;
    await this.run(`CREATE DATABASE ${name}`);
    this.created.push(name);
    return Object.assign(new URL(this.serverUrl), { pathname: `/${name}` }).href;
  }

  async close(): Promise<void> {
    if (this.service === undefined) {
      for (const name of this.created) await this.run(`DROP DATABASE ${name}`);
      return;
    }
    const exit = once(this.service, 'exit');
    this.service.stdin?.end();
    await exit;
  }

  private async run(statement: string): Promise<void> {
    const connection = await createConnection(this.serverUrl);
    try {
      await connection.query(statement);
    } finally {
      await connection.end();
    }
  }
}
