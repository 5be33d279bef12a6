import { type OneIdLogoutOptions } from 'nestjs-oneid-logout';

export function database(): OneIdLogoutOptions['database'] {
  return { type: 'better-sqlite3', database: process.env.DATABASE_FILE ?? ':memory:' };
}
