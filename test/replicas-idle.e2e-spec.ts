import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { sharedDatabases, type TestDatabase } from './support/databases.js';
import { History, noViolations, type Status } from './support/history.js';
import { type Login, ReplicaFleet } from './support/replica-fleet.js';

/** In place of `maxIdleSeconds`, milliseconds: the option permits no such short time. */
const IDLE = 2_000;

/** How long each test lets its users come and go, milliseconds. */
const DURATION = 2.5 * IDLE;

/** How long a user stays away, in parts of the idle time. The checker judges: below 0.9 is alive, above 1 is idle. */
const PAUSES = { busy: [0.02, 0.2], absent: [0.3, 0.85, 0.95, 1.03, 1.3] } as const;

const bounded = { maxStalenessMs: 400 };

describe.each(sharedDatabases)('replicas with maxIdleSeconds, on $name', (kind) => {
  let database: TestDatabase;
  let fleet: ReplicaFleet;
  beforeAll(async () => {
    database = await kind.create();
    fleet = await ReplicaFleet.start({ database, maxIdleMs: IDLE, liveness: [bounded, bounded, 'strict'] });
  });
  afterAll(async () => {
    await fleet.stop();
    await database.drop();
  });

  it('a session in use over all replicas lives on; one that is left ends in time, on all of them', async () => {
    const history = new History(IDLE);
    const end = performance.now() + DURATION;
    let turns = 0;

    async function signIn(): Promise<Login> {
      const sent = performance.now();
      const login = await fleet.signIn((turns += 1) % fleet.numbers.length);
      history.signIns.push({ session: login.session, sent, answered: performance.now() });
      return login;
    }

    async function ask(login: Login, replica = (turns += 1) % fleet.numbers.length): Promise<Status> {
      const sent = performance.now();
      const status = await fleet.ask(replica, login);
      history.requests.push({ replica, session: login.session, sent, answered: performance.now(), status });
      return status;
    }

    async function visit(pauses: readonly number[], first: number): Promise<number> {
      let login = await signIn();
      let idle = 0;
      for (let n = first; performance.now() < end; n++) {
        await delay(IDLE * (pauses[n % pauses.length] ?? 1));
        if ((await ask(login)) !== 'idle') continue;
        idle += 1;
        await Promise.all(fleet.numbers.map((replica) => ask(login, replica)));
        login = await signIn();
      }
      return idle;
    }

    const busy = await Promise.all([
      ...[0, 1, 0, 1].map((first) => visit(PAUSES.busy, first)),
      ...PAUSES.absent.flatMap((_pause, first) => [visit(PAUSES.absent, first), visit(PAUSES.absent, first)]),
    ]);
    expect(history.violations()).toEqual(noViolations);
    expect(busy.slice(0, 4)).toEqual([0, 0, 0, 0]);
    // some were away for long enough
    expect(busy.slice(4).reduce((sum, idle) => sum + idle)).toBeGreaterThan(3);
  });
});
