import { beforeEach, describe, expect, it } from '@jest/globals';
import { TestClock } from '../../../../test/support/test-clock.js';
import { StoreUnavailableError } from '../oneid-logout.errors.js';
import { ReplicaBarrier } from './replica-barrier.js';
import { type ReplicaRepository } from '../store/replica.repository.js';

describe('ReplicaBarrier', () => {
  /** One entry for each read of the replicas. */
  let questions: { resolve(maxStalenessMs: number): void; reject(error: unknown): void }[];
  let asked: (count: number) => Promise<void>;
  let clock: TestClock;
  let wait: ReplicaBarrier;
  beforeEach(() => {
    questions = [];
    clock = new TestClock(0);
    asked = async (count) => {
      while (questions.length < count) await new Promise((resolve) => setImmediate(resolve));
    };
    const findMaxStaleness = () => new Promise<number>((resolve, reject) => questions.push({ resolve, reject }));
    wait = new ReplicaBarrier({ findMaxStaleness } as unknown as ReplicaRepository, clock, 0, false);
  });

  it('reads the replicas once for all logouts that were committed together', async () => {
    const waits = [wait.wait(), wait.wait(), wait.wait()];
    await asked(1);
    questions[0]?.resolve(0);
    await Promise.all(waits);
    expect(questions).toHaveLength(1);
  });

  it('reads the replicas again for a logout that was committed after the last read', async () => {
    const first = wait.wait();
    await asked(1);
    const second = wait.wait();
    await asked(2);
    questions[0]?.resolve(0);
    await first;
    let over = false;
    void second.then(() => (over = true));
    await new Promise((resolve) => setImmediate(resolve));
    expect(over).toBe(false);
    questions[1]?.resolve(0);
    await second;
  });

  it('waits for each logout from its own commit', async () => {
    const early = wait.wait();
    clock.advance(30);
    const late = wait.wait();
    await asked(1);
    clock.advance(30);
    questions[0]?.resolve(60);
    await early;
    let over = false;
    void late.then(() => (over = true));
    await new Promise((resolve) => setImmediate(resolve));
    expect(over).toBe(false);
    clock.advance(30);
    await late;
  });

  it('BC-13: fails for all callers when the replicas cannot be read', async () => {
    const waits = Promise.allSettled([wait.wait(), wait.wait()]);
    await asked(1);
    questions[0]?.reject(new StoreUnavailableError('down'));
    expect((await waits).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    const again = wait.wait();
    await asked(2);
    questions[1]?.resolve(0);
    await again;
  });
});
