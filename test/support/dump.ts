import { type SessionDatabase } from '../../libs/oneid-logout/src/database/session-database.js';

/** Every value of every table of the library, also of tables that the test does not know. */
export async function dump(database: SessionDatabase): Promise<{ column: string; value: string }[]> {
  const catalogs = {
    'better-sqlite3': `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'`,
    postgres: `SELECT table_name AS name FROM information_schema.tables WHERE table_schema = current_schema()`,
    mysql: `SELECT table_name AS name FROM information_schema.tables WHERE table_schema = DATABASE()`,
  };
  const { type } = database.dataSource.options;
  const catalog = type === 'better-sqlite3' || type === 'postgres' ? catalogs[type] : catalogs.mysql;
  const tables = (await database.run(catalog)).rows.map((row) => String(row['name']));
  const values: { column: string; value: string }[] = [];
  for (const table of tables) {
    for (const row of (await database.run(`SELECT * FROM ${table}`)).rows) {
      for (const [name, value] of Object.entries(row))
        values.push({ column: `${table}.${name}`, value: String(value) });
    }
  }
  return values;
}
