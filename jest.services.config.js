import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import config from './jest.config.js';

const [, e2e] = config.projects;
const folder = join(import.meta.dirname, 'test');

/** The suites that need a service, and those that run on each kind of database: others do not change with the services. */
const suites = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(
  (file) =>
    file.endsWith('.services-spec.ts') ||
    (file.endsWith('.e2e-spec.ts') &&
      /import \{[^}]*\b(databases|sharedDatabases)\b[^}]*\} from '[^']*support\/databases\.js'/.test(
        readFileSync(join(folder, file), 'utf8'),
      )),
);

export default {
  ...e2e,
  rootDir: '.',
  displayName: 'services',
  testPathIgnorePatterns: [],
  testMatch: suites.map((file) => join(folder, file)),
  testTimeout: config.testTimeout,
  globalSetup: config.globalSetup,
  globalTeardown: config.globalTeardown,
};
