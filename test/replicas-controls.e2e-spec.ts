import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { postgres, type TestDatabase } from './support/databases.js';
import { type Liveness, ReplicaFleet } from './support/replica-fleet.js';
import { Traffic } from './support/traffic.js';

describe('control: the history finds a violation when the test switches a rule off:', () => {
  let database: TestDatabase;
  let fleet: ReplicaFleet;
  let traffic: Traffic;
  beforeEach(async () => {
    database = await postgres.create();
  });
  afterEach(async () => {
    traffic.stop();
    await fleet.stop();
    await database.drop();
  });

  async function start(liveness: Liveness, trustsMemoryForever: boolean): Promise<void> {
    fleet = await ReplicaFleet.start({ database, liveness: [liveness, liveness], trustsMemoryForever });
    traffic = await Traffic.start(fleet);
  }

  it('OneID gets its 200 without the replica barrier', async () => {
    // with this staleness, no replica looks for the other's logouts before the test ends
    await start({ maxStalenessMs: 60_000, answerAtOnce: true }, false);
    await traffic.logouts(3);
    const { letIn, refused, late } = await traffic.violations();
    expect(letIn[0]).toMatch(/let in \d+ ms after OneID had its 200$/);
    expect({ refused, late }).toMatchObject({ refused: [], late: [] });
  });

  it('a replica answers from memory without a time limit', async () => {
    await start({ maxStalenessMs: 400 }, true);
    const { databaseProxy } = fleet.replica(1);
    const silence = { what: 'silence', replicas: [1], permits: 503, recoveryMs: 10_000, undeliverable: true };
    await traffic.trouble(silence, async (guests) => {
      databaseProxy.silence();
      await traffic.logOut(...guests);
      await Promise.all(guests.map((guest) => traffic.ask(1, guest)));
      databaseProxy.mend();
    });
    const { letIn, ...others } = await traffic.violations();
    expect(letIn[0]).toMatch(/^replica 1, session \w+, during "silence": let in/);
    expect(others).toEqual({ lost: [], refused: [], late: [] });
  });
});
