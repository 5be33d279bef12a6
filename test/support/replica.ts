import { type INestApplication } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { OneIdLogoutModule, type OneIdLogoutOptions } from 'nestjs-oneid-logout';
import { Clock } from '../../libs/oneid-logout/src/clock.js';
import { DatabaseConnector } from '../../libs/oneid-logout/src/database/database-connector.js';
import { type TestClock } from './test-clock.js';
import { jobsOf } from './under-way.js';

/** An app with nothing but the library in it: one of several on the same database and OneID, or one after a restart. */
export async function startReplica(options: OneIdLogoutOptions, clock: TestClock): Promise<INestApplication> {
  const testing = await Test.createTestingModule({ imports: [OneIdLogoutModule.forRoot(options)] })
    .overrideProvider(Clock)
    .useValue(clock)
    .overrideProvider(DatabaseConnector)
    .useValue(clock.connector)
    .compile();
  testing.useLogger(false);
  // the test wakes each job when it wants it to run
  for (const job of jobsOf(testing)) job.start = () => undefined;
  return testing.createNestApplication().init();
}
