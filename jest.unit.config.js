import config from './jest.config.js';

// the unit tests alone, without the PostgreSQL of the others; mutation testing runs them too, since a mutant's fate must not
// hang on a database
const [unit] = config.projects;

export default { ...unit, rootDir: '.', testTimeout: config.testTimeout };
