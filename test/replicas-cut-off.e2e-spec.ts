import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { sharedDatabases, type TestDatabase } from './support/databases.js';
import { noViolations } from './support/history.js';
import { type NudgeTransport, startNudgeTransport } from './support/nudge-transport.js';
import { type Login, ReplicaFleet } from './support/replica-fleet.js';
import { StuckInsert } from './support/stuck-insert.js';
import { Traffic } from './support/traffic.js';
import { until } from './support/until.js';

const bounded = { maxStalenessMs: 400 };

/** Milliseconds: later than a commit may be, and shorter than MariaDB waits for a lock. */
const TOO_LATE = 1_500;

describe.each(sharedDatabases)('replicas that are cut off, on $name', (kind) => {
  let database: TestDatabase;
  let nudges: NudgeTransport;
  let fleet: ReplicaFleet;
  beforeAll(async () => {
    database = await kind.create();
    nudges = await startNudgeTransport(kind);
    const { nudge, filter } = nudges;
    const nudged = { ...bounded, nudge };
    fleet = await ReplicaFleet.start({
      ...{ database, liveness: [bounded, nudged, nudged, nudged] },
      ...(filter && { filter }),
    });
  });
  afterAll(async () => {
    await fleet.stop();
    await nudges.stop();
    await database.drop();
  });

  let traffic: Traffic;
  beforeEach(async () => {
    traffic = await Traffic.start(fleet);
  });
  afterEach(() => {
    traffic.stop();
    fleet.heal();
    nudges.mend();
  });

  it('a replica whose database connections break again and again lets no ended session in', async () => {
    await traffic.trouble({ what: 'cut', replicas: [1], permits: 503, recoveryMs: 5_000 }, async (guests) => {
      for (const guest of guests) {
        fleet.replica(1).databaseProxy.cut();
        await traffic.logOut(guest);
      }
    });
    expect(await traffic.violations()).toEqual(noViolations);
  });

  it('a replica without a database connection answers 503 until it has one', async () => {
    const { databaseProxy } = fleet.replica(1);
    await traffic.trouble({ what: 'no connection', replicas: [1], permits: 503, recoveryMs: 5_000 }, async (guests) => {
      databaseProxy.refuse();
      await traffic.logOut(...guests);
      // its memory is now older than the staleness limit
      const statuses = await Promise.all(guests.map((guest) => traffic.ask(1, guest)));
      expect(new Set(statuses)).toEqual(new Set([503]));
      databaseProxy.mend();
    });
    expect(await traffic.violations()).toEqual(noViolations);
  });

  it('a replica whose database does not answer returns 503, and its logout is recorded late', async () => {
    const { databaseProxy } = fleet.replica(1);
    const silence = { what: 'silence', replicas: [1], permits: 503, recoveryMs: 10_000, undeliverable: true };
    await traffic.trouble(silence, async (guests) => {
      const [first, ...others] = guests as [Login, ...Login[]];
      databaseProxy.silence();
      const told = traffic.deliver(1, first);
      await traffic.logOut(...others);
      expect(await traffic.ask(1, first)).toBe(503);
      expect(await told).toBe(503);
      expect(await traffic.deliver(0, first)).toBe(200);
      databaseProxy.mend();
    });
    expect(await traffic.violations()).toEqual(noViolations);
  });

  it('no replica has a database connection for a second: OneID sends the logouts again', async () => {
    const databaseProxies = fleet.numbers.map((replica) => fleet.replica(replica).databaseProxy);
    const all = { what: 'no replica is connected', replicas: fleet.numbers, permits: 503, recoveryMs: 5_000 };
    await traffic.trouble(all, async (guests) => {
      const leaving = traffic.logOut(...guests);
      for (const databaseProxy of databaseProxies) databaseProxy.refuse();
      await delay(1_000);
      for (const databaseProxy of databaseProxies) databaseProxy.mend();
      await leaving;
    });
    expect(await traffic.violations()).toEqual(noViolations);
  });

  it('every nudge is lost: the replicas still find the logouts', async () => {
    for (const [what, fail] of Object.entries(nudges.failures)) {
      await traffic.trouble({ what, replicas: [], recoveryMs: 0 }, async (guests) => {
        fail();
        await traffic.logOut(...guests);
        nudges.mend();
      });
    }
    expect(await traffic.violations()).toEqual(noViolations);
  });

  it('a logout whose insert hangs and is committed late, with its old time, ends its session', async () => {
    const stick = ({ logoutToken }: Login) => StuckInsert.of(logoutToken, database.options);

    /** OneID waits for its answer until the insert is committed. */
    async function slow(login: Login): Promise<void> {
      const stuck = await stick(login);
      const told = traffic.deliver(0, login);
      expect(await Promise.race([told, delay(TOO_LATE)])).toBeUndefined();
      await stuck.release();
      if ((await told) !== 200) await traffic.logOut(login);
    }

    /** OneID gets 503. Then the insert is committed, and OneID sends the logout again. */
    async function late(login: Login): Promise<void> {
      const stuck = await stick(login);
      expect(await traffic.deliver(2, login)).toBe(503);
      await stuck.release();
      await until('the first insert is committed', async () => (await fleet.recorded([login])).length === 1);
      await traffic.logOut(login);
    }

    /** OneID gets 503 and sends the logout again. The second insert waits for the first, and then both finish. */
    async function both(login: Login): Promise<void> {
      const stuck = await stick(login);
      expect(await traffic.deliver(3, login)).toBe(503);
      const told = traffic.deliver(1, login);
      expect(await Promise.race([told, delay(500)])).toBeUndefined();
      await stuck.release();
      if ((await told) !== 200) await traffic.logOut(login);
    }

    await traffic.trouble({ what: 'stuck inserts', replicas: [], recoveryMs: 0 }, async (guests) => {
      const [first, second, third, fourth] = guests as [Login, Login, Login, Login];
      await Promise.all([slow(first), late(second), both(third), traffic.logOut(fourth)]);
    });
    expect(await traffic.violations()).toEqual(noViolations);
  });
});
