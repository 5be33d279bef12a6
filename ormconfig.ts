import { sessionDataSourceOptions } from 'nestjs-oneid-logout';
import { DataSource } from 'typeorm';
import { readDatabase } from './src/settings.js';

/** For TypeORM's command line, and for `npm run migration:run`, where migrations are not to run at boot. */
export default new DataSource(sessionDataSourceOptions(readDatabase(process.env)));
