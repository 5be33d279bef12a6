import config from './jest.config.js';

// the unit tests alone: a mutant's fate must not hang on a database
const [unit] = config.projects;

export default { ...unit, rootDir: '.', testTimeout: config.testTimeout };
