import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { DataSource } from 'typeorm';
import { noViolations, type Status } from './support/history.js';
import { TestPostgres } from './support/postgres.mjs';
import { type Login, ReplicaFleet } from './support/replica-fleet.js';
import { Traffic } from './support/traffic.js';
import { until } from './support/until.js';

const bounded = { maxStalenessMs: 400 };

/** Milliseconds. OneID gets its answer after four seconds at most. */
const ALMOST_TOO_LONG = 3_500;

describe('trouble with the PostgreSQL that the replicas share', () => {
  let postgres: TestPostgres;
  let fleet: ReplicaFleet;
  beforeAll(async () => {
    postgres = await TestPostgres.start({ durable: true });
    const options = { type: 'postgres', url: postgres.url } as const;
    const database = { options, drop: () => postgres.stop() };
    const nudged = { ...bounded, nudge: 'postgres' } as const;
    fleet = await ReplicaFleet.start({ database, liveness: [nudged, bounded, nudged, bounded] });
  });
  afterAll(async () => {
    await fleet.stop();
    await postgres.stop();
  });

  let traffic: Traffic;
  beforeEach(async () => {
    traffic = await Traffic.start(fleet);
  });
  afterEach(() => traffic.stop());

  it.each(['SIGINT', 'SIGKILL'] as const)(
    'PostgreSQL restarts during logouts, ended by %s: no acknowledged logout is lost',
    async (signal) => {
      const restart = { what: 'a restart', replicas: fleet.numbers, permits: 503, recoveryMs: 10_000 };
      await traffic.trouble(restart, async (guests) => {
        const leaving = traffic.logOut(...guests);
        await postgres.kill(signal);
        await delay(500);
        await postgres.restart();
        await leaving;
      });
      expect(await traffic.violations()).toEqual(noViolations);
    },
  );

  describe('the standby hangs, and no commit returns', () => {
    let administration: DataSource;
    beforeEach(async () => {
      administration = await new DataSource({ type: 'postgres', url: postgres.url }).initialize();
    });
    afterEach(async () => {
      await release();
      await administration.destroy();
    });

    const set = async (standby: string) => {
      await administration.query(`ALTER SYSTEM SET synchronous_standby_names = '${standby}'`);
      await administration.query('SELECT pg_reload_conf()');
    };
    const release = () => set('');

    /** No request may fail during this trouble, because a read does not need a commit. */
    const hangs = { what: 'a standby that hangs', replicas: [], recoveryMs: 0 };

    const notTaken = (logins: readonly Login[], statuses: readonly Status[]) =>
      logins.filter((_login, n) => statuses[n] !== 200);

    async function hold(): Promise<void> {
      await set('missing');
      await until('commits hang', async () => {
        const waiting = await administration.query<unknown[]>(
          "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep'",
        );
        return waiting.length > 0;
      });
    }

    it('for a short time: OneID waits for its 200', async () => {
      await traffic.trouble(hangs, async (guests) => {
        await hold();
        const told = Promise.all(guests.map((guest, replica) => traffic.deliver(replica, guest)));
        expect(await Promise.race([told, delay(ALMOST_TOO_LONG)])).toBeUndefined();
        await release();
        await traffic.logOut(...notTaken(guests, await told));
      });
      expect(await traffic.violations()).toEqual(noViolations);
    });

    it('for longer than OneID waits: OneID gets 503, sends the logout again, and waits for the first insert', async () => {
      await traffic.trouble(hangs, async (guests) => {
        await hold();
        const tell = () => Promise.all(guests.map((guest, replica) => traffic.deliver(3 - replica, guest)));
        expect(await tell()).toEqual([503, 503, 503, 503]);
        const toldAgain = tell();
        expect(await Promise.race([toldAgain, delay(500)])).toBeUndefined();
        expect(await fleet.recorded(guests)).toEqual([]);
        await release();
        await traffic.logOut(...notTaken(guests, await toldAgain));
      });
      expect(await traffic.violations()).toEqual(noViolations);
    });
  });
});
