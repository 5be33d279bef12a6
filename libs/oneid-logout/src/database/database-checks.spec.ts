import { describe, expect, it } from '@jest/globals';
import { UnusableDatabaseError } from '../oneid-logout.errors.js';
import { checkPromises } from './database-checks.js';
import { type SqlRow } from './sql.js';

const goodMysql = { autocommit: 1, sql_mode: '', flush: 1, charsets: 'utf8mb4,utf8mb4,utf8mb4', read_only: '0,0' };
const goodPostgres = { isolation: 'read committed', standby: 0, commit: 'on', encoding: 'UTF8' };

const faultOf = (type: 'mariadb' | 'postgres', row: SqlRow): Promise<unknown> =>
  checkPromises(type, () => Promise.resolve(row)).catch((error: unknown) => error);

describe('the settings without which a database cannot keep the promise', () => {
  it.each(['0,0', 'OFF,0', 'OFF,OFF'])('S2: a server that is not read-only passes: %s', async (readOnly) => {
    expect(await faultOf('mariadb', { ...goodMysql, read_only: readOnly })).toBeUndefined();
  });

  it.each(['1,0', '0,1', 'ON,0', 'NO_LOCK,0', '', null])(
    'S2: a read-only server is refused at boot: %j',
    async (readOnly) => {
      const fault = await faultOf('mariadb', { ...goodMysql, read_only: readOnly });
      expect(fault).toEqual(
        new UnusableDatabaseError("can't use this database: it is a read-only standby, use the primary"),
      );
    },
  );

  it.each([0, '0'])('S16: a PostgreSQL primary passes, however the app parses numbers: %j', async (standby) => {
    expect(await faultOf('postgres', { ...goodPostgres, standby })).toBeUndefined();
  });

  it.each([1, '1', true])('S2: a PostgreSQL standby is refused at boot: %j', async (standby) => {
    expect(await faultOf('postgres', { ...goodPostgres, standby })).toBeInstanceOf(UnusableDatabaseError);
  });

  it('S6: connections that lack characters are refused at boot', async () => {
    const fault = await faultOf('mariadb', { ...goodMysql, charsets: 'latin1,latin1,utf8mb4' });
    expect(fault).toMatchObject({
      code: 'database_unusable',
      fault:
        "can't use this database: its connections use the character sets latin1,latin1,utf8mb4, which lack characters of " +
        'names. The library asks for utf8mb4, so remove skip-character-set-client-handshake and init_connect from the server',
    });
  });
});
