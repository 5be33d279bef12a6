import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { SessionDatabase } from '../libs/oneid-logout/src/database/session-database.js';
import { LogoutFollower } from '../libs/oneid-logout/src/replicas/logout-follower.js';
import { delivered, post, temporarilyUnavailable } from './support/channel-requests.js';
import { clientId, Host, type HostSettings } from './support/host.js';
import { TestPostgres } from './support/postgres.mjs';
import { TcpProxy } from './support/tcp-proxy.js';
import { until } from './support/until.js';

const STALENESS = 500;
const UNKNOWN = 'a'.repeat(64);

/** Longer than the pause between two answers of a standby that make a replica drop its connections, milliseconds. */
const DROP_PAUSE = 1_000;

async function query(server: TestPostgres, statement: string): Promise<readonly object[]> {
  const client = new pg.Client(server.url);
  await client.connect();
  try {
    return (await client.query<object>(statement)).rows;
  } finally {
    await client.end();
  }
}

/** A replica of the app, with its own way to the database. */
interface Replica {
  readonly host: Host;
  readonly proxy: TcpProxy;
}

describe('S1: the primary becomes a standby of its own standby', () => {
  let primary: TestPostgres;
  let standby: TestPostgres;
  let replicas: Replica[];
  /** Strict. */
  let a: Replica;
  let b: Replica;
  /** Bounded. */
  let c: Replica;
  beforeAll(async () => {
    primary = await TestPostgres.start();
    standby = await primary.copy();
    await primary.restart();
    await standby.startAsStandbyOf(primary);
  });
  afterAll(async () => {
    await standby.stop();
    await primary.stop();
  });
  beforeEach(async () => {
    replicas = [];
    a = await startReplica();
    const client = { issuer: a.host.oneId.issuer };
    b = await startReplica({ client });
    c = await startReplica({ client, options: { liveness: { maxStalenessMs: STALENESS } } });
    await look(c);
  });
  afterEach(async () => {
    for (const { host, proxy } of replicas.reverse()) {
      await host.stop();
      await proxy.stop();
    }
  });

  async function startReplica(settings: HostSettings = {}): Promise<Replica> {
    const proxy = await TcpProxy.start(primary.url);
    const options = { type: 'postgres', url: proxy.url } as const;
    const host = await Host.start({
      ...settings,
      database: { take: () => Promise.resolve({ options, drop: () => Promise.resolve() }) },
    });
    replicas.push({ host, proxy });
    return { host, proxy };
  }

  const follower = ({ host }: Replica) => host.app.get(LogoutFollower, { strict: false });
  const look = (replica: Replica) => follower(replica).look();

  /** The standby becomes the primary, and the old primary a standby of it. The proxies stay as they are. */
  async function failOver(): Promise<void> {
    await until('the standby receives the changes', async () => {
      return (await query(primary, `SELECT 1 FROM pg_stat_replication WHERE state = 'streaming'`)).length === 1;
    });
    [primary, standby] = [standby, primary];
    await standby.kill('SIGINT');
    await standby.startAsStandbyOf(primary);
    expect(await query(primary, 'SELECT pg_promote() AS promoted')).toEqual([{ promoted: true }]);
    expect(await query(standby, 'SELECT pg_is_in_recovery() AS standby')).toEqual([{ standby: true }]);
  }

  function leadToPrimary({ proxy }: Replica): void {
    proxy.leadTo(primary.url);
    proxy.cut();
  }

  const signIn = () => a.host.signIn();
  const logoutToken = (sid: string) => a.host.oneId.logoutToken({ clientId, sid });

  /** The status with which each of these replicas answers a request of this session. */
  async function statuses(asked: readonly Replica[], session: string): Promise<readonly number[]> {
    return Promise.all(asked.map(async ({ host }) => (await host.fetch('/me', { session })).status));
  }

  const logoutsAt = async ({ host }: Replica) => {
    const { rows } = await host.app.get(SessionDatabase, { strict: false }).read('SELECT id FROM oneid_logout');
    return rows.map(({ id }) => id);
  };

  it('replicas whose connections lead to the standby answer 503, and never accept a session that is over', async () => {
    const [leaving, staying] = [await signIn(), await signIn()];
    for (const { session } of [leaving, staying]) expect(await statuses([a, b, c], session)).toEqual([200, 200, 200]);
    await failOver();
    leadToPrimary(b);
    c.host.clock.advance(STALENESS + 1);

    expect(await statuses([a, b, c], leaving.session)).toEqual([503, 200, 503]);
    expect(await post(b.host, await logoutToken(leaving.sid))).toEqual(delivered);
    // the standby has received the logout by then, or not: its answer does not count
    for (let n = 0; n < 3; n++) {
      expect(await statuses([a, b, c], leaving.session)).toEqual([503, 401, 503]);
      expect(await statuses([a, b, c], staying.session)).toEqual([503, 200, 503]);
      expect(await statuses([a, b, c], UNKNOWN)).toEqual([503, 401, 503]);
      await look(c);
      expect(follower(c).answersNow).toBe(false);
    }

    for (const replica of [a, c]) leadToPrimary(replica);
    expect(await statuses([a, b, c], leaving.session)).toEqual([401, 401, 401]);
    expect(await statuses([a, b, c], staying.session)).toEqual([200, 200, 200]);
    await look(c);
    expect(follower(c).answersNow).toBe(true);
    expect(await statuses([c], leaving.session)).toEqual([401]);
    expect(await statuses([c], staying.session)).toEqual([200]);
  });

  it('a replica whose connections lead to the standby does not acknowledge a logout', async () => {
    const { session, sid } = await signIn();
    await failOver();
    leadToPrimary(b);
    c.host.clock.advance(STALENESS + 1);

    const [token, before] = [await logoutToken(sid), await logoutsAt(b)];
    for (const { host } of [a, c]) expect(await post(host, token)).toEqual(temporarilyUnavailable('store_unavailable'));
    await expect(signIn()).rejects.toMatchObject({ code: 'store_unavailable' });
    expect(await logoutsAt(b)).toEqual(before);
    expect(await statuses([b], session)).toEqual([200]);

    for (const replica of [a, c]) leadToPrimary(replica);
    expect(await post(a.host, token)).toEqual(delivered);
    expect(await logoutsAt(b)).toHaveLength(before.length + 1);
    expect(await statuses([a, b, c], session)).toEqual([401, 401, 401]);
  });

  it('a replica refuses to boot on the standby, and leaves it when new connections lead to the primary', async () => {
    const { session } = await signIn();
    await failOver();
    await expect(SessionDatabase.open({ type: 'postgres', url: standby.url }, true)).rejects.toThrow(
      "can't use this database: it is a read-only standby, use the primary",
    );
    // its connections are idle, and the standby is healthy: no error ever closes them
    expect(await statuses([a], session)).toEqual([503]);
    a.proxy.leadTo(primary.url);
    expect(await statuses([a, a], session)).not.toContain(401);
    a.host.clock.advance(DROP_PAUSE);
    await statuses([a], session);
    expect(await statuses([a, a, a], session)).toEqual([200, 200, 200]);
  });
});
