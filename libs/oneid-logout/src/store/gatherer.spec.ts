import { AsyncLocalStorage } from 'node:async_hooks';
import { beforeEach, describe, expect, it } from '@jest/globals';
import { TestClock } from '../../../../test/support/test-clock.js';
import { turnSource } from '../../../../test/support/turn-source.js';
import { Gatherer } from './gatherer.js';

describe('Gatherer', () => {
  let clock: TestClock;
  /** The groups that were sent, and the answers that the test gives. */
  let sent: { readonly keys: string; readonly answer: () => void; readonly fail: (reason: Error) => void }[];
  let gatherer: Gatherer<string, string>;

  const open = (connections: number) =>
    new Gatherer<string, string>(
      turnSource(connections, clock),
      { lane: 'check', maxSize: 4, sizeOf: () => 1 },
      (keys) =>
        new Promise((resolve, reject) => {
          sent.push({ keys: keys.join(' '), answer: () => resolve(keys.map((key) => `answer ${key}`)), fail: reject });
        }),
    );
  const keysSent = () => sent.map(({ keys }) => keys);

  beforeEach(() => {
    clock = new TestClock(0);
    sent = [];
    gatherer = open(10);
  });

  it('sends a lone request in the same turn of the event loop', async () => {
    const asked = gatherer.add('a');
    await clock.endOfTurn();
    expect(keysSent()).toEqual(['a']);
    sent[0]?.answer();
    expect(await asked).toBe('answer a');
    expect(clock.timers).toBe(0);
  });

  it('sends a lone request in the context of its caller, and a shared statement in the context of no caller', async () => {
    const user = new AsyncLocalStorage<string>();
    const seen: (string | undefined)[] = [];
    const settings = { lane: 'check', maxSize: 4, sizeOf: () => 1 } as const;
    const watched = new Gatherer<string, string>(turnSource(10, clock), settings, (keys) => {
      seen.push(user.getStore());
      return Promise.resolve(keys);
    });
    await user.run('alice', () => watched.add('a'));
    await Promise.all(['bob', 'carol'].map((name) => user.run(name, () => watched.add(name))));
    expect(seen).toEqual(['alice', undefined]);
  });

  it('has two groups under way, and gathers the requests that come meanwhile in the third', async () => {
    const answers: Promise<string>[] = [];
    for (const key of ['a', 'b', 'c', 'd']) {
      answers.push(gatherer.add(key));
      await clock.endOfTurn();
    }
    expect(keysSent()).toEqual(['a', 'b']);
    sent[1]?.answer();
    await clock.endOfTurn();
    expect(keysSent()).toEqual(['a', 'b', 'c d']);
    for (const { answer } of sent) answer();
    expect(await Promise.all(answers)).toEqual(['answer a', 'answer b', 'answer c', 'answer d']);
  });

  it('closes a group when it is sent: a later request never joins a statement that has begun', async () => {
    gatherer = open(1);
    const first = gatherer.add('a');
    await clock.endOfTurn();
    const second = gatherer.add('a');
    await clock.endOfTurn();
    expect(keysSent()).toEqual(['a']);
    sent[0]?.answer();
    await first;
    await clock.endOfTurn();
    expect(keysSent()).toEqual(['a', 'a']);
    sent[1]?.answer();
    expect(await second).toBe('answer a');
  });

  it('sends no group that is larger than the limit, and the oldest requests first', async () => {
    gatherer = open(1);
    const answers = ['a', 'b', 'c', 'd', 'e', 'f'].map((key) => gatherer.add(key));
    await clock.endOfTurn();
    sent[0]?.answer();
    await clock.endOfTurn();
    sent[1]?.answer();
    await Promise.all(answers);
    expect(keysSent()).toEqual(['a b c d', 'e f']);
  });

  it('fails all requests of a failed group, and asks none of them again', async () => {
    const asked = Promise.allSettled(['a', 'b'].map((key) => gatherer.add(key)));
    await clock.endOfTurn();
    const reason = new Error('down');
    sent[0]?.fail(reason);
    expect(await asked).toEqual([
      { status: 'rejected', reason },
      { status: 'rejected', reason },
    ]);
    await clock.endOfTurn();
    expect(keysSent()).toEqual(['a b']);
  });

  it('opens a new group when the waiting group is old, so that each request has time to wait', async () => {
    gatherer = open(1);
    const first = gatherer.add('a');
    await clock.endOfTurn();
    const old = gatherer.add('b');
    await clock.endOfTurn();
    clock.advance(250);
    const late = gatherer.add('c');
    await clock.endOfTurn();
    clock.advance(750);
    await expect(old).rejects.toThrow('waited longer than 1000 ms');
    sent[0]?.answer();
    await first;
    await clock.endOfTurn();
    sent[1]?.answer();
    expect(await late).toBe('answer c');
    expect(keysSent()).toEqual(['a', 'c']);
  });

  it('fails a group that waits too long, and sends the next group when a connection is free again', async () => {
    gatherer = open(1);
    const first = gatherer.add('a');
    await clock.endOfTurn();
    const waiting = gatherer.add('b');
    await clock.endOfTurn();
    clock.advance(1_000);
    await expect(waiting).rejects.toThrow('The statement waited longer than 1000 ms for a connection');
    const third = gatherer.add('c');
    await clock.endOfTurn();
    sent[0]?.answer();
    expect(await first).toBe('answer a');
    await clock.endOfTurn();
    sent[1]?.answer();
    expect(await third).toBe('answer c');
    expect(keysSent()).toEqual(['a', 'c']);
  });
});
