import { shared } from './jest.config.js';

const [[files, [, options]]] = Object.entries(shared.transform);

/** For `npm run sabotage`, which starts PostgreSQL and creates RSA keys itself, once for all of its runs of Jest. */
export default {
  ...shared,
  testTimeout: 30_000,
  testEnvironment: '<rootDir>/test/sabotage/environment.mjs',
  transform: { [files]: ['<rootDir>/test/sabotage/transform.mjs', options] },
  testMatch: ['<rootDir>/{test,libs,src}/**/*spec.ts'],
};
