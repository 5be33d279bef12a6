import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { freePort } from './postgres.mjs';
import { userIds } from './unix-user.js';
import { until } from './until.js';

/** A PgBouncer from Debian's package, in transaction mode, in front of one database. */
export class TestPgBouncer {
  private constructor(
    private readonly process: ChildProcess,
    private readonly folder: string,
    readonly url: string,
  ) {}

  /**
   * @param target the database's URL
   * @param serverConnections how many connections to the server all clients share
   */
  static async start(target: string, serverConnections: number): Promise<TestPgBouncer> {
    const { hostname, port, username, password, pathname } = new URL(target);
    const folder = await mkdtemp(join(tmpdir(), 'oneid-pgbouncer-'));
    const own = await freePort();
    const to = [`host=${hostname}`, `port=${port || 5432}`, `user=${username}`, password && `password=${password}`];
    const settings = [
      ...['[databases]', `* = ${to.filter(Boolean).join(' ')}`],
      ...['[pgbouncer]', 'listen_addr = 127.0.0.1', `listen_port = ${own}`, 'unix_socket_dir =', 'auth_type = any'],
      ...['pool_mode = transaction', `default_pool_size = ${serverConnections}`, 'max_client_conn = 200'],
      // later versions keep prepared statements unless told otherwise; earlier ones lack the setting
      ...((await keepsPrepared()) ? ['max_prepared_statements = 0'] : []),
    ];
    const file = join(folder, 'pgbouncer.ini');
    await chmod(folder, 0o755);
    await writeFile(file, settings.join('\n'), { mode: 0o644 });
    const process = spawn('pgbouncer', ['-q', file], { stdio: 'ignore', ...(await userIds('postgres')) });
    const pooler = new TestPgBouncer(process, folder, `postgres://postgres@127.0.0.1:${own}${pathname}`);
    await until('PgBouncer starts', () =>
      pooler.query('SELECT 1').then(
        () => true,
        () => false,
      ),
    );
    return pooler;
  }

  /** Runs a statement as another client of the pooler. */
  async query(statement: string): Promise<readonly object[]> {
    const client = new pg.Client(this.url);
    await client.connect();
    try {
      return (await client.query<object>(statement)).rows;
    } finally {
      await client.end();
    }
  }

  async stop(): Promise<void> {
    const ended = once(this.process, 'exit');
    this.process.kill('SIGKILL');
    await ended;
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** PgBouncer keeps track of prepared statements from 1.21 on. */
async function keepsPrepared(): Promise<boolean> {
  const { stdout } = await promisify(execFile)('pgbouncer', ['--version']);
  const [, major, minor] = /PgBouncer (\d+)\.(\d+)/.exec(stdout) ?? [];
  return Number(major) > 1 || Number(minor) >= 21;
}
