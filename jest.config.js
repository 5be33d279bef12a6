const transform = {
  '^.+\\.ts$': [
    '@swc/jest',
    {
      jsc: {
        target: 'es2023',
        parser: { syntax: 'typescript', decorators: true },
        transform: { legacyDecorator: true, decoratorMetadata: true },
        keepClassNames: true,
      },
      module: { type: 'es6' },
      sourceMaps: 'inline',
    },
  ],
};

/** What all of the tests have in common. */
export const shared = {
  testEnvironment: '<rootDir>/test/support/suite-environment.mjs',
  extensionsToTreatAsEsm: ['.ts'],
  transform,
  moduleNameMapper: {
    '^nestjs-oneid-logout$': '<rootDir>/libs/oneid-logout/src/index.ts',
    '^nestjs-oneid-logout/testing$': '<rootDir>/libs/oneid-logout/src/testing/index.ts',
    '^nest-keycloak-connect$': '<rootDir>/test/recipes/support/nest-keycloak-connect.ts',
    '^(\\.{1,2}/.*)\\.js$': '$1',
  },
  modulePathIgnorePatterns: ['dist/', 'libs/.*/dist/', '.stryker-tmp/', 'reports/'].map(
    (folder) => `<rootDir>/${folder}`,
  ),
  setupFiles: ['reflect-metadata'],
  // which TypeORM the library must find; jest.typeorm.config.js says another one
  globals: { TYPEORM_LINE: '1' },
};

/**
 * Suites that start processes, or wait for real timeouts of real servers. They run one after another, beside the others:
 * two of them at once would take each other's processors, and they watch clocks.
 */
const processes = [
  ...['collapse', 'crash', 'database-restart', 'failover', 'nudges-trouble', 'replicas', 'replicas-controls'],
  ...['replicas-cut-off', 'replicas-database', 'replicas-idle', 'replicas-outage'],
].map((name) => `<rootDir>/test/${name}.e2e-spec.ts`);

export default {
  testTimeout: 30_000,
  // a worker that has run many suites takes a while to free its memory
  workerGracefulExitTimeout: 10_000,
  globalSetup: '<rootDir>/test/support/global-setup.mjs',
  globalTeardown: '<rootDir>/test/support/global-teardown.mjs',
  projects: [
    { ...shared, displayName: 'unit', testMatch: ['<rootDir>/{libs,src}/**/*.spec.ts'] },
    {
      ...shared,
      displayName: 'e2e',
      testMatch: ['<rootDir>/{test,libs,src}/**/*.e2e-spec.ts'],
      testPathIgnorePatterns: processes,
    },
    { ...shared, displayName: 'processes', testMatch: processes },
  ],
  coverageProvider: 'v8',
  collectCoverageFrom: ['libs/*/src/**/*.ts', 'src/**/*.ts', '!**/*spec.ts'],
};
