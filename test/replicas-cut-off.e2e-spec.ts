import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { sharedDatabases, type TestDatabase } from './support/databases.js';
import { noViolations } from './support/history.js';
import { type NudgeLine, startNudgeLine } from './support/nudge-line.js';
import { type Login, ReplicaFleet } from './support/replica-fleet.js';
import { StuckInsert } from './support/stuck-insert.js';
import { Traffic } from './support/traffic.js';
import { until } from './support/until.js';

const bounded = { maxStalenessMs: 400 };

/** A statement that takes five seconds is given up, milliseconds. */
const ALMOST_TOO_LONG = 4_500;

describe.each(sharedDatabases)('replicas that are cut off, on $name', (kind) => {
  let database: TestDatabase;
  let nudges: NudgeLine;
  let fleet: ReplicaFleet;
  beforeAll(async () => {
    database = await kind.create();
    nudges = await startNudgeLine(kind);
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
    await traffic.trouble({ what: 'cut', replicas: [1], permits: 503, within: 5_000 }, async (guests) => {
      for (const guest of guests) {
        fleet.replica(1).line.cut();
        await traffic.logOut(guest);
      }
    });
    expect(await traffic.violations()).toEqual(noViolations);
  });

  it('a replica without a database connection answers 503 until it has one', async () => {
    const { line } = fleet.replica(1);
    await traffic.trouble({ what: 'no connection', replicas: [1], permits: 503, within: 5_000 }, async (guests) => {
      line.refuse();
      await traffic.logOut(...guests);
      // what it knows is too old by now
      const statuses = await Promise.all(guests.map((guest) => traffic.ask(1, guest)));
      expect(new Set(statuses)).toEqual(new Set([503]));
      line.mend();
    });
    expect(await traffic.violations()).toEqual(noViolations);
  });

  it('a replica whose database does not answer returns 503, and its logout is recorded late', async () => {
    const { line } = fleet.replica(1);
    const silence = { what: 'silence', replicas: [1], permits: 503, within: 10_000, undeliverable: true };
    await traffic.trouble(silence, async (guests) => {
      const [first, ...others] = guests as [Login, ...Login[]];
      line.silence();
      const told = traffic.deliver(1, first);
      await traffic.logOut(...others);
      expect(await traffic.ask(1, first)).toBe(503);
      expect(await told).toBe(503);
      expect(await traffic.deliver(0, first)).toBe(200);
      line.mend();
    });
    expect(await traffic.violations()).toEqual(noViolations);
  });

  it('no replica has a database connection for a second: OneID sends the logouts again', async () => {
    const lines = fleet.numbers.map((replica) => fleet.replica(replica).line);
    const all = { what: 'none connected', replicas: fleet.numbers, permits: 503, within: 5_000 };
    await traffic.trouble(all, async (guests) => {
      const leaving = traffic.logOut(...guests);
      for (const line of lines) line.refuse();
      await delay(1_000);
      for (const line of lines) line.mend();
      await leaving;
    });
    expect(await traffic.violations()).toEqual(noViolations);
  });

  it('every nudge is lost: the replicas still find the logouts', async () => {
    for (const [what, fail] of Object.entries(nudges.failures)) {
      await traffic.trouble({ what, replicas: [], within: 0 }, async (guests) => {
        fail();
        await traffic.logOut(...guests);
        nudges.mend();
      });
    }
    expect(await traffic.violations()).toEqual(noViolations);
  });

  it('a logout whose insert hangs and is committed late, with its old time, ends its session', async () => {
    const stick = ({ logoutToken }: Login) => StuckInsert.of(logoutToken, database.options);

    /** OneID waits for as long as it takes. */
    async function slow(login: Login): Promise<void> {
      const stuck = await stick(login);
      const told = traffic.deliver(0, login);
      expect(await Promise.race([told, delay(ALMOST_TOO_LONG)])).toBeUndefined();
      await stuck.release();
      if ((await told) !== 200) await traffic.logOut(login);
    }

    /** It comes through when nobody waits for it any more, and then OneID sends it again. */
    async function late(login: Login): Promise<void> {
      const stuck = await stick(login);
      expect(await traffic.deliver(2, login)).toBe(503);
      await stuck.release();
      await until('the first insert came through', async () => (await fleet.recorded([login])).length === 1);
      await traffic.logOut(login);
    }

    /** It comes through together with the second, which waits behind it. */
    async function both(login: Login): Promise<void> {
      const stuck = await stick(login);
      expect(await traffic.deliver(3, login)).toBe(503);
      const told = traffic.deliver(1, login);
      expect(await Promise.race([told, delay(500)])).toBeUndefined();
      await stuck.release();
      if ((await told) !== 200) await traffic.logOut(login);
    }

    await traffic.trouble({ what: 'stuck inserts', replicas: [], within: 0 }, async (guests) => {
      const [first, second, third, fourth] = guests as [Login, Login, Login, Login];
      await Promise.all([slow(first), late(second), both(third), traffic.logOut(fourth)]);
    });
    expect(await traffic.violations()).toEqual(noViolations);
  });
});
