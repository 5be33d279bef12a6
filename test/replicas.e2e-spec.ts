import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { sharedDatabases, type TestDatabase } from './support/databases.js';
import { noViolations } from './support/history.js';
import { ReplicaFleet } from './support/replica-fleet.js';
import { Traffic } from './support/traffic.js';

const HOUR = 60 * 60 * 1000;

const bounded = { maxStalenessMs: 400 };

describe.each(sharedDatabases)('replicas that answer from memory, on $name', (kind) => {
  let database: TestDatabase;
  let fleet: ReplicaFleet;
  beforeAll(async () => {
    database = await kind.create();
    const nudged = { ...bounded, nudge: kind.nudge };
    fleet = await ReplicaFleet.start({ database, liveness: [nudged, bounded, nudged, bounded] });
  });
  afterAll(async () => {
    await fleet.stop();
    await database.drop();
  });

  let traffic: Traffic;
  beforeEach(async () => {
    traffic = await Traffic.start(fleet);
  });
  afterEach(() => {
    traffic.stop();
    fleet.heal();
  });

  it('no replica of four lets in a request that arrives after OneID has its 200', async () => {
    await traffic.logouts(12);
    expect(await traffic.violations()).toEqual(noViolations);
  });

  it('a replica that was stopped during logouts refuses the ended sessions when it runs again', async () => {
    await traffic.trouble(
      { what: 'stopped', replicas: [1], undeliverable: true, recoveryMs: 5_000 },
      async (guests) => {
        fleet.replica(1).process.signal('SIGSTOP');
        await traffic.logOut(...guests);
        const asked = Promise.all(guests.map((guest) => traffic.ask(1, guest)));
        fleet.replica(1).process.signal('SIGCONT');
        expect(await asked).toEqual([401, 401, 401, 401]);
      },
    );
    expect(await traffic.violations()).toEqual(noViolations);
  });

  it('a replica that is stopped again and again lets no ended session in', async () => {
    await traffic.trouble(
      { what: 'stopped many times', replicas: [1], undeliverable: true, recoveryMs: 5_000 },
      async (guests) => {
        const leaving = traffic.logOut(...guests);
        for (let milliseconds = 40; milliseconds < 600; milliseconds *= 1.6) {
          fleet.replica(1).process.signal('SIGSTOP');
          await delay(milliseconds);
          fleet.replica(1).process.signal('SIGCONT');
          await delay(30);
        }
        await leaving;
      },
    );
    expect(await traffic.violations()).toEqual(noViolations);
  });

  it('a replica is killed and replaced under load, and no replica lets an ended session in', async () => {
    await traffic.trouble(
      { what: 'killed', replicas: [2], permits: 'no answer', recoveryMs: 5_000 },
      async (guests) => {
        await fleet.replica(2).process.kill();
        await traffic.logOut(...guests);
        await fleet.replace(2, bounded);
      },
    );
    expect(await traffic.violations()).toEqual(noViolations);
  });

  // this replica would refuse OneID's tokens as too old or from the future, so OneID sends them to the other replicas
  it.each([HOUR, -HOUR])(
    'the clock of one replica jumps by %d ms and back, and no replica lets an ended session in',
    async (milliseconds) => {
      await traffic.trouble(
        { what: 'a clock that jumps', replicas: [3], undeliverable: true, recoveryMs: 1_000 },
        async (guests) => {
          await fleet.replica(3).process.setClock(milliseconds);
          await traffic.logOut(...guests);
          await fleet.replica(3).process.setClock(0);
        },
      );
      expect(await traffic.violations()).toEqual(noViolations);
    },
  );

  it("a replica with a larger staleness starts, and one in strict mode: OneID's 200 waits for the largest staleness", async () => {
    await traffic.trouble({ what: 'two more replicas start', replicas: [4, 5], recoveryMs: 5_000 }, async (guests) => {
      const starting = Promise.all([fleet.add({ maxStalenessMs: 1_500 }), fleet.add('strict')]);
      await traffic.logOut(...guests.slice(2));
      for (const replica of await starting) traffic.startReader(replica);
      await traffic.logOut(...guests.slice(0, 2));
    });
    expect(await traffic.violations()).toEqual(noViolations);
  });
});
