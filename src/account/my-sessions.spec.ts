import { beforeEach, describe, expect, jest, test } from '@jest/globals';
import { type ListedSession, type SessionRegistry } from 'nestjs-oneid-logout';
import { type Timeline } from '../timeline/timeline.js';
import { MySessions } from './my-sessions.js';

const issuer = 'https://oneid.example/';

const session = (sub: string, id: string): ListedSession => ({
  ...{ id, issuer, clientId: 'app', sub, iat: 0, registeredAt: 1, expiresAt: 2, label: `device of ${id}` },
});

const mine = session('alice', 'a1');
const others = session('alice', 'a2');
const strangers = session('bob', 'b1');

describe("a user's own sessions", () => {
  const end = jest.fn<SessionRegistry['end']>();
  const listAlive = jest.fn<SessionRegistry['listAlive']>();
  const add = jest.fn<Timeline['add']>();
  const sessions = new MySessions({ listAlive, end } as unknown as SessionRegistry, { add } as unknown as Timeline);

  beforeEach(() => {
    jest.resetAllMocks();
    listAlive.mockImplementation((user) =>
      Promise.resolve([mine, others, strangers].filter(({ sub }) => sub === user.sub)),
    );
  });

  test('are listed with their ids', async () => {
    const list = await sessions.list(mine);
    expect(list.map(({ device, isThis }) => [device, isThis])).toEqual([
      ['device of a1', true],
      ['device of a2', false],
    ]);
    expect(list.map(({ id }) => id)).toEqual(['a1', 'a2']);
  });

  test('are ended by their id, and the timeline shows this', async () => {
    await sessions.end(mine, others.id);
    expect(end.mock.calls).toEqual([['a2']]);
    expect(add.mock.calls).toEqual([[mine, { kind: 'session_ended', device: 'device of a2' }]]);
  });

  test('are not ended by another user', async () => {
    await sessions.end(mine, strangers.id);
    expect([end.mock.calls, add.mock.calls]).toEqual([[], []]);
  });

  test('contain the current session, also when there are very many', async () => {
    listAlive.mockResolvedValue([others]);
    expect((await sessions.list(mine)).map(({ isThis }) => isThis)).toEqual([false, true]);
    await sessions.end(mine, mine.id);
    expect(end.mock.calls).toEqual([['a1']]);
  });

  test('are empty for a token without a user', async () => {
    expect(await sessions.list({ issuer, iat: 0, registeredAt: 0 })).toEqual([]);
    expect(listAlive).not.toHaveBeenCalled();
  });
});
