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

const inTest = (names) => names.map((name) => `${name}.ts`);

/** These need PostgreSQL. */
const onlyPostgres = inTest([
  'pgbouncer.services-spec',
  'postgres-connection.e2e-spec',
  'prepared-statements.e2e-spec',
]);

/** These have tests for each service, and some for PostgreSQL alone. */
const onBoth = inTest(['check-plans.e2e-spec', 'races.e2e-spec']);

/**
 * The other suites whose result another version or installation of PostgreSQL can change: connections, migrations, the
 * rule in SQL, locks and races. `npm test` runs all suites on the PostgreSQL that comes with npm.
 */
const onPostgres = inTest([
  ...['session-database.e2e-spec', 'migrations.e2e-spec', 'store.e2e-spec', 'session-repository.e2e-spec'],
  ...['session-rule.e2e-spec', 'session-tokens.e2e-spec', 'logout-groups.e2e-spec'],
  'main-path.e2e-spec',
]);

const project = (name, files, globals) => ({
  ...e2e,
  displayName: name,
  globals: { ...e2e.globals, ...globals },
  testPathIgnorePatterns: [],
  testMatch: files.map((file) => join(folder, file)),
});
const notMariadb = [...onlyPostgres, ...onBoth];

export default {
  rootDir: '.',
  projects: [
    project(
      'MariaDB',
      suites.filter((file) => !notMariadb.includes(file)),
      { DATABASE_SERVICE: 'MariaDB' },
    ),
    project('PostgreSQL', [...onlyPostgres, ...onPostgres], { DATABASE_SERVICE: 'PostgreSQL' }),
    project('both', onBoth),
  ],
  testTimeout: config.testTimeout,
  // also on two processors: the suites mostly wait for a service or for processes of their own
  maxWorkers: 2,
  workerGracefulExitTimeout: config.workerGracefulExitTimeout,
  globalSetup: config.globalSetup,
  globalTeardown: config.globalTeardown,
};
