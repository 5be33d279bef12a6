import { type Clock } from '../clock.js';
import { driverErrorOf } from './driver-errors.js';
import { type SqlDialect } from './sql-dialect.js';

export interface RetryPlan {
  readonly attempts: number;
  /** Between two attempts. */
  readonly pauseMs: number;
}

/** For a boot while another process holds a lock on the database: ten seconds. */
const WHILE_LOCKED: RetryPlan = { attempts: 100, pauseMs: 100 };

/** For the work at boot: another process that boots at the same time may lock the database for a moment. */
export function retryWhileLocked<T>(dialect: SqlDialect, clock: Clock, work: () => Promise<T>): Promise<T> {
  return retryWhile((error) => dialect.isBusy(driverErrorOf(error)), WHILE_LOCKED, clock, work);
}

/**
 * Does the work again while it fails with an error that may pass.
 *
 * @throws the error of the last attempt, or the first error that does not pass
 */
export async function retryWhile<T>(
  mayPass: (error: unknown) => boolean,
  { attempts, pauseMs }: RetryPlan,
  clock: Clock,
  work: () => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (!mayPass(error) || attempt === attempts) throw error;
      await clock.delay(pauseMs);
    }
  }
}
