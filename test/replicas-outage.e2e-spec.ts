import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { DataSource } from 'typeorm';
import { sharedDatabases, type TestDatabase } from './support/databases.js';
import { noViolations } from './support/history.js';
import { ReplicaFleet } from './support/replica-fleet.js';
import { Traffic } from './support/traffic.js';

const OPTION = 5;
/** Longer than the option, by more than the time between two writes, milliseconds. */
const OUTAGE = OPTION * 1_000 + 2_000;

const bounded = { maxStalenessMs: 400 };

describe.each(sharedDatabases)('an outage of all replicas, on $name', (kind) => {
  let database: TestDatabase;
  let fleet: ReplicaFleet;
  beforeAll(async () => {
    database = await kind.create();
    const options = { reconfirmAfterOutageSeconds: OPTION };
    fleet = await ReplicaFleet.start({ database, options, liveness: [bounded, bounded, 'strict'] });
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

  /** How many logouts of everyone there are. */
  async function countUnconfirmed(): Promise<number> {
    const dataSource = await new DataSource(database.options).initialize();
    try {
      const rows = await dataSource.query<unknown[]>("SELECT id FROM oneid_logout WHERE channel = 'unconfirmed'");
      return rows.length;
    } finally {
      await dataSource.destroy();
    }
  }

  it('one replica loses the database for longer than the option: no session ends', async () => {
    const { databaseProxy } = fleet.replica(1);
    await traffic.trouble({ what: 'cut off', replicas: [1], permits: 503, recoveryMs: 10_000 }, async (guests) => {
      databaseProxy.refuse();
      await traffic.logOut(...guests);
      await delay(OUTAGE);
      databaseProxy.mend();
    });
    expect([await traffic.violations(), await countUnconfirmed()]).toEqual([noViolations, 0]);
  }, 60_000);

  it('all replicas lose the database: no session of before is let in afterwards, and one row is stored', async () => {
    const outage = { what: 'no database', replicas: fleet.numbers, permits: 503, endsSessions: true } as const;
    await traffic.trouble({ ...outage, recoveryMs: 10_000 }, async ([guest]) => {
      for (const number of fleet.numbers) fleet.replica(number).databaseProxy.refuse();
      // the replica keeps this logout, and records it later
      if (guest !== undefined) expect(await traffic.deliver(0, guest)).toBe(503);
      await delay(OUTAGE);
      for (const number of fleet.numbers) fleet.replica(number).databaseProxy.mend();
    });
    expect([await traffic.violations(), await countUnconfirmed()]).toEqual([noViolations, 1]);
  }, 60_000);

  it('all replicas are killed, and start again: no session of before is let in afterwards', async () => {
    const outage = { what: 'killed', replicas: fleet.numbers, permits: 'no answer', endsSessions: true } as const;
    await traffic.trouble({ ...outage, recoveryMs: 10_000 }, async () => {
      await Promise.all(fleet.numbers.map((number) => fleet.replica(number).process.kill()));
      await delay(OUTAGE);
      await Promise.all(fleet.numbers.map((number) => fleet.replace(number, number === 2 ? 'strict' : bounded)));
    });
    expect([await traffic.violations(), await countUnconfirmed()]).toEqual([noViolations, 2]);
  }, 60_000);
});
