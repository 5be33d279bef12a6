import { describe, expect, it } from '@jest/globals';
import {
  type CheckedSession,
  copyOf,
  type Session,
  type SessionFacts,
  targetsByKind,
  targetsOf,
  timedOutBy,
  usersOf,
  withStoredTargets,
  withUsers,
} from './session.js';
import { everyoneTargetOf, targetOf } from './targets.js';

const issuer = 'https://oneid.example/';
const token: SessionFacts = { issuer, clientId: 'app', sid: 'sid-1', iat: 1_000, registeredAt: 1_000_500 };
const session: Session = { ...token, id: 'session-1', sub: 'alice' } as Session;
const sid = targetOf('sid', issuer, 'sid-1');

describe('timedOutBy', () => {
  const usage = { recordedAt: 1, checkedAt: 2 };
  it.each<[Omit<CheckedSession, 'session'>, 'expired' | 'idle' | undefined]>([
    [{ expired: false }, undefined],
    [{ expired: false, usage: { ...usage, idle: false } }, undefined],
    [{ expired: false, usage: { ...usage, idle: true } }, 'idle'],
    [{ expired: true, usage: { ...usage, idle: true } }, 'expired'],
    [{ expired: true }, 'expired'],
  ])('%j: %s', (checked, reason) => {
    expect(timedOutBy({ session, ...checked })).toBe(reason);
  });
});

describe('withStoredTargets', () => {
  const stored = { session: 'a', sid: 'b', sub: 'c' };

  it('gives a session the targets of the database, in its copies, too', () => {
    const found = withStoredTargets({ ...session }, stored);
    for (const one of [found, copyOf(found)]) {
      expect(targetsByKind(one)).toEqual(stored);
      expect(targetsOf(one)).toEqual([
        ...['a', 'b', 'c'],
        everyoneTargetOf(issuer).target,
        everyoneTargetOf(issuer, 'app').target,
      ]);
      expect(usersOf(one)).toEqual(['c']);
    }
  });

  it('shows them in no log and no answer', () => {
    const found = withStoredTargets({ ...session }, stored);
    expect([Object.keys(found), JSON.stringify(found), { ...found }]).toEqual([
      Object.keys(session),
      JSON.stringify(session),
      session,
    ]);
    expect(targetsByKind({ ...found })).toEqual(targetsByKind(session));
  });
});

describe('withUsers', () => {
  it('gives a token without sub the users of its sid, in their order', () => {
    const known = withUsers(token, ['user-2', 'user-1']);
    for (const one of [known, copyOf(known)]) {
      expect(one).toEqual(token);
      expect(targetsByKind(one)).toEqual({ sid });
      expect(usersOf(one)).toEqual(['user-1', 'user-2']);
      expect(targetsOf(one)).toEqual([
        ...[sid, 'user-1', 'user-2'],
        everyoneTargetOf(issuer).target,
        everyoneTargetOf(issuer, 'app').target,
      ]);
    }
    expect(usersOf(token)).toEqual([]);
  });
});

describe('copyOf', () => {
  it('copies a session that has no stored targets', () => {
    const copy = copyOf(session);
    expect(copy).toEqual(session);
    expect(copy).not.toBe(session);
    expect(targetsOf(copy)).toEqual(targetsOf(session));
  });
});
