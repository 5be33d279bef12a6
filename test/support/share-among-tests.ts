import { afterAll, beforeAll, beforeEach } from '@jest/globals';

/** What a suite can start once for all of its tests. */
export interface Shareable {
  /** Resolves when it does nothing any more of what it was asked for. */
  settled(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Starts something once for all tests of the suite that calls this. Each test finds it settled: what an earlier one has
 * set off would else change the tables that this one compares, or be hit by the failure that it stages.
 *
 * @param take gets the started object before the first test runs
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
