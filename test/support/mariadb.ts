import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chown, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createConnection } from 'mysql2/promise';
import { type SessionDatabaseOptions } from 'nestjs-oneid-logout';
import { freePort } from './postgres.mjs';
import { userIds } from './unix-user.js';
import { until } from './until.js';

/** A MariaDB server from Debian's package, for tests that change its global settings. Only one suite uses it. */
export class TestMariadb {
  private constructor(
    private readonly process: ChildProcess,
    private readonly folder: string,
    private readonly port: number,
  ) {}

  /** @param settings more options of the server's command line */
  static async start(settings: readonly string[] = []): Promise<TestMariadb> {
    const folder = await mkdtemp(join(tmpdir(), 'oneid-mariadb-'));
    const user = await userIds('mysql');
    const data = join(folder, 'data');
    await mkdir(data);
    for (const path of user === undefined ? [] : [folder, data]) await chown(path, user?.uid ?? 0, user?.gid ?? 0);
    const common = ['--no-defaults', `--datadir=${data}`];
    await promisify(execFile)(
      'mariadb-install-db',
      [...common, '--auth-root-authentication-method=normal', '--skip-test-db'],
      { ...user },
    );
    const port = await freePort();
    const options = [`--port=${port}`, '--bind-address=127.0.0.1', `--socket=${join(folder, 'socket')}`];
    const process = spawn('mariadbd', [...common, ...options, ...settings], { stdio: 'ignore', ...user });
    const mariadb = new TestMariadb(process, folder, port);
    await until('MariaDB starts', () =>
      mariadb.query('CREATE DATABASE IF NOT EXISTS app').then(
        () => true,
        () => false,
      ),
    );
    return mariadb;
  }

  /** As the role root, who may write on a read-only server. */
  get options(): SessionDatabaseOptions & { readonly url: string } {
    return { type: 'mariadb', url: `mysql://root@127.0.0.1:${this.port}/app` };
  }

  /** Runs a statement on a connection of its own, as root. */
  async query(statement: string): Promise<readonly object[]> {
    const connection = await createConnection(`mysql://root@127.0.0.1:${this.port}/mysql`);
    try {
      const [rows] = await connection.query(statement);
      return Array.isArray(rows) ? rows : [];
    } finally {
      await connection.end();
    }
  }

  async stop(): Promise<void> {
    const ended = once(this.process, 'exit');
    this.process.kill('SIGKILL');
    await ended;
    await rm(this.folder, { recursive: true, force: true });
  }
}
