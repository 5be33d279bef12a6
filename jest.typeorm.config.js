import config, { shared } from './jest.config.js';

const [, e2e] = config.projects;

/**
 * The suites whose result another version of TypeORM can change. TypeORM opens the database, makes its pool, holds the
 * drivers that the library uses directly, knows the names of the tables, and runs the migrations. The first suites test
 * these; the others show that the library works on such a connection, on each kind of database. Other suites send the same
 * statements through the same drivers.
 */
const suites = [
  'libs/oneid-logout/src/database/*.e2e-spec.ts',
  ...['migrations', 'session-database', 'store', 'postgres-connection', 'prepared-statements', 'nudges'],
  ...['check-plans', 'session-repository', 'logout-groups', 'session-tokens', 'module', 'main-path', 'doctor'],
].map((suite) => `<rootDir>/${suite.includes('/') ? suite : `test/${suite}.e2e-spec.ts`}`);

/** The suites on TypeORM 0.3: the package of this name takes the place of the other one, which is TypeORM 1. */
export default {
  ...e2e,
  rootDir: '.',
  displayName: 'typeorm 0.3',
  testMatch: suites,
  testPathIgnorePatterns: [],
  moduleNameMapper: { ...shared.moduleNameMapper, '^typeorm(/.*)?$': 'typeorm-0.3$1' },
  // database/typeorm-version.e2e-spec.ts fails when the library finds another version
  globals: { TYPEORM_LINE: '0.3' },
  testTimeout: config.testTimeout,
  workerGracefulExitTimeout: config.workerGracefulExitTimeout,
  globalSetup: config.globalSetup,
  globalTeardown: config.globalTeardown,
};
