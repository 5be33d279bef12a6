import { describe, expect, it } from '@jest/globals';
import { UnusableDatabaseError } from '../oneid-logout.errors.js';
import { checkPromises } from './database-checks.js';
import { type SqlRow } from './sql.js';

const goodMysql = '0,0,1,0,utf8mb4,utf8mb4,utf8mb4';

const faultOf = (type: 'mariadb' | 'postgres', row: SqlRow): Promise<unknown> =>
  checkPromises(type, () => Promise.resolve(row)).catch((error: unknown) => error);
const mysqlFaultOf = (proof: string | null) => faultOf('mariadb', { proof, flush: 1 });
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
});
