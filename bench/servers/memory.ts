// Measures how much memory a replica needs for the sessions and the logouts that it remembers.
import { type CheckedSession } from '../../libs/oneid-logout/src/rule/session.js';
import { setImmediate as turn } from 'node:timers/promises';
import { Clock } from '../../libs/oneid-logout/src/clock.js';
import { CachedSessionLookup } from '../../libs/oneid-logout/src/replicas/cached-session-lookup.js';
import { type LogoutFollower } from '../../libs/oneid-logout/src/replicas/logout-follower.js';
import { RecentLogouts } from '../../libs/oneid-logout/src/replicas/recent-logouts.js';
import { type SessionRepository } from '../../libs/oneid-logout/src/store/session.repository.js';
import { digest, targetOf } from '../../libs/oneid-logout/src/rule/targets.js';
import { idOf, sidOf } from '../fill.js';
import { answerQuestions } from './questions.js';

const issuer = 'https://oneid.example/';

/** A driver creates new strings for every row. */
const fresh = (text: string) => Buffer.from(text).toString();

async function heap(): Promise<number> {
  for (let n = 0; n < 3; n++) {
    await turn();
    globalThis.gc?.();
  }
  return process.memoryUsage().heapUsed;
}

/** Bytes per session that a replica remembers. */
async function sessions(count: number): Promise<number> {
  const now = Date.now();
  let reads = 0;
  const check = (tokenHash: string): Promise<CheckedSession> => {
    const n = reads++;
    const facts = { id: fresh(tokenHash), issuer: fresh(issuer), clientId: fresh('app'), sid: fresh(sidOf(n)) };
    const session = { ...facts, sub: `user-${n}`, iat: now / 1000, registeredAt: now, expiresAt: now + 1e9 };
    return Promise.resolve({ session, expired: false });
  };
  const follower = {
    usableGeneration: 1,
    declaredPeriod: 1,
    databaseNow: () => now,
    logouts: new RecentLogouts(),
  } satisfies Partial<LogoutFollower> as unknown as LogoutFollower;
  const repository = { check } satisfies Partial<SessionRepository> as unknown as SessionRepository;
  const followed = new CachedSessionLookup(repository, follower, new Clock(), {
    ...{ maxStalenessMs: 500, allowDuringOutageMs: 0, maxSessions: count },
  });
  const before = await heap();
  for (let n = 0; n < count; n++) await followed.check(idOf(n));
  const after = await heap();
  // these sessions must still be in memory when they are measured
  await followed.check(idOf(0));
  if (reads !== count) throw new Error('The replica has not remembered the sessions');
  return (after - before) / count;
}

/** Bytes per logout of the last minutes. */
async function logouts(count: number): Promise<number> {
  const recent = new RecentLogouts();
  const before = await heap();
  for (let n = 0; n < count; n++) {
    const target = targetOf('sid', issuer, sidOf(n));
    recent.add({ id: digest(['logout', n]), target, channel: 'backchannel', changedAt: Date.now() });
  }
  const after = await heap();
  if (recent.size !== count) throw new Error('not all logouts are there');
  return (after - before) / count;
}

answerQuestions('', { sessions: (count) => sessions(Number(count)), logouts: (count) => logouts(Number(count)) });
