import { type OneIdLogoutOptions } from 'nestjs-oneid-logout';
import * as pg from 'pg';

export function database(): OneIdLogoutOptions['database'] {
  // TypeORM cannot find the driver in a bundle by its name
  return { type: 'postgres', url: process.env.DATABASE_URL, driver: pg };
}
