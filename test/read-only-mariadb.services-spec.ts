import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { SessionRegistry } from 'nestjs-oneid-logout';
import { SessionDatabase } from '../libs/oneid-logout/src/database/session-database.js';
import { LogoutFollower } from '../libs/oneid-logout/src/replicas/logout-follower.js';
import { targetOf } from '../libs/oneid-logout/src/rule/targets.js';
import { delivered, post, temporarilyUnavailable } from './support/channel-requests.js';
import { clientId, Host, type HostSettings } from './support/host.js';
import { TestMariadb } from './support/mariadb.js';

const STALENESS = 500;
const UNKNOWN = 'a'.repeat(64);

/** Longer than the pause between two answers that make a replica drop its connections, milliseconds. */
const DROP_PAUSE = 1_000;

const TABLES = ['oneid_logout', 'oneid_replica', 'oneid_session', 'oneid_session_tokens', 'oneid_login_user'];

describe('a MariaDB that becomes read-only, and a role that may write all the same', () => {
  let mariadb: TestMariadb;
  let strict: Host;
  let bounded: Host;
  let hosts: Host[];
  beforeAll(async () => {
    mariadb = await TestMariadb.start();
  });
  afterAll(() => mariadb.stop());
  beforeEach(async () => {
    hosts = [];
    strict = await start();
    const client = { issuer: strict.oneId.issuer };
    bounded = await start({ client, options: { liveness: { maxStalenessMs: STALENESS } } });
    await follower().look();
  });
  afterEach(async () => {
    await mariadb.query('SET GLOBAL read_only = 0');
    await mariadb.query('SET GLOBAL autocommit = 1');
    for (const host of hosts.reverse()) await host.stop();
  });

  async function start(settings: HostSettings = {}): Promise<Host> {
    const database = { options: mariadb.options, drop: () => Promise.resolve() };
    const host = await Host.start({ ...settings, database: { take: () => Promise.resolve(database) } });
    hosts.push(host);
    return host;
  }

  const follower = () => bounded.app.get(LogoutFollower, { strict: false });
  const both = () => [strict, bounded];
  const logoutToken = (sid: string) => strict.oneId.logoutToken({ clientId, sid });

  async function statuses(session: string): Promise<readonly number[]> {
    return Promise.all(both().map(async (host) => (await host.fetch('/me', { session })).status));
  }

  /** All rows, as another connection sees them. */
  const stored = () => Promise.all(TABLES.map((table) => mariadb.query(`SELECT * FROM app.${table}`)));

  async function logoutsOf(sid: string): Promise<number> {
    const target = targetOf('sid', strict.oneId.issuer, sid);
    return (await mariadb.query(`SELECT 1 FROM app.oneid_logout WHERE target = '${target}'`)).length;
  }

  it('S2: checks and logouts get 503, nothing is stored, and all works again by itself afterwards', async () => {
    const [leaving, staying] = [await strict.signIn(), await strict.signIn()];
    for (const { session } of [leaving, staying]) expect(await statuses(session)).toEqual([200, 200]);
    const token = await logoutToken(leaving.sid);

    const before = await stored();
    await follower().look();
    await mariadb.query('SET GLOBAL read_only = 1');
    // in memory since the look, so within the bound
    expect(await statuses(staying.session)).toEqual([503, 200]);
    // the role may write
    await mariadb.query('CREATE TABLE app.proof (id INT)');
    await mariadb.query('DROP TABLE app.proof');
    bounded.clock.advance(STALENESS + 1);
    for (let n = 0; n < 3; n++) {
      for (const session of [leaving.session, staying.session, UNKNOWN]) {
        expect(await statuses(session)).toEqual([503, 503]);
      }
      // OneID waits longer when the token comes again
      const refused = temporarilyUnavailable('store_unavailable', n === 0 ? '5' : '60');
      for (const host of both()) expect(await post(host, token)).toEqual(refused);
      await follower().look();
      expect(follower().answersNow).toBe(false);
    }
    const started = await strict.fetch('/logout', {
      ...{ method: 'POST', session: staying.session, headers: { 'sec-fetch-site': 'same-origin' } },
    });
    expect(started.status).toBe(503);
    const [logouts, , ...rest] = await stored();
    const [logoutsBefore, , ...restBefore] = before;
    expect([logouts, ...rest]).toEqual([logoutsBefore, ...restBefore]);

    await mariadb.query('SET GLOBAL read_only = 0');
    for (const host of both()) host.clock.advance(DROP_PAUSE);
    expect(await statuses(staying.session)).toEqual([200, 200]);
    expect(await post(strict, token)).toEqual(delivered);
    await follower().look();
    expect(follower().answersNow).toBe(true);
    expect(await statuses(leaving.session)).toEqual([401, 401]);
    expect(await statuses(UNKNOWN)).toEqual([401, 401]);
    expect(await statuses(staying.session)).toEqual([200, 200]);
    expect(await logoutsOf(leaving.sid)).toBe(1);
  });

  it('S2: many logouts at the same time, which share a statement, get 503, and nothing is stored', async () => {
    const logins = await Promise.all(Array.from({ length: 12 }, () => strict.signIn()));
    const tokens = await Promise.all(logins.map(({ sid }) => logoutToken(sid)));
    await mariadb.query('SET GLOBAL read_only = 1');
    const [before] = await stored();
    const answers = await Promise.all(tokens.map((token) => post(strict, token)));
    expect(answers).toEqual(tokens.map(() => temporarilyUnavailable('store_unavailable')));
    expect((await stored())[0]).toEqual(before);
  });

  it('S2: a retry of a recorded logout gets 503, too: the server may have received the row from elsewhere', async () => {
    const { sid } = await strict.signIn();
    const token = await logoutToken(sid);
    expect(await post(strict, token)).toEqual(delivered);
    await mariadb.query('SET GLOBAL read_only = 1');
    expect(await post(strict, token)).toEqual(temporarilyUnavailable('store_unavailable'));
  });

  it('S2: the server is refused at boot', async () => {
    await mariadb.query('SET GLOBAL read_only = 1');
    await expect(SessionDatabase.open(mariadb.options, true)).rejects.toThrow(
      "can't use this database: it is a read-only standby, use the primary",
    );
  });

  it('the check for Galera reads real variables: this server has them, and is in no cluster', async () => {
    const shown = await mariadb.query("SHOW VARIABLES LIKE 'wsrep_on'");
    expect(shown).toEqual([{ Variable_name: 'wsrep_on', Value: 'OFF' }]);
    await (await SessionDatabase.open(mariadb.options, true)).close();
  });

  it('a connection that would not commit records no logout, and the caller gets an error', async () => {
    const { session } = await strict.signIn(strict.oneId.signIn({ sub: 'carol' }));
    await mariadb.query('SET GLOBAL autocommit = 0');
    // only new connections have the new setting
    const connections = await mariadb.query("SELECT ID AS id FROM information_schema.processlist WHERE db = 'app'");
    for (const row of connections) await mariadb.query(`KILL ${(row as { id: number }).id}`);
    const end = () => strict.app.get(SessionRegistry, { strict: false }).endAll({ sub: 'carol' });
    for (let n = 0; n < 3; n++) await expect(end()).rejects.toMatchObject({ code: 'store_unavailable' });
    expect((await strict.fetch('/me', { session })).status).toBe(503);

    await mariadb.query('SET GLOBAL autocommit = 1');
    strict.clock.advance(DROP_PAUSE);
    await strict.fetch('/me', { session });
    expect((await strict.fetch('/me', { session })).status).toBe(200);
    await end();
    expect((await strict.fetch('/me', { session })).status).toBe(401);
  });
});
