import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import pg from 'pg';
import { type SessionDatabaseOptions, UnusableDatabaseError } from 'nestjs-oneid-logout';
import { SessionDatabase } from '../libs/oneid-logout/src/database/session-database.js';
import { delivered, post, temporarilyUnavailable } from './support/channel-requests.js';
import { databases, type TestDatabase } from './support/databases.js';
import { clientId, Host, type HostSettings } from './support/host.js';
import { TestPgBouncer } from './support/pgbouncer.js';

const postgres = databases.find(({ name }) => name === 'PostgreSQL service');

const NAME = 'Nguyễn-Thị-Lan';

/** Longer than the pause between two answers that make a replica drop its connections, milliseconds. */
const DROP_PAUSE = 1_000;

/** All clients share one connection to the server, so that each sees what another has set. */
describe('behind PgBouncer in transaction mode', () => {
  let testDatabase: TestDatabase;
  let pooler: TestPgBouncer;
  let hosts: Host[];
  let logs: jest.SpiedFunction<Logger['log']>;
  beforeEach(async () => {
    if (postgres === undefined) throw new Error('This suite needs the PostgreSQL service');
    hosts = [];
    testDatabase = await postgres.create();
    const url = String((testDatabase.options as { url?: string }).url);
    pooler = await TestPgBouncer.start(url, 1);
    logs = jest.spyOn(Logger.prototype, 'log').mockReturnValue();
  });
  afterEach(async () => {
    logs.mockRestore();
    for (const host of hosts.reverse()) await host.stop();
    await pooler.stop();
    await testDatabase.drop();
  });

  const pooled = (): SessionDatabaseOptions => ({ type: 'postgres', url: pooler.url });

  /** As a deploy job does: over a direct connection. */
  const migrate = async (changes: Partial<SessionDatabaseOptions> = {}) => {
    const options = { ...testDatabase.options, ...changes } as SessionDatabaseOptions;
    await (await SessionDatabase.open(options, true)).close();
  };

  async function start(settings: HostSettings = {}): Promise<Host> {
    const database = { options: pooled(), drop: () => Promise.resolve() };
    const host = await Host.start({
      ...settings,
      database: { take: () => Promise.resolve(database) },
      options: { runMigrations: false, ...settings.options },
    });
    hosts.push(host);
    return host;
  }

  const statusOf = async (host: Host, session: string) => (await host.fetch('/me', { session })).status;
  const logoutToken = (host: Host, sid: string) => host.oneId.logoutToken({ clientId, sid });
  const signIn = (host: Host) => host.signIn(host.oneId.signIn({ sub: NAME }));

  /** The settings of the server connection that a client has set. */
  const settings = () => pooler.query("SELECT name, setting FROM pg_settings WHERE source = 'session' ORDER BY name");

  it('refuses the time limit at the start of a connection, and the library boots all the same', async () => {
    await migrate();
    const client = new pg.Client(`${pooler.url}?statement_timeout=4500`);
    await expect(client.connect()).rejects.toThrow('unsupported startup parameter: statement_timeout');

    const host = await start();
    const { session } = await signIn(host);
    expect(await statusOf(host, session)).toBe(200);
  });

  it('says at boot that the tables are missing: with runMigrations: false, it creates none', async () => {
    await expect(SessionDatabase.open(pooled(), false).then((database) => database.requireTables())).rejects.toThrow(
      UnusableDatabaseError,
    );
    expect(await pooler.query("SELECT 1 FROM pg_tables WHERE schemaname = 'public'")).toEqual([]);
  });

  it('sign-in, checks and logout work on two replicas; prepared statements are given up without an error', async () => {
    await migrate();
    const errors = jest.spyOn(Logger.prototype, 'error').mockReturnValue();
    const before = await settings();
    const first = await start();
    const client = { issuer: first.oneId.issuer };
    const second = await start({ client, options: { liveness: { maxStalenessMs: 500 } } });
    for (const [leaving, other] of [
      [first, second],
      [second, first],
    ] as const) {
      const logins = await Promise.all(Array.from({ length: 5 }, () => signIn(first)));
      const all = () =>
        Promise.all([first, second].flatMap((host) => logins.map(({ session }) => statusOf(host, session))));
      expect(await all()).toEqual(Array.from({ length: 10 }, () => 200));
      const body = await (await other.fetch('/me', { session: String(logins[0]?.session) })).json();
      expect(body).toEqual({ sub: NAME });
      const tokens = await Promise.all(logins.map(({ sid }) => logoutToken(first, sid)));
      expect(await Promise.all(tokens.map((token) => post(leaving, token)))).toEqual(tokens.map(() => delivered));
      second.clock.advance(501);
      expect(await all()).toEqual(Array.from({ length: 10 }, () => 401));
    }
    // the library sets nothing that another client would get
    expect(await settings()).toEqual(before);
    expect(errors.mock.calls).toEqual([]);
    errors.mockRestore();
    const given = logs.mock.calls.filter(([line]) => String(line).includes('does not keep prepared statements'));
    expect(given.length).toBeGreaterThanOrEqual(1);
    expect(given.length).toBeLessThanOrEqual(2);
  });

  it('another client sets the isolation: 503, and no logout is acknowledged, until it is set back', async () => {
    await migrate();
    const host = await start();
    const { session, sid } = await signIn(host);
    await pooler.query("SET default_transaction_isolation = 'repeatable read'");
    for (let n = 0; n < 3; n++) expect(await statusOf(host, session)).toBe(503);
    expect(await post(host, await logoutToken(host, sid))).toEqual(temporarilyUnavailable('store_unavailable'));
    await pooler.query('RESET default_transaction_isolation');
    host.clock.advance(DROP_PAUSE);
    expect(await statusOf(host, session)).toBe(401);
  });

  it('another client makes the connection read-only: logouts get 503, and nothing is stored', async () => {
    await migrate();
    const host = await start();
    const { session, sid } = await signIn(host);
    await pooler.query('SET default_transaction_read_only = on');
    expect(await post(host, await logoutToken(host, sid))).toEqual(temporarilyUnavailable('store_unavailable'));
    expect((await host.stored()).logouts).toEqual([]);
    await pooler.query('RESET default_transaction_read_only');
    expect(await post(host, await logoutToken(host, sid))).toEqual(delivered);
    expect(await statusOf(host, session)).toBe(401);
  });

  it('another client sets its client_encoding: names stay whole, because PgBouncer gives each client its own', async () => {
    await migrate();
    const host = await start();
    await pooler.query("SET client_encoding = 'LATIN1'");
    const { session } = await signIn(host);
    await pooler.query("SET client_encoding = 'LATIN1'");
    expect(await (await host.fetch('/me', { session })).json()).toEqual({ sub: NAME });
    const [row] = (await host.stored()).sessions;
    expect(row?.['sub']).toBe(NAME);
  });

  it("another client sets search_path: with the option schema, the library's tables stay the same", async () => {
    for (const schema of ['sso', 'decoy']) await migrate({ schema });
    const options = { database: { ...pooled(), schema: 'sso' } as SessionDatabaseOptions };
    const host = await start({ options });
    await pooler.query('SET search_path = decoy');
    const { session, sid } = await signIn(host);
    expect(await statusOf(host, session)).toBe(200);
    expect(await post(host, await logoutToken(host, sid))).toEqual(delivered);
    expect(await statusOf(host, session)).toBe(401);
    for (const table of ['session', 'logout', 'session_tokens']) {
      expect(await pooler.query(`SELECT 1 FROM decoy.oneid_${table}`)).toEqual([]);
      if (table !== 'session_tokens') expect(await pooler.query(`SELECT 1 FROM sso.oneid_${table}`)).toHaveLength(1);
    }
  });
});
