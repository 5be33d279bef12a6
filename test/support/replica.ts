import { type INestApplication } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { OneIdLogoutModule, type OneIdLogoutOptions } from 'nestjs-oneid-logout';
import { Clock } from '../../libs/oneid-logout/src/clock.js';
import { RESOLVED_OPTIONS, type ResolvedOptions } from '../../libs/oneid-logout/src/oneid-logout.options.js';
import { SessionDatabase } from '../../libs/oneid-logout/src/database/session-database.js';
import { type TestClock } from './test-clock.js';

/** An app with nothing but the library in it: one of several on the same database and OneID, or one after a restart. */
export async function startReplica(options: OneIdLogoutOptions, clock: TestClock): Promise<INestApplication> {
  const testing = await Test.createTestingModule({ imports: [OneIdLogoutModule.forRoot(options)] })
    .overrideProvider(Clock)
    .useValue(clock)
    .overrideProvider(SessionDatabase)
    .useFactory({
      inject: [RESOLVED_OPTIONS],
      factory: ({ database, runMigrations }: ResolvedOptions) =>
        SessionDatabase.open(database, runMigrations, clock.dialect(database.type)),
    })
    .compile();
  testing.useLogger(false);
  return testing.createNestApplication().init();
}
