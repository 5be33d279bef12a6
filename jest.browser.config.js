import config, { shared } from './jest.config.js';

const { globalSetup, globalTeardown } = config;

/** The tests in Chromium, one file after the other: a machine has few processors, and they watch clocks. */
export default {
  ...shared,
  globalSetup,
  globalTeardown,
  displayName: 'browser',
  testMatch: ['<rootDir>/test/browser/**/*.browser-spec.ts'],
  testTimeout: 60_000,
  maxWorkers: 1,
};
