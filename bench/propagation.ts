import { setTimeout as delay } from 'node:timers/promises';
import { type OneIdLogoutOptions } from 'nestjs-oneid-logout';
import { type VerifiedLogoutToken } from '../libs/oneid-logout/src/provider/logout-token.js';
import { SessionDatabase } from '../libs/oneid-logout/src/database/session-database.js';
import { fill, sessionTokenOf, sidOf } from './fill.js';
import { ServerProcess } from './server-process.js';
import { type ReplicaSettings } from './servers/replica.js';
import { clientId, type Surroundings } from './surroundings.js';

export const MAX_STALENESS = 500;

/** Milliseconds, logout by logout. */
export interface Propagation {
  /** From sending a bare notification to its arrival in the other process. */
  readonly bare: readonly number[];
  /** From a logout's commit to the first refusal by the other replica, which is nudged. */
  readonly nudged: readonly number[];
  /** The same without a nudge. */
  readonly polled: readonly number[];
}

export async function measurePropagation(around: Surroundings, count: number): Promise<Propagation> {
  const nudged = await withReplicas(around, { maxStalenessMs: MAX_STALENESS, nudge: 'postgres' }, async (a, b) => {
    const bare: number[] = [];
    const own: number[] = [];
    for (let n = 0; n < count; n++) {
      bare.push(await between(b.ask<number>('hears'), () => a.ask<number>('notify')));
      own.push(await logOut(around, a, b, n));
    }
    return { bare, own };
  });
  const polled = await withReplicas(around, { maxStalenessMs: MAX_STALENESS }, async (a, b) => {
    const own: number[] = [];
    for (let n = 0; n < count / 4; n++) own.push(await logOut(around, a, b, n));
    return own;
  });
  return { bare: nudged.bare, nudged: nudged.own, polled };
}

async function withReplicas<T>(
  around: Surroundings,
  liveness: NonNullable<OneIdLogoutOptions['liveness']>,
  measure: (a: ServerProcess, b: ServerProcess) => Promise<T>,
): Promise<T> {
  const url = await around.postgresUrl();
  const database = await SessionDatabase.open({ type: 'postgres', url }, true);
  await fill(database, 0, 1000, { issuer: around.oneId.issuer, loggedOut: false });
  await database.close();
  const settings: ReplicaSettings = { options: around.options({ type: 'postgres', url }, { liveness }), url };
  // the second replica is measured, so it has a core of its own
  const replicas = [
    await ServerProcess.start('replica.ts', settings),
    await around.start('replica.ts', settings),
  ] as const;
  try {
    return await measure(...replicas);
  } finally {
    for (const replica of replicas) await replica.stop();
  }
}

async function logOut(around: Surroundings, a: ServerProcess, b: ServerProcess, n: number): Promise<number> {
  const { issuer } = around.oneId;
  if (!(await b.ask<boolean>('isAlive', sessionTokenOf(n))))
    throw new Error('a session that was not logged out is refused');
  const iat = Math.floor(Date.now() / 1000);
  const logout: VerifiedLogoutToken = { issuer, clientId, jti: `logout ${n}`, iat, sid: sidOf(n), scope: 'session' };
  return between(b.ask<number>('refuses', sessionTokenOf(n)), () => a.ask<number>('logOut', logout));
}

/** From a moment in the one process to what follows from it in the other. */
async function between(follows: Promise<number>, begin: () => Promise<number>): Promise<number> {
  // at any moment between two looks of a replica
  await delay(20 + Math.random() * 130);
  const began = await begin();
  return (await follows) - began;
}
