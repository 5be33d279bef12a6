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
    // only the tests of the limit sign a user in again
    const options = { maxSessionsPerUser: 2 };
    fleet = await ReplicaFleet.start({ database, options, liveness: [nudged, bounded, nudged, bounded] });
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

  it('the app ends sessions itself: no replica lets them in after the staleness, or refuses others', async () => {
    const { maxStalenessMs } = bounded;
    const [erased, limited] = [await traffic.signInToStay('erased'), await traffic.signInToStay('limited')];
    await traffic.endOwn('the erasure of a user', [erased], maxStalenessMs, (replica) =>
      fleet.eraseUser(replica, erased),
    );
    await traffic.signInToStay('limited');
    await traffic.endOwn('one session more than the limit', [limited], maxStalenessMs, () =>
      traffic.signInToStay('limited'),
    );
    await traffic.endOwn('the end of everyone', undefined, maxStalenessMs, (replica) => fleet.endEveryone(replica));
    await traffic.signInToStay('erased');
    await traffic.logouts(2);
    expect(await traffic.violations()).toEqual(noViolations);
  }, 60_000);

  it('a user signs in at all replicas at once: once all have returned, the limit of them is alive, the same everywhere', async () => {
    const logins = await Promise.all(
      fleet.numbers.map((replica) => fleet.signIn(replica, 'many').catch(() => undefined)),
    );
    await delay(bounded.maxStalenessMs);
    const answers = await Promise.all(
      fleet.numbers.map((replica) =>
        Promise.all(logins.map(async (login) => login && (await fleet.ask(replica, login)))),
      ),
    );
    const [first] = answers;
    expect(first?.filter((status) => status === 200)).toHaveLength(2);
    expect(answers).toEqual(fleet.numbers.map(() => first));
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
