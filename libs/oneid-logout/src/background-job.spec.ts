import { describe, expect, it } from '@jest/globals';
import { BackgroundJob } from './background-job.js';

class Job extends BackgroundJob {
  runs = 0;
  finish: () => void = () => undefined;

  constructor() {
    super('job', 1_000_000);
  }

  protected work(): Promise<void> {
    this.runs += 1;
    return new Promise((resolve) => (this.finish = resolve));
  }
}

/** Everything that is due has been done. */
const quiet = () => new Promise((resolve) => setImmediate(resolve));

describe('BackgroundJob', () => {
  it.each([0, 1, 2, 3, 4, 5])('hears who wakes it %d turns after its work was done', async (turns) => {
    const job = new Job();
    void job.wake();
    await Promise.resolve();
    job.finish();
    for (let n = 0; n < turns; n++) await Promise.resolve();
    void job.wake();
    await quiet();
    expect(job.runs).toBe(2);
  });

  it('runs once more when it is woken while it works, however often', async () => {
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

  it('is not woken once it is stopped', async () => {
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
