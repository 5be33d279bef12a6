import { sessionDataSourceOptions } from 'nestjs-oneid-logout';
import { DataSource } from 'typeorm';
import { databaseOf } from './src/database.js';

/** For TypeORM's command line, where migrations are not to run at boot: `npm run migration:run`. */
export default new DataSource(sessionDataSourceOptions(databaseOf(process.env['DATABASE_URL'] || undefined)));
