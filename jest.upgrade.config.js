import config from './jest.config.js';

const [, e2e] = config.projects;

/** Replicas of this version and of an older one on one database. They are processes and watch clocks: one file at a time. */
export default {
  ...e2e,
  rootDir: '.',
  displayName: 'upgrade',
  testMatch: ['<rootDir>/test/upgrade/*.upgrade-spec.ts'],
  testPathIgnorePatterns: [],
  testTimeout: 120_000,
  maxWorkers: 1,
  globalSetup: config.globalSetup,
  globalTeardown: config.globalTeardown,
};
