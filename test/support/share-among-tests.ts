import { afterAll, beforeAll, beforeEach } from '@jest/globals';

/** An object that a suite starts once for all its tests, for example a host. */
export interface Shareable {
  /** Resolves when the object has no running work. */
  settled(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Starts an object once for all tests of the calling suite, and lets it settle before each test. Otherwise the
 * unfinished work of an earlier test could change the tables that the next test compares, or meet a failure that the
 * next test causes.
 *
 * @param take receives the started object before the first test
 */
export function shareAmongTests<T extends Shareable>(
  start: () => Promise<T>,
  take: (started: T) => void | Promise<void>,
): void {
  let started: T | undefined;
  beforeAll(async () => {
    started = await start();
    await take(started);
  });
  beforeEach(() => started?.settled());
  afterAll(() => started?.stop());
}
