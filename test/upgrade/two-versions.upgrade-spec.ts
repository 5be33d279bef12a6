import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { endpointPaths } from 'nestjs-oneid-logout/testing';
import { type RegisteredSession } from 'nestjs-oneid-logout';
import { DataSource } from 'typeorm';
import { sharedDatabases, type TestDatabase } from '../support/databases.js';
import { root } from '../support/documents.js';
import { clientId, secrets } from '../support/host.js';
import { type FleetApp, ReplicaFleet } from '../support/replica-fleet.js';
import { until } from '../support/until.js';
import { newer, older } from './apps.js';
import { Replicas, type User } from './replicas.js';

/** How stale the replicas of each version may be, milliseconds. */
const OLDER_STALENESS = 900;
const NEWER_STALENESS = 450;

/** The numbers of the replicas. Both of a version work on the same tables; one of them answers from memory. */
const OLDER_STRICT = 0;
const NEWER_BOUNDED = 1;
const NEWER_STRICT = 2;
const OLDER_BOUNDED = 3;

/** The statements of docs/upgrade.md. */
const page = readFileSync(join(root, 'docs/upgrade.md'), 'utf8');
const [endOneByOne = '', beforeUpgradingAgain = ''] = [...page.matchAll(/^```sql\n([^]*?)^```$/gm)].map(
  ([, sql = '']) => sql,
);
const [, postgresClock = ''] = /In place of its clock, `(.+?)`/.exec(page) ?? [];
const [, mysqlClock = ''] = /^- MySQL and MariaDB: `(.+)`$/m.exec(page) ?? [];

/** Which version does it, and with which version the user has signed in. */
const directions = [
  { by: 'the older version', actor: OLDER_BOUNDED, host: NEWER_BOUNDED },
  { by: 'the newer version', actor: NEWER_BOUNDED, host: OLDER_BOUNDED },
];

describe.each(sharedDatabases)('what one version does counts on the other, on $name', (kind) => {
  let database: TestDatabase;
  let dataSource: DataSource;
  let fleet: ReplicaFleet;
  let replicas: Replicas;
  beforeAll(async () => {
    database = await kind.create();
    const options = { secrets, returnUrls: ['/', '/goodbye'] };
    fleet = await ReplicaFleet.start({ database, options, app: older, liveness: ['strict'] });
    replicas = new Replicas(fleet);
    await fleet.add({ maxStalenessMs: NEWER_STALENESS }, newer);
    await fleet.add('strict', newer);
    dataSource = await new DataSource(database.options).initialize();
  });
  afterAll(async () => {
    await dataSource.destroy();
    fleet.heal();
    await fleet.stop();
    await database.drop();
  });

  const expectWait = async (replica: number, least: number) => {
    const user = await replicas.signIn(OLDER_STRICT);
    const sent = performance.now();
    expect(await replicas.deliver(replica, user)).toBe(200);
    const took = performance.now() - sent;
    expect(took).toBeGreaterThanOrEqual(least);
    return took;
  };

  it("OneID's 200 waits for the largest staleness that a replica of either version has declared", async () => {
    expect(await expectWait(OLDER_STRICT, NEWER_STALENESS)).toBeLessThan(OLDER_STALENESS);
    await fleet.add({ maxStalenessMs: OLDER_STALENESS }, older);
    await expectWait(NEWER_STRICT, OLDER_STALENESS);
    await expectWait(NEWER_BOUNDED, OLDER_STALENESS);
    await expectWait(OLDER_BOUNDED, OLDER_STALENESS);
  });

  interface Channel {
    readonly name: string;
    readonly end: (actor: number, user: User) => Promise<unknown>;
  }
  const channels: readonly Channel[] = [
    { name: 'front-channel', end: (actor, user) => replicas.frontchannel(actor, user) },
    { name: "the app's own logout", end: (actor, user) => replicas.startLogout(actor, user) },
    { name: 'end()', end: (actor, { id }) => replicas.post(actor, '/end', { id }) },
    { name: 'endAll()', end: (actor, { issuer, sub }) => replicas.post(actor, '/end-all', { issuer, sub }) },
    { name: 'endHere()', end: (actor, user) => replicas.post(actor, '/end-here', {}, user) },
    {
      name: 'endOthers()',
      end: async (actor, { login }) =>
        replicas.post(actor, '/end-others', {}, await replicas.signIn(actor, replicas.signInAtOneId(login.sub))),
    },
    {
      name: 'replaces',
      end: (actor, { token }) => replicas.signIn(actor, replicas.signInAtOneId(), { replaces: token }),
    },
  ];

  describe.each(directions)('$by', ({ actor, host }) => {
    it('the back-channel: after the 200, no replica lets the session in', async () => {
      const [user, other] = [await replicas.signIn(host), await replicas.signIn(host)];
      expect([await replicas.ask(user), await replicas.ask(other)]).toEqual([all(200), all(200)]);
      expect(await replicas.deliver(actor, user)).toBe(200);
      expect([await replicas.ask(user), await replicas.ask(other)]).toEqual([all(401), all(200)]);
      // OneID sends it again, and the other version takes it for the same logout
      expect(await replicas.deliver(host, user)).toBe(200);
      expect([await replicas.ask(user), await replicas.ask(other)]).toEqual([all(401), all(200)]);
      await expect(replicas.signIn(host, user.login)).rejects.toThrow('session_ended');
    });

    it('a back-channel logout without sid ends the sessions of the user', async () => {
      const [user, other] = [await replicas.signIn(host), await replicas.signIn(host)];
      expect([await replicas.ask(user), await replicas.ask(other)]).toEqual([all(200), all(200)]);
      const logoutToken = await fleet.oneId.logoutToken({ clientId, claims: { sid: undefined, sub: user.sub } });
      expect(await fleet.replica(actor).process.deliver(logoutToken)).toBe(200);
      expect([await replicas.ask(user), await replicas.ask(other)]).toEqual([all(401), all(200)]);
    });

    it('the other channels: no replica lets the session in, and others stay', async () => {
      const other = await replicas.signIn(host);
      const users = await Promise.all(channels.map(() => replicas.signIn(host)));
      const alive = await Promise.all(users.map((user) => replicas.ask(user)));
      expect(alive).toEqual(users.map(() => all(200)));
      for (const [n, { name, end }] of channels.entries()) {
        const user = users[n];
        if (user === undefined) throw new Error(name);
        await end(actor, user);
        await until(`${name}: all replicas refuse`, async () => (await replicas.ask(user)).every((one) => one === 401));
      }
      expect(await replicas.ask(other)).toEqual(all(200));
    });

    it('the user comes back from OneID to the other version', async () => {
      const user = await replicas.signIn(host);
      const { state, cookies } = await replicas.startLogout(actor, user);
      expect(await replicas.comeBack(host, state, cookies)).toBe('/goodbye');
      // the state is used once, on whichever version
      expect(await replicas.comeBack(actor, state, cookies)).toBe('/');
    });

    it('the same ID token again gives the same session, and lists have the sessions of both', async () => {
      const login = replicas.signInAtOneId();
      const idToken = await fleet.oneId.idToken({ clientId, login });
      const [first, second] = [
        await replicas.post<RegisteredSession>(host, '/sign-in', { idToken }),
        await replicas.post<RegisteredSession>(actor, '/sign-in', { idToken }),
      ];
      expect(second.id).toBe(first.id);
      expect(second.sessionToken).not.toBe(first.sessionToken);
      const other = await replicas.signIn(actor, replicas.signInAtOneId(login.sub));
      for (const replica of [actor, host]) {
        const listed = await replicas.post<{ id: string }[]>(replica, '/list', first);
        expect(listed.map(({ id }) => id)).toEqual([other.id, first.id]);
      }
    });

    it('BC-15: the refresh token that the other version has stored is revoked', async () => {
      const login = replicas.signInAtOneId();
      const [first, rotated] = [1, 2].map(() => fleet.oneId.refreshToken({ clientId, login }));
      const user = await replicas.signIn(host, login, { refreshToken: first });
      await replicas.post(actor, '/refresh', { refreshToken: rotated }, user);
      expect(await replicas.deliver(host, user)).toBe(200);
      await until('OneID has revoked the refresh token', () =>
        fleet.oneId.revoked.some(({ token }) => token === rotated),
      );
    });
  });

  it('the author of an end stays when the older version ends the session again', async () => {
    const user = await replicas.signIn(OLDER_BOUNDED);
    const author = { by: 'an administrator', reason: 'ticket 1' };
    await replicas.post(NEWER_STRICT, '/end', { id: user.id, author });
    await replicas.post(OLDER_STRICT, '/end', { id: user.id, author: { by: 'somebody else' } });
    const rows = await dataSource.query<object[]>(
      "SELECT author, reason FROM oneid_logout WHERE channel = 'admin' AND author IS NOT NULL",
    );
    expect(rows).toEqual([{ author: author.by, reason: author.reason }]);
  });

  const all = (status: number) => fleet.numbers.map(() => status);

  const isMysql = () => database.options.type !== 'postgres';
  const count = async (table: string, condition = '1 = 1') => {
    const [row] = await dataSource.query<{ n: unknown }[]>(`SELECT COUNT(*) AS n FROM ${table} WHERE ${condition}`);
    return Number(row?.n);
  };
  async function run(statements: string): Promise<void> {
    for (const sql of statements.split(';\n')) if (sql.trim() !== '') await dataSource.query(sql);
  }

  const askAll = (users: readonly User[]) => Promise.all(users.map((user) => replicas.ask(user)));
  const expectSoon = async (users: readonly User[], expected: readonly unknown[]) => {
    await until(`all answers are ${JSON.stringify(expected)}`, async () =>
      (await askAll(users)).every((answers) => JSON.stringify(answers) === JSON.stringify(expected)),
    );
  };
  const signInAtEach = () => Promise.all(fleet.numbers.map((number) => replicas.signIn(number)));

  it('endEveryone(): the older version lets its sessions in until they are ended one by one', async () => {
    const before = await signInAtEach();
    expect(await askAll(before)).toEqual(before.map(() => [200, 200, 200, 200]));
    await replicas.post(NEWER_STRICT, '/end-everyone', { issuer: fleet.oneId.issuer });
    await expectSoon(before, [200, 401, 401, 200]);
    const after = await signInAtEach();
    expect(await askAll(after)).toEqual(after.map(() => [200, 200, 200, 200]));

    expect([postgresClock, mysqlClock]).not.toContain('');
    const statement = isMysql() ? endOneByOne.replace(postgresClock, mysqlClock) : endOneByOne;
    await run(statement);
    await expectSoon(before, [401, 401, 401, 401]);
    expect(await askAll(after)).toEqual(after.map(() => [200, 200, 200, 200]));
    const rows = await count('oneid_logout');
    await run(statement);
    expect(await count('oneid_logout')).toBe(rows);
  });

  it('BC-15: the older version closes a logout of everyone, and the newer one revokes the tokens all the same', async () => {
    const login = replicas.signInAtOneId();
    const refreshToken = fleet.oneId.refreshToken({ clientId, login });
    await replicas.signIn(NEWER_BOUNDED, login, { refreshToken });
    const requests = fleet.oneId.count(endpointPaths.revocation);
    // OneID can't revoke it now, so the logout becomes due again
    fleet.oneId.fail(endpointPaths.revocation, { status: 503, times: Infinity });
    await replicas.post(NEWER_STRICT, '/end-everyone', { issuer: fleet.oneId.issuer });
    const [logout] = await dataSource.query<{ id: string }[]>(
      "SELECT id FROM oneid_logout WHERE id LIKE 'everyone%' ORDER BY recorded_at DESC LIMIT 1",
    );
    const isIt = `id = '${logout?.id ?? ''}'`;
    await until('the newer version has tried', async () => {
      if (fleet.oneId.count(endpointPaths.revocation) === requests) return false;
      return (await count('oneid_logout', `${isIt} AND revocation_due_at IS NOT NULL AND leased_until IS NULL`)) === 1;
    });
    for (const number of [NEWER_BOUNDED, NEWER_STRICT]) fleet.replica(number).process.signal('SIGSTOP');
    fleet.oneId.heal();
    await dataSource.query(`UPDATE oneid_logout SET revocation_due_at = 1 WHERE ${isIt}`);
    // a logout makes the older version look at the queue
    expect(await replicas.deliver(OLDER_STRICT, await replicas.signIn(OLDER_STRICT))).toBe(200);
    await until('the older version has closed it', async () => {
      return (await count('oneid_logout', `${isIt} AND revocation_due_at IS NULL`)) === 1;
    });
    expect(fleet.oneId.revoked.map(({ token }) => token)).not.toContain(refreshToken);

    await fleet.replace(NEWER_BOUNDED, { maxStalenessMs: NEWER_STALENESS }, newer);
    await until('OneID has revoked the refresh token', () =>
      fleet.oneId.revoked.some(({ token }) => token === refreshToken),
    );
    fleet.heal();
  });

  it('the options of the newer version: an upgrade after the older version has run alone', async () => {
    const later: FleetApp = { ...newer, options: { reconfirmAfterOutageSeconds: 5, maxSessionsPerUser: 1 } };
    await fleet.replica(NEWER_BOUNDED).process.kill();
    await fleet.replace(NEWER_STRICT, 'strict', later);
    const login = replicas.signInAtOneId();
    const users = [await replicas.signIn(OLDER_STRICT, login), await replicas.signIn(OLDER_BOUNDED, login)];
    await expectSoon(users, [200, 'no answer', 200, 200]);
    // as if the older version had run alone for a minute
    const runAlone = async () => {
      await fleet.replica(NEWER_STRICT).process.kill();
      await dataSource.query('UPDATE oneid_recording_time SET recordable_until = recordable_until - 60000');
    };
    await runAlone();
    await dataSource.query("INSERT INTO oneid_session_activity (session_id, active_at) VALUES ('of no session', 1)");
    await run(beforeUpgradingAgain);
    expect(await count('oneid_session_activity')).toBe(0);
    await fleet.replace(NEWER_STRICT, 'strict', later);
    await expectSoon(users, [200, 'no answer', 200, 200]);

    // without the statements, the newer version takes this time for an outage. The older one does not know it
    await runAlone();
    await fleet.replace(NEWER_STRICT, 'strict', later);
    await expectSoon(users, [200, 'no answer', 'unconfirmed', 200]);
    const [first, second, last] = [
      await replicas.signIn(OLDER_BOUNDED, login),
      await replicas.signIn(OLDER_STRICT, login),
      await replicas.signIn(NEWER_STRICT, login),
    ];
    await expectSoon([first, second], [401, 'no answer', 401, 401]);
    await expectSoon([last], [200, 'no answer', 200, 200]);
  });
});
