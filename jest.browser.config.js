import config, { shared } from './jest.config.js';

const { globalSetup, globalTeardown } = config;

/** The tests in Chromium, two files at a time: each of them keeps about one processor busy. */
export default {
  ...shared,
  globalSetup,
  globalTeardown,
  displayName: 'browser',
  testMatch: ['<rootDir>/test/browser/**/*.browser-spec.ts'],
  testTimeout: 60_000,
  maxWorkers: 2,
};
