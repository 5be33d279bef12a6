import { appendFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { sharedDatabases, type TestDatabase } from '../support/databases.js';
import { noViolations } from '../support/history.js';
import { type FleetApp, type Liveness, ReplicaFleet } from '../support/replica-fleet.js';
import { Traffic } from '../support/traffic.js';
import { newer, older } from './apps.js';

describe.each(sharedDatabases)('replicas of two versions, on $name', (kind) => {
  const bounded: Liveness = { maxStalenessMs: 400, nudge: kind.nudge };

  let database: TestDatabase;
  let fleet: ReplicaFleet;
  beforeAll(async () => {
    database = await kind.create();
    fleet = await ReplicaFleet.start({ database, app: older, liveness: [bounded, 'strict'] });
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
    const { requests, deliveries, signIns } = traffic.history;
    const counts = { requests: requests.length, logouts: deliveries.length, signIns: signIns.length };
    const file = process.env['UPGRADE_COUNTS'];
    if (file !== undefined) appendFileSync(file, `${JSON.stringify(counts)}\n`);
  });

  /** Replaces replicas one by one. Meanwhile, users log out. */
  async function deploy(app: FleetApp, modes: ReadonlyMap<number, Liveness>): Promise<void> {
    for (const [number, liveness] of modes) {
      const replaced = { what: `replica ${number} is replaced`, replicas: [number], permits: 'no answer' } as const;
      await traffic.trouble({ ...replaced, recoveryMs: 10_000 }, async (guests) => {
        const replacing = fleet.replace(number, liveness, app);
        await traffic.logOut(...guests.slice(2));
        await replacing;
        await traffic.logOut(...guests.slice(0, 2));
      });
    }
    expect(await traffic.violations()).toEqual(noViolations);
  }

  it('upgrade: the tables are migrated while the older version runs on them, and both work', async () => {
    const starting = { what: 'the newer version starts', replicas: [2], recoveryMs: 10_000 };
    await traffic.trouble(starting, async (guests) => {
      const replica = fleet.add({ maxStalenessMs: 600, nudge: kind.nudge }, newer);
      await traffic.logOut(...guests.slice(2));
      traffic.startReader(await replica);
      await traffic.logOut(...guests.slice(0, 2));
    });
    await traffic.logouts(6);
    expect(await traffic.violations()).toEqual(noViolations);
  });

  it('upgrade: a replica of the older version is replaced, and its mode changes', () =>
    deploy(newer, new Map<number, Liveness>([[0, 'strict']])));

  it('downgrade: all replicas are replaced by the older version, on the migrated tables', () =>
    deploy(
      older,
      new Map<number, Liveness>([
        [2, 'strict'],
        [0, bounded],
      ]),
    ));
});
