import { describe, expect, it } from '@jest/globals';
import { UnusableDatabaseError } from '../oneid-logout.errors.js';
import { checkPromises } from './database-checks.js';
import { type SqlRow } from './sql.js';

const goodMysql = '0,0,1,0,utf8mb4,utf8mb4,utf8mb4';

/** @param variables the server variables of Galera; a server without Galera has none */
const faultOf = (type: 'mariadb' | 'postgres', row: SqlRow, variables: Record<string, string> = {}): Promise<unknown> =>
  checkPromises(type, (sql) => {
    const shown = Object.entries(variables).map(([name, value]) => ({ Variable_name: name, Value: value }));
    return Promise.resolve(sql.startsWith('SHOW VARIABLES') ? shown : [row]);
  }).then(
    () => undefined,
    (error: unknown) => error,
  );
const mysqlFaultOf = (proof: string | null) => faultOf('mariadb', { proof, flush: 1 });
const galeraFaultOf = (variables: Record<string, string>) =>
  faultOf('mariadb', { proof: goodMysql, flush: 1 }, variables);
const postgresFaultOf = (proof: string | null) => faultOf('postgres', { proof, commit: 'on', encoding: 'UTF8' });
const unusable = (fault: string) => new UnusableDatabaseError(`can't use this database: ${fault}`);
const standby = unusable('it is a read-only standby, use the primary');

describe('the settings without which a database cannot keep the promise', () => {
  it.each(['0,0', 'OFF,0', 'OFF,OFF'])('S2: a server that is not read-only passes: %s', async (readOnly) => {
    expect(await mysqlFaultOf(goodMysql.replace('0,0', readOnly))).toBeUndefined();
    expect(await mysqlFaultOf(goodMysql.replace('0,0,1', `${readOnly},ON`))).toBeUndefined();
  });

  it.each(['1,0', '0,1', 'ON,0', 'NO_LOCK,0', ','])(
    'S2: a read-only server is refused at boot: %j',
    async (readOnly) => {
      expect(await mysqlFaultOf(goodMysql.replace('0,0', readOnly))).toEqual(standby);
    },
  );

  it('S2: an answer without proof is refused', async () => {
    expect([await mysqlFaultOf(null), await postgresFaultOf(null)]).toEqual([standby, standby]);
  });

  it('S16: a PostgreSQL primary passes; a standby is refused at boot', async () => {
    expect(await postgresFaultOf('0,read committed,UTF8')).toBeUndefined();
    expect(await postgresFaultOf('1,read committed,UTF8')).toEqual(standby);
  });

  it('refuses connections with other settings', async () => {
    expect(await postgresFaultOf('0,serializable,UTF8')).toEqual(
      unusable("default_transaction_isolation is 'serializable', it must be 'read committed'"),
    );
    expect(await postgresFaultOf('0,read committed,LATIN1')).toEqual(
      unusable('client_encoding is LATIN1, it must be UTF8'),
    );
    expect(await mysqlFaultOf('0,0,0,0,utf8mb4,utf8mb4,utf8mb4')).toEqual(unusable('autocommit is off, it must be on'));
    expect(await mysqlFaultOf('0,0,1,3,utf8mb4,utf8mb4,utf8mb4')).toEqual(
      unusable(
        'sql_mode contains NO_BACKSLASH_ESCAPES, so the driver cannot quote text safely. Remove it from sql_mode',
      ),
    );
  });

  it('S6: connections that lack characters are refused at boot', async () => {
    const fault = await mysqlFaultOf('0,0,1,0,latin1,utf8mb4,utf8mb4');
    expect(fault).toMatchObject({
      code: 'database_unusable',
      fault:
        "can't use this database: its connections use the character sets latin1,utf8mb4,utf8mb4, which lack characters of " +
        'names. The library asks for utf8mb4, so remove skip-character-set-client-handshake and init_connect from the server',
    });
  });

  it('a server without Galera passes: MySQL lacks its variables, and MariaDB has it off', async () => {
    expect(await galeraFaultOf({})).toBeUndefined();
    expect(await galeraFaultOf({ wsrep_dirty_reads: 'OFF', wsrep_on: 'OFF', wsrep_sync_wait: '0' })).toBeUndefined();
  });

  it.each(['7', '15'])('a Galera cluster passes when each statement waits for the others: %s', async (wait) => {
    expect(await galeraFaultOf({ wsrep_dirty_reads: 'OFF', wsrep_on: 'ON', wsrep_sync_wait: wait })).toBeUndefined();
  });

  it.each(['0', '1', '3', '6', '8'])('a Galera cluster is refused when a statement does not wait: %s', async (wait) => {
    expect(await galeraFaultOf({ wsrep_dirty_reads: 'OFF', wsrep_on: 'ON', wsrep_sync_wait: wait })).toEqual(
      unusable(
        `it is a Galera cluster and its wsrep_sync_wait is ${wait}, so a node may not know a logout that another node has ` +
          'committed. Set wsrep_sync_wait = 7 on every node',
      ),
    );
  });

  it('a Galera cluster is refused when a node that has lost the others answers', async () => {
    expect(await galeraFaultOf({ wsrep_dirty_reads: 'ON', wsrep_on: 'ON', wsrep_sync_wait: '7' })).toEqual(
      unusable(
        'it is a Galera cluster and its wsrep_dirty_reads is ON, so a node that has lost the others answers with old data. ' +
          'Set wsrep_dirty_reads = OFF on every node',
      ),
    );
  });
});
