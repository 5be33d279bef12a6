import config from './jest.config.js';

// the unit tests alone, without the PostgreSQL of the others
const [unit] = config.projects;

export default { ...unit, rootDir: '.', testTimeout: config.testTimeout };
