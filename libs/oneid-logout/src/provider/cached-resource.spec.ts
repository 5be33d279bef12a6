import { describe, expect, it } from '@jest/globals';
import { TestClock } from '../../../../test/support/test-clock.js';
import { CachedResource } from './cached-resource.js';

const times = { maxAge: 1000, coolDown: 100 };

/** A resource whose loads end when the test says so, with a test clock. */
function setUp() {
  const clock = new TestClock(1_000_000);
  const loads: { succeed: (content: string) => void; fail: (error: Error) => void }[] = [];
  const resource = new CachedResource(
    () => new Promise<string>((succeed, fail) => loads.push({ succeed, fail })),
    clock,
    times,
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

    expect(await Promise.all(asked)).toEqual(['content', 'content', undefined]);
    expect(loads).toHaveLength(1);
  });

  it('keeps the value until it is too old', async () => {
    const { clock, loads, resource } = await filled();
    clock.advance(999);
    expect(await resource.get()).toBe('first');
    expect(loads).toHaveLength(1);

    clock.advance(1);
    const got = resource.get();
    loads[1]?.succeed('second');
    expect(await got).toBe('second');
    expect(loads).toHaveLength(2);
  });

  it('counts age from the start of the load, and the cool-down from its end', async () => {
    const { clock, loads, resource } = setUp();
    const got = resource.get();
    clock.advance(950);
    loads[0]?.succeed('slow');
    await got;

    clock.advance(50);
    expect(await resource.get()).toBe('slow');
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
    expect(await again).toBe('up');
  });

  it('returns the old value when a new load fails', async () => {
    const { clock, loads, resource } = await filled();
    clock.advance(1000);
    const got = resource.get();
    loads[1]?.fail(new Error('down'));

    expect(await got).toBe('first');
    expect(await resource.get()).toBe('first');
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
    expect(await resource.get()).toBe('second');
  });

  it('loads again after the clock steps back', async () => {
    const { clock, loads, resource } = await filled();
    clock.advance(-1_000_000);
    const got = resource.get();
    loads[1]?.succeed('second');

    expect(await got).toBe('second');
    expect(await resource.get()).toBe('second');
    expect(loads).toHaveLength(2);
  });

  it('isNewerThan() compares the value with a moment', async () => {
    const { clock, loads, resource } = setUp();
    expect(resource.isNewerThan(0)).toBe(false);
    const got = resource.get();
    clock.advance(10);
    loads[0]?.succeed('first');
    await got;
    expect([1_000_000, 1_000_001].map((moment) => resource.isNewerThan(moment))).toEqual([true, false]);

    clock.advance(100);
    const refreshed = resource.refresh();
    loads[1]?.fail(new Error('down'));
    await refreshed;
    expect(resource.isNewerThan(1_000_000)).toBe(false);
  });
});
