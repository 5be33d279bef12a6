import { describe, expect, it, jest } from '@jest/globals';
import { TestClock } from '../../../../test/support/test-clock.js';
import { TimeLimit } from './time-limit.js';

const never = () => new Promise<never>(() => undefined);

describe('TimeLimit', () => {
  const clock = new TestClock(0);

  it('returns the result of the work, and leaves no timer', async () => {
    expect(await TimeLimit.enforce(1_000, clock, () => Promise.resolve(7))).toBe(7);
    await expect(TimeLimit.enforce(1_000, clock, () => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
    expect(clock.timers).toBe(0);
  });

  it('stops the running part of the work when the time is over', async () => {
    const cut = jest.fn();
    let ended: unknown;
    const held = TimeLimit.enforce(1, clock, (limit) => {
      const part = limit.cutting(never, cut);
      part.catch((error: unknown) => {
        ended = error;
      });
      return part;
    });
    clock.advance(1);
    await expect(held).rejects.toThrow('The statement took longer than 1 ms');
    expect(cut).toHaveBeenCalledTimes(1);
    expect(String(ended)).toBe('Error: The statement took longer than 1 ms');
  });

  it('stops no part that has ended, and lets no new part begin', async () => {
    const cut = jest.fn();
    let later: TimeLimit | undefined;
    const held = TimeLimit.enforce(1, clock, async (limit) => {
      later = limit;
      limit.check();
      await limit.cutting(() => Promise.resolve(), cut);
      return never();
    });
    await clock.endOfTurn();
    clock.advance(1);
    await expect(held).rejects.toThrow('took longer');
    expect(cut).not.toHaveBeenCalled();
    expect(later?.isOver).toBe(true);
    expect(() => later?.check()).toThrow('The statement took longer than 1 ms');
    await expect(later?.cutting(() => Promise.resolve(7), cut)).rejects.toThrow('took longer than 1 ms');
  });
});
