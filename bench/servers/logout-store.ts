import Sqlite from 'better-sqlite3';
import pg from 'pg';

/** Where express-openid-connect keeps logouts: a store as express-session's are, each call one prepared statement. */
export interface LogoutStore {
  get(id: string, done: (error: unknown, value?: unknown) => void): void;
  set(id: string, value: unknown, done?: (error?: unknown) => void): void;
  destroy(id: string, done?: (error?: unknown) => void): void;
}

export type StoreKind = 'memory' | { readonly sqlite: string } | { readonly postgres: string };

export async function openStore(kind: StoreKind): Promise<LogoutStore> {
  if (kind === 'memory') return memoryStore();
  return 'sqlite' in kind ? sqliteStore(kind.sqlite) : postgresStore(kind.postgres);
}

function memoryStore(): LogoutStore {
  const values = new Map<string, string>();
  return {
    get: (id, done) => {
      const value = values.get(id);
      done(null, value === undefined ? undefined : JSON.parse(value));
    },
    set: (id, value, done) => {
      values.set(id, JSON.stringify(value));
      done?.();
    },
    destroy: (id, done) => {
      values.delete(id);
      done?.();
    },
  };
}

function sqliteStore(file: string): LogoutStore {
  const database = new Sqlite(file);
  database.pragma('journal_mode = WAL');
  database.pragma('synchronous = FULL');
  database.exec('CREATE TABLE IF NOT EXISTS store (id TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID');
  const get = database.prepare<[string], { value: string }>('SELECT value FROM store WHERE id = ?');
  const set = database.prepare('INSERT OR REPLACE INTO store VALUES (?, ?)');
  const destroy = database.prepare('DELETE FROM store WHERE id = ?');
  return {
    get: (id, done) => {
      const row = get.get(id);
      done(null, row && JSON.parse(row.value));
    },
    set: (id, value, done) => {
      set.run(id, JSON.stringify(value));
      done?.();
    },
    destroy: (id, done) => {
      destroy.run(id);
      done?.();
    },
  };
}

async function postgresStore(url: string): Promise<LogoutStore> {
  const pool = new pg.Pool({ connectionString: url });
  await pool.query('CREATE TABLE IF NOT EXISTS store (id text PRIMARY KEY, value text NOT NULL)');
  const run = (name: string, text: string, values: unknown[]) => pool.query<{ value: string }>({ name, text, values });
  return {
    get: (id, done) => {
      run('get', 'SELECT value FROM store WHERE id = $1', [id]).then(
        ({ rows: [row] }) => done(null, row && JSON.parse(row.value)),
        (error: unknown) => done(error),
      );
    },
    set: (id, value, done) => {
      const text = 'INSERT INTO store VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET value = EXCLUDED.value';
      run('set', text, [id, JSON.stringify(value)]).then(
        () => done?.(),
        (error: unknown) => done?.(error),
      );
    },
    destroy: (id, done) => {
      run('destroy', 'DELETE FROM store WHERE id = $1', [id]).then(
        () => done?.(),
        (error: unknown) => done?.(error),
      );
    },
  };
}
