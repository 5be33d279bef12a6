import { describe, expect, it } from '@jest/globals';
import { TestClock } from '../../../../test/support/test-clock.js';
import { CachedResource } from './cached-resource.js';

const times = { maxAge: 1000, coolDown: 100 };

/** A resource whose loads end when the test says so, with a test clock. */
function setUp(burst?: number) {
  const clock = new TestClock(1_000_000);
  const loads: { succeed: (content: string) => void; fail: (error: Error) => void }[] = [];
  const resource = new CachedResource(
    () => new Promise<string>((succeed, fail) => loads.push({ succeed, fail })),
    clock,
    { ...times, ...(burst !== undefined && { burst }) },
  );
  return { clock, loads, resource };
}

/** The same, with a first value. */
async function filled(content = 'first') {
  const all = setUp();
  const got = all.resource.get();
  all.loads[0]?.succeed(content);
  await got;
  return all;
}

describe('CachedResource', () => {
  it('loads once for all callers at the same time', async () => {
    const { loads, resource } = setUp();
    const asked = [resource.get(), resource.get(), resource.refresh()];
    loads[0]?.succeed('content');

    expect(await Promise.all(asked)).toEqual([
      expect.objectContaining({ content: 'content' }),
      expect.objectContaining({ content: 'content' }),
      true,
    ]);
    expect(loads).toHaveLength(1);
  });

  it('keeps the value until it is too old', async () => {
    const { clock, loads, resource } = await filled();
    clock.advance(999);
    expect((await resource.get()).content).toBe('first');
    expect(loads).toHaveLength(1);

    clock.advance(1);
    const got = resource.get();
    loads[1]?.succeed('second');
    expect((await got).content).toBe('second');
    expect(loads).toHaveLength(2);
  });

  it('counts age from the start of the load, and the cool-down from its end', async () => {
    const { clock, loads, resource } = setUp();
    const got = resource.get();
    clock.advance(950);
    loads[0]?.succeed('slow');
    await got;

    clock.advance(50);
    expect((await resource.get()).content).toBe('slow');
    expect(loads).toHaveLength(1);
    clock.advance(50);
    void resource.get();
    expect(loads).toHaveLength(2);
  });

  it('throws when there is no value, and does not load again before the cool-down is over', async () => {
    const { clock, loads, resource } = setUp();
    const got = resource.get();
    loads[0]?.fail(new Error('down'));
    await expect(got).rejects.toThrow('down');

    clock.advance(99);
    await expect(resource.get()).rejects.toThrow('down');
    await resource.refresh();
    expect(loads).toHaveLength(1);
    clock.advance(1);
    const again = resource.get();
    loads[1]?.succeed('up');
    expect((await again).content).toBe('up');
  });

  it('returns the old value when a new load fails', async () => {
    const { clock, loads, resource } = await filled();
    clock.advance(1000);
    const got = resource.get();
    loads[1]?.fail(new Error('down'));

    expect((await got).content).toBe('first');
    expect((await resource.get()).content).toBe('first');
    expect(loads).toHaveLength(2);
  });

  it('refreshes on demand, once per cool-down', async () => {
    const { clock, loads, resource } = await filled();
    await resource.refresh();
    expect(loads).toHaveLength(1);

    clock.advance(100);
    const refreshed = Promise.all([resource.refresh(), resource.refresh()]);
    loads[1]?.succeed('second');
    await refreshed;
    await resource.refresh();
    expect(loads).toHaveLength(2);
    expect((await resource.get()).content).toBe('second');
  });

  it('loads again after the clock steps back', async () => {
    const { clock, loads, resource } = await filled();
    clock.advance(-1_000_000);
    const got = resource.get();
    loads[1]?.succeed('second');

    expect((await got).content).toBe('second');
    expect((await resource.get()).content).toBe('second');
    expect(loads).toHaveLength(2);
  });

  it('P13: with a burst, a few loads run at once, failed ones included, and one more per cool-down', async () => {
    const { clock, loads, resource } = setUp(3);
    const refresh = async () => {
      const before = loads.length;
      const refreshed = resource.refresh();
      if (loads.length > before) loads.at(-1)?.fail(new Error('down'));
      return [await refreshed, loads.length];
    };
    expect([await refresh(), await refresh(), await refresh(), await refresh()]).toEqual([
      [false, 1],
      [false, 2],
      [false, 3],
      [false, 3],
    ]);
    clock.advance(99);
    expect(await refresh()).toEqual([false, 3]);
    clock.advance(1);
    expect([await refresh(), await refresh()]).toEqual([
      [false, 4],
      [false, 4],
    ]);
    clock.advance(250);
    expect([await refresh(), await refresh(), await refresh()]).toEqual([
      [false, 5],
      [false, 6],
      [false, 6],
    ]);
    clock.advance(10_000);
    for (let n = 7; n < 10; n++) expect(await refresh()).toEqual([false, n]);
    expect(await refresh()).toEqual([false, 9]);
    clock.advance(-1_000_000);
    expect(await refresh()).toEqual([false, 10]);
  });

  it('P13: tells when the fetch of its value began, and which attempt it was', async () => {
    const { clock, loads, resource } = setUp(2);
    expect(resource.attempts).toBe(0);
    const got = resource.get();
    clock.advance(10);
    loads[0]?.succeed('first');
    const startedAt = { wall: 1_000_000, monotonic: 1_000_000 };
    expect(await got).toEqual({ content: 'first', startedAt, attempt: 1 });

    const refreshed = resource.refresh();
    loads[1]?.fail(new Error('down'));
    expect(await refreshed).toBe(false);
    expect(resource.attempts).toBe(2);
    expect(await resource.get()).toEqual({ content: 'first', startedAt, attempt: 1 });

    clock.advance(100);
    const again = resource.refresh();
    loads[2]?.succeed('second');
    expect(await again).toBe(true);
    expect(await resource.get()).toEqual({
      content: 'second',
      startedAt: { wall: 1_000_110, monotonic: 1_000_110 },
      attempt: 3,
    });
  });
});
