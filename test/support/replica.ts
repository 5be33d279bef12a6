import { type INestApplication } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { OneIdLogoutModule, type OneIdLogoutOptions } from 'nestjs-oneid-logout';
import { Clock } from '../../libs/oneid-logout/src/clock.js';
import { DatabaseConnector } from '../../libs/oneid-logout/src/database/database-connector.js';
import { type TestClock } from './test-clock.js';
import { jobsOf } from './running-work.js';

/** Starts an app that has only the library: a second replica on a database, or the same app after a restart. */
export async function startReplica(options: OneIdLogoutOptions, clock: TestClock): Promise<INestApplication> {
  const testing = await Test.createTestingModule({ imports: [OneIdLogoutModule.forRoot(options)] })
    .overrideProvider(Clock)
    .useValue(clock)
    .overrideProvider(DatabaseConnector)
    .useValue(clock.connector)
    .compile();
  testing.useLogger(false);
  // a job runs only when the test wakes it
  for (const job of jobsOf(testing)) job.start = () => undefined;
  return testing.createNestApplication().init();
}
