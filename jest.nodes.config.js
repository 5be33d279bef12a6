import config from './jest.config.js';

const [unit, e2e, processes] = config.projects;

const inTest = (...names) => names.map((name) => `<rootDir>/test/${name}.e2e-spec.ts`);

/**
 * The suites whose result another version of Node can change: HTTP servers and clients, sockets, streams, cryptography,
 * SQLite's native addon, processes and their signals, and one path through everything. Other suites run the same code of
 * Node with other input, and `npm run demo` runs the reference app.
 */
export default {
  ...config,
  projects: [
    unit,
    {
      ...e2e,
      testMatch: [
        '<rootDir>/{libs,src}/**/*.e2e-spec.ts',
        ...inTest('main-path', 'host-adapters', 'session-database', 'session-tokens', 'at-rest', 'sockets', 'sse'),
      ],
    },
    { ...processes, testMatch: inTest('crash') },
  ],
};
