import config from './jest.config.js';

const [unit] = config.projects;

// test/mutation/run.mjs sets the tests of the files that Stryker changes: a mutant's fate must not depend on other suites
export default {
  ...unit,
  rootDir: '.',
  // Stryker loads the environment with require
  testEnvironment: 'node',
  setupFiles: [...unit.setupFiles, '<rootDir>/test/mutation/take-rsa-keys.mjs'],
  testMatch: JSON.parse(process.env.MUTATION_TESTS ?? '[]').map((test) => `<rootDir>/${test}`),
  testTimeout: config.testTimeout,
};
