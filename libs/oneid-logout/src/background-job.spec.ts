import { AsyncLocalStorage } from 'node:async_hooks';
import { describe, expect, it } from '@jest/globals';
import { TestClock } from '../../../test/support/test-clock.js';
import { BackgroundJob } from './background-job.js';
import { type Random } from './random.js';

class Job extends BackgroundJob {
  runs = 0;
  finish: () => void = () => undefined;

  constructor(clock = new TestClock(0), fraction = 0.5) {
    super('job', 1_000, clock, { fraction: () => fraction } as Random);
  }

  protected work(): Promise<void> {
    this.runs += 1;
    return new Promise((resolve) => (this.finish = resolve));
  }
}

/** Resolves when all due work has run. */
const quiet = () => new Promise((resolve) => setImmediate(resolve));

describe('BackgroundJob', () => {
  it.each([0, 1, 2, 3, 4, 5])('runs again when it is woken %d turns after the end of its work', async (turns) => {
    const job = new Job();
    void job.wake();
    await Promise.resolve();
    job.finish();
    for (let n = 0; n < turns; n++) await Promise.resolve();
    void job.wake();
    await quiet();
    expect(job.runs).toBe(2);
  });

  it('does not run in the context of the request that wakes it, and gives the caller its own context back', async () => {
    const request = new AsyncLocalStorage<string>();
    const seen: (string | undefined)[] = [];
    class Watched extends Job {
      protected override work(): Promise<void> {
        seen.push(request.getStore());
        return Promise.resolve();
      }
    }
    const job = new Watched();
    await request.run('of alice', async () => {
      await job.wake();
      expect(request.getStore()).toBe('of alice');
    });
    expect(seen).toEqual([undefined]);
  });

  it.each([
    [0, 750],
    [0.5, 1_000],
    [0.9, 1_200],
  ])(
    'with the random number %d, it runs every %d ms, so that replicas do not run at the same time',
    async (fraction, every) => {
      const clock = new TestClock(0);
      const job = new Job(clock, fraction);
      job.start();
      for (const runs of [1, 2]) {
        clock.advance(every - 1);
        expect(job.runs).toBe(runs - 1);
        clock.advance(1);
        expect(job.runs).toBe(runs);
        job.finish();
        await quiet();
      }
      await job.stop();
      expect(clock.timers).toBe(0);
    },
  );

  it('runs once more when it is woken during its work, once or many times', async () => {
    const job = new Job();
    void job.wake();
    for (let n = 0; n < 5; n++) void job.wake();
    job.finish();
    await quiet();
    expect(job.runs).toBe(2);
    job.finish();
    await quiet();
    expect(job.runs).toBe(2);
  });

  it('does not run after stop()', async () => {
    const job = new Job();
    const run = job.wake();
    const stopped = job.stop();
    void job.wake();
    job.finish();
    await Promise.all([run, stopped]);
    await quiet();
    expect(job.runs).toBe(1);
  });
});
