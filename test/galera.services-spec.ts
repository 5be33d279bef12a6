import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { SessionDatabase } from '../libs/oneid-logout/src/database/session-database.js';
import { TestMariadb } from './support/mariadb.js';
import { freePort } from './support/postgres.mjs';
import { issuer, SessionStore } from './support/session-store.js';

/** Where Debian's package galera-4, on which mariadb-server depends, has its library. */
const PROVIDER = '/usr/lib/galera/libgalera_smm.so';

describe('a Galera cluster of one node', () => {
  let node: TestMariadb;
  beforeAll(async () => {
    const address = `gmcast.listen_addr=tcp://127.0.0.1:${await freePort()};ist.recv_addr=127.0.0.1:${await freePort()}`;
    node = await TestMariadb.start([
      ...['--wsrep-on=ON', `--wsrep-provider=${PROVIDER}`, '--wsrep-cluster-address=gcomm://'],
      ...[`--wsrep-provider-options=${address}`, '--wsrep-node-address=127.0.0.1', '--binlog-format=ROW'],
      '--innodb-autoinc-lock-mode=2',
    ]);
    expect(await node.query("SHOW STATUS LIKE 'wsrep_ready'")).toEqual([{ Variable_name: 'wsrep_ready', Value: 'ON' }]);
  });
  afterAll(() => node.stop());

  const boot = async () => {
    await (await SessionDatabase.open(node.options, true)).close();
  };

  it('is refused at boot, unless every statement waits for what other nodes have committed', async () => {
    for (const wait of [0, 1, 3, 6]) {
      await node.query(`SET GLOBAL wsrep_sync_wait = ${wait}`);
      await expect(boot()).rejects.toThrow(
        `can't use this database: it is a Galera cluster and its wsrep_sync_wait is ${wait}, so`,
      );
    }
    await node.query('SET GLOBAL wsrep_sync_wait = 7');
    await boot();
  });

  it('is refused at boot if it answers without the other nodes', async () => {
    await node.query('SET GLOBAL wsrep_sync_wait = 7');
    await node.query('SET GLOBAL wsrep_dirty_reads = ON');
    await expect(boot()).rejects.toThrow(
      "can't use this database: it is a Galera cluster and its wsrep_dirty_reads is ON, so",
    );
    await node.query('SET GLOBAL wsrep_dirty_reads = OFF');
    await boot();
  });

  it('works: sign-in, check, logout', async () => {
    await node.query('SET GLOBAL wsrep_sync_wait = 7');
    const store = await SessionStore.open({ options: node.options, drop: () => Promise.resolve() });
    const ids: string[] = [];
    for (const sub of ['alice', 'bob']) {
      ids.push((await store.registry.register({ idToken: store.idToken({ sub, sid: `sid of ${sub}` }) })).id);
    }
    await store.recorder.recordBackchannel(store.logout({ sid: 'sid of alice' }));
    await store.recorder.recordBackchannel(store.logout({ sid: 'sid of alice' }));
    await store.recorder.endUser(issuer, 'bob');
    expect(await Promise.all(ids.map((id) => store.isAlive(id)))).toEqual([false, false]);
    await store.close();
  });
});
