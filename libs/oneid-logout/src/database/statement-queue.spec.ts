import { beforeEach, describe, expect, it } from '@jest/globals';
import { TestClock } from '../../../../test/support/test-clock.js';
import { type Lane, StatementQueue } from './statement-queue.js';

describe('StatementQueue', () => {
  let clock: TestClock;
  let queue: StatementQueue;
  /** The statements under way, by name, with the function that ends each. */
  let running: Map<string, () => void>;

  beforeEach(() => {
    clock = new TestClock(0);
    running = new Map();
  });

  /** Sends a statement that runs until the test ends it. */
  async function send(lane: Lane, name: string): Promise<void> {
    const turn = await queue.next(lane);
    await turn.hold(new Promise<void>((end) => running.set(name, end)));
    running.delete(name);
  }
  /** @returns how the last of them ends */
  const start = (lane: Lane, ...names: string[]): { readonly last: Promise<void> } => {
    const all = names.map((name) => send(lane, name));
    for (const one of all) one.catch(() => undefined);
    return { last: all.at(-1) ?? Promise.resolve() };
  };
  const end = async (name: string) => {
    running.get(name)?.();
    await clock.endOfTurn();
  };
  const now = async () => {
    await clock.endOfTurn();
    return [...running.keys()].join(' ');
  };

  it.each([
    [1, 'c1'],
    [2, 'c1'],
    [3, 'c1 c2'],
    [10, 'c1 c2'],
  ])('S3: of %d connections, checks hold few', async (connections, held) => {
    queue = new StatementQueue(connections, clock);
    start('check', 'c1', 'c2', 'c3');
    expect(await now()).toBe(held);
  });

  it.each([
    [1, 'w1'],
    [2, 'w1'],
    [4, 'w1 w2 w3'],
  ])('of %d connections, other work leaves one to the logouts', async (connections, held) => {
    queue = new StatementQueue(connections, clock);
    start('work', 'w1', 'w2', 'w3', 'w4');
    expect(await now()).toBe(held);
  });

  it('S3: gives a free connection to logouts first, then looks, sign-ins and checks', async () => {
    queue = new StatementQueue(1, clock);
    start('check', 'c1', 'c2');
    start('work', 'w');
    start('look', 'l');
    start('logout', 'o');
    const order = [];
    for (let name = await now(); name !== ''; name = await now()) {
      order.push(name);
      await end(name);
    }
    expect(order).toEqual(['c1', 'o', 'l', 'w', 'c2']);
  });

  it('S3: a statement that waits too long fails, and the others keep their connections', async () => {
    queue = new StatementQueue(3, clock);
    start('check', 'c1', 'c2');
    const { last: late } = start('check', 'late');
    await clock.endOfTurn();
    clock.advance(999);
    expect(await now()).toBe('c1 c2');
    clock.advance(1);
    await expect(late).rejects.toThrow('The statement waited longer than 1000 ms for a connection');
    expect(await now()).toBe('c1 c2');
    await end('c1');
    await end('c2');
    expect(clock.timers).toBe(0);
  });

  it('S3: refuses a statement at once when a thousand wait already', async () => {
    queue = new StatementQueue(1, clock);
    start('check', ...Array.from({ length: 1_001 }, (_, n) => `c${n}`));
    await expect(queue.next('check')).rejects.toThrow('1000 statements already wait for a connection');
    const { last: logout } = start('logout', 'o');
    expect(await now()).toBe('c0');
    await end('c0');
    expect(await now()).toBe('o');
    await end('o');
    await logout;
  });

  it('S3: when the database is down it refuses at once, and then lets one statement at a time try', async () => {
    queue = new StatementQueue(3, clock);
    const down = new Error('connect ECONNREFUSED');
    start('work', 'w1', 'w2');
    const { last: waiting } = start('work', 'w3');
    await clock.endOfTurn();
    queue.connectionFailed(down);
    await end('w1');
    queue.connectionFailed(down);
    await expect(waiting).rejects.toBe(down);
    await end('w2');
    await expect(queue.next('logout')).rejects.toBe(down);
    clock.advance(100);
    start('logout', 'o1', 'o2', 'o3');
    expect(await now()).toBe('o1');
    queue.connectionWorks();
    expect(await now()).toBe('o1 o2');
    queue.connectionWorks();
    expect(await now()).toBe('o1 o2');
    clock.advance(100);
    queue.connectionWorks();
    expect(await now()).toBe('o1 o2 o3');
    for (const name of ['o1', 'o2', 'o3']) await end(name);
    start('check', 'c');
    expect(await now()).toBe('c');
  });

  it('S3: when the database refuses only more connections, statements wait for those that work', async () => {
    queue = new StatementQueue(4, clock);
    start('check', 'c1', 'c2');
    start('work', 'w1');
    start('check', 'c3');
    await clock.endOfTurn();
    queue.connectionFailed(new Error('too many clients'));
    await end('w1');
    const { last: logout } = start('logout', 'o');
    expect(await now()).toBe('c1 c2');
    queue.connectionWorks();
    await end('c1');
    expect(await now()).toBe('c2 o');
    await end('o');
    await logout;
    expect(await now()).toBe('c2 c3');
    clock.advance(100);
    start('work', 'w2');
    expect(await now()).toBe('c2 c3');
    queue.connectionWorks();
    expect(await now()).toBe('c2 c3 w2');
  });

  it('keeps a turn until the last work in it has ended', async () => {
    queue = new StatementQueue(1, clock);
    const turn = await queue.next('work');
    let endLate: () => void = () => undefined;
    const late = turn.hold(new Promise<void>((resolve) => (endLate = resolve)));
    await turn.hold(Promise.reject(new Error('failed'))).catch(() => undefined);
    start('work', 'w');
    expect(await now()).toBe('');
    endLate();
    await late;
    expect(await now()).toBe('w');
  });
});
