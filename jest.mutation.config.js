import config from './jest.config.js';

// the tests beside the code, without those in test/: a mutant's fate must not depend on a database
const [unit] = config.projects;

export default {
  ...unit,
  rootDir: '.',
  // Stryker loads the environment with require
  testEnvironment: 'node',
  testMatch: ['<rootDir>/libs/**/*spec.ts'],
  testTimeout: config.testTimeout,
};
