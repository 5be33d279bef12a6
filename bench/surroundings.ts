import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type OneIdLogoutOptions, type SessionDatabaseOptions } from 'nestjs-oneid-logout';
import { OneIdTestProvider } from 'nestjs-oneid-logout/testing';
import { createConnection } from 'mysql2/promise';
import pg from 'pg';
import { TestPostgres } from '../test/support/postgres.mjs';
import { type Cores, divideCores } from './cores.js';
import { ServerProcess } from './server-process.js';

export const clientId = 'app';

/** What the measured servers need around them: a OneID, databases, and a core of their own. */
export class Surroundings {
  private made = 0;
  private readonly drops: (() => Promise<void>)[] = [];

  private constructor(
    readonly cores: Cores,
    readonly oneId: OneIdTestProvider,
    readonly postgres: TestPostgres,
    private readonly folder: string,
  ) {}

  static async open(): Promise<Surroundings> {
    const cores = divideCores();
    const oneId = await OneIdTestProvider.start({ clients: [{ clientId }] });
    const postgres = await TestPostgres.start({ durable: true });
    return new Surroundings(cores, oneId, postgres, await mkdtemp(join(tmpdir(), 'oneid-logout-bench-')));
  }

  async close(): Promise<void> {
    await this.oneId.close();
    for (const drop of this.drops) await drop();
    await this.postgres.stop();
    await rm(this.folder, { recursive: true });
  }

  start(file: string, settings: unknown): Promise<ServerProcess> {
    return ServerProcess.start(file, settings, this.cores.server);
  }

  /** A SQLite file that is not there yet. */
  sqliteFile(): string {
    return join(this.folder, `${(this.made += 1)}.sqlite`);
  }

  /** The URL of an empty PostgreSQL database. */
  async postgresUrl(): Promise<string> {
    const name = `bench_${(this.made += 1)}`;
    const administrator = new pg.Client(this.postgres.url);
    await administrator.connect();
    await administrator.query(`CREATE DATABASE ${name}`);
    await administrator.end();
    return this.postgres.url.replace(/\/postgres$/, `/${name}`);
  }

  /** The MariaDB server that the environment names; undefined: the measurement leaves MariaDB out. */
  get mariadb(): string | undefined {
    return process.env['TEST_MARIADB_URL'];
  }

  private async mariadbUrl(): Promise<string> {
    if (this.mariadb === undefined) throw new Error('TEST_MARIADB_URL is not set');
    const name = `oneid_bench_${randomBytes(6).toString('hex')}`;
    const administrator = await createConnection(this.mariadb);
    await administrator.query(`CREATE DATABASE ${name}`);
    this.drops.push(async () => {
      await administrator.query(`DROP DATABASE ${name}`);
      await administrator.end();
    });
    return Object.assign(new URL(this.mariadb), { pathname: `/${name}` }).href;
  }

  async database(kind: 'sqlite' | 'postgres' | 'mariadb'): Promise<SessionDatabaseOptions> {
    if (kind === 'sqlite') return { type: 'better-sqlite3', database: this.sqliteFile() };
    if (kind === 'mariadb') return { type: 'mariadb', url: await this.mariadbUrl() };
    return { type: 'postgres', url: await this.postgresUrl() };
  }

  /** The library's options, as far as they survive JSON. */
  options(
    database: SessionDatabaseOptions,
    { liveness = 'strict', secrets = [] }: Pick<OneIdLogoutOptions, 'liveness' | 'secrets'> = {},
  ): Omit<OneIdLogoutOptions, 'sessionFrom'> {
    const { issuer } = this.oneId;
    const client = { issuer, clientId, postLogoutRedirectUri: 'https://app.example/logout/callback' };
    return { clients: [client], database, liveness, secrets };
  }
}
