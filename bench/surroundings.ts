import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type OneIdLogoutOptions, type SessionDatabaseOptions } from 'nestjs-oneid-logout';
import { OneIdTestProvider } from 'nestjs-oneid-logout/testing';
import pg from 'pg';
import { TestPostgres } from '../test/support/postgres.mjs';
import { type Cores, divideCores } from './cores.js';
import { BenchMariadb } from './mariadb.js';
import { ServerProcess } from './server-process.js';
import { type DistanceSettings } from './servers/distance.js';

export const clientId = 'app';

/** How far away a distant database is, milliseconds one way. */
export const DISTANCE_MS = 10;

export type DatabaseKind = 'sqlite' | 'postgres' | 'mariadb';

/** Everything around the measured servers: a OneID, databases, and a core for the servers alone. */
export class Surroundings {
  private made = 0;
  /** The proxies in front of distant database servers, by the server's host and port. */
  private readonly proxies = new Map<string, ServerProcess>();

  private constructor(
    readonly cores: Cores,
    readonly oneId: OneIdTestProvider,
    readonly postgres: TestPostgres,
    /** Undefined if the machine has no MariaDB. */
    readonly mariadb: BenchMariadb | undefined,
    private readonly folder: string,
  ) {}

  static async open(): Promise<Surroundings> {
    const cores = divideCores();
    const oneId = await OneIdTestProvider.start({ clients: [{ clientId }] });
    const postgres = await TestPostgres.start({ durable: true });
    const folder = await mkdtemp(join(tmpdir(), 'oneid-logout-bench-'));
    return new Surroundings(cores, oneId, postgres, await BenchMariadb.open(), folder);
  }

  async close(): Promise<void> {
    for (const proxy of this.proxies.values()) await proxy.stop();
    await this.oneId.close();
    await this.postgres.stop();
    await this.mariadb?.close();
    await rm(this.folder, { recursive: true });
  }

  start(file: string, settings: unknown): Promise<ServerProcess> {
    return ServerProcess.start(file, settings, this.cores.server);
  }

  /** The path of a SQLite file that does not exist yet. */
  sqliteFile(): string {
    return join(this.folder, `${(this.made += 1)}.sqlite`);
  }

  /** Creates an empty PostgreSQL database. @returns its URL */
  async postgresUrl(): Promise<string> {
    const name = `bench_${(this.made += 1)}`;
    const administrator = new pg.Client(this.postgres.url);
    await administrator.connect();
    await administrator.query(`CREATE DATABASE ${name}`);
    await administrator.end();
    return this.postgres.url.replace(/\/postgres$/, `/${name}`);
  }

  /** Creates an empty database. @throws {Error} for `mariadb` on a machine without MariaDB */
  async database(kind: DatabaseKind): Promise<SessionDatabaseOptions> {
    if (kind === 'sqlite') return { type: 'better-sqlite3', database: this.sqliteFile() };
    if (kind === 'postgres') return { type: 'postgres', url: await this.postgresUrl() };
    if (this.mariadb === undefined) throw new Error('This machine has no MariaDB');
    return { type: 'mariadb', url: await this.mariadb.databaseUrl() };
  }

  /** @returns the URL of the same database, `DISTANCE_MS` away */
  async atDistance(databaseUrl: string): Promise<string> {
    const url = new URL(databaseUrl);
    let proxy = this.proxies.get(url.host);
    if (proxy === undefined) {
      const port = Number(url.port) || (url.protocol === 'postgres:' ? 5432 : 3306);
      const settings: DistanceSettings = { host: url.hostname, port, delayMs: DISTANCE_MS };
      // on the core of the databases
      proxy = await ServerProcess.start('distance.ts', settings);
      this.proxies.set(url.host, proxy);
    }
    const { hostname, port } = new URL(proxy.url);
    return Object.assign(url, { hostname, port }).href;
  }

  /** The library's options, without the ones that JSON can't express. */
  options(
    database: SessionDatabaseOptions,
    { liveness = 'strict', secrets = [] }: Pick<OneIdLogoutOptions, 'liveness' | 'secrets'> = {},
  ): Omit<OneIdLogoutOptions, 'sessionFrom'> {
    const { issuer } = this.oneId;
    const client = { issuer, clientId, postLogoutRedirectUri: 'https://app.example/logout/callback' };
    return { clients: [client], database, liveness, secrets };
  }
}
