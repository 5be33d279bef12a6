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
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  transform,
  moduleNameMapper: {
    '^nestjs-oneid-logout$': '<rootDir>/libs/oneid-logout/src/index.ts',
    '^nestjs-oneid-logout/testing$': '<rootDir>/libs/oneid-logout/src/testing/index.ts',
    '^(\\.{1,2}/.*)\\.js$': '$1',
  },
  modulePathIgnorePatterns: ['<rootDir>/dist/', '<rootDir>/libs/.*/dist/', '<rootDir>/.stryker-tmp/'],
  setupFiles: ['reflect-metadata'],
};

export default {
  testTimeout: 30_000,
  globalSetup: '<rootDir>/test/support/postgres.start.mjs',
  globalTeardown: '<rootDir>/test/support/postgres.stop.mjs',
  projects: [
    { ...shared, displayName: 'unit', testMatch: ['<rootDir>/libs/**/*.spec.ts', '<rootDir>/src/**/*.spec.ts'] },
    { ...shared, displayName: 'e2e', testMatch: ['<rootDir>/test/**/*.e2e-spec.ts'] },
  ],
  coverageProvider: 'v8',
  collectCoverageFrom: ['libs/*/src/**/*.ts', 'src/**/*.ts', '!**/*.spec.ts'],
};
