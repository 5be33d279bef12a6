import { Logger } from '@nestjs/common';
import { UnusableDatabaseError } from '../oneid-logout.errors.js';
import { type SupportedDatabase } from './sql-dialect.js';
import { type SqlRow } from './sql.js';

/** Runs a query without parameters, and returns its one row. */
type Ask = (sql: string) => Promise<SqlRow>;

/**
 * Checks that the database can keep the library's promises: a logout that it has committed is seen by every later read.
 *
 * @throws {UnusableDatabaseError} a setting of the database forbids that, or it is a read-only standby
 */
export async function checkPromises(type: SupportedDatabase, ask: Ask): Promise<void> {
  if (type === 'postgres') await checkPostgres(ask);
  if (type === 'mysql' || type === 'mariadb') await checkMysql(ask);
}

async function checkPostgres(ask: Ask): Promise<void> {
  const { isolation, standby, commit, encoding } = await ask(
    `SELECT current_setting('default_transaction_isolation') AS isolation, pg_is_in_recovery()::int AS standby,
       current_setting('synchronous_commit') AS commit, current_setting('server_encoding') AS encoding`,
  );
  requireSetting(
    isolation === 'read committed',
    `default_transaction_isolation is '${String(isolation)}', it must be 'read committed'`,
  );
  // a number, because the host may have given pg another parser for booleans
  requireSetting(Number(standby) === 0, 'it is a read-only standby, use the primary');
  requireSetting(
    encoding === 'UTF8',
    `its encoding is ${String(encoding)}, which lacks characters of names. Create a database with the encoding UTF8`,
  );
  if (commit === 'off') warnOfLoss('synchronous_commit is off');
}

async function checkMysql(ask: Ask): Promise<void> {
  const {
    autocommit,
    sql_mode: mode,
    flush,
    charsets,
    read_only: readOnly,
  } = await ask(
    `SELECT @@autocommit AS autocommit, @@sql_mode AS sql_mode, @@innodb_flush_log_at_trx_commit AS flush,
       CONCAT_WS(',', @@character_set_client, @@character_set_connection, @@character_set_results) AS charsets,
       CONCAT_WS(',', @@global.read_only, @@global.innodb_read_only) AS read_only`,
  );
  // a server says 0 or OFF; a sum would count the text ON as 0
  requireSetting(/^(0|OFF),(0|OFF)$/.test(String(readOnly)), 'it is a read-only standby, use the primary');
  requireSetting(
    String(charsets) === 'utf8mb4,utf8mb4,utf8mb4',
    `its connections use the character sets ${String(charsets)}, which lack characters of names. The library asks for ` +
      'utf8mb4, so remove skip-character-set-client-handshake and init_connect from the server',
  );
  requireSetting(Number(autocommit) === 1, 'autocommit is off, it must be on');
  const safe = !String(mode).includes('NO_BACKSLASH_ESCAPES');
  requireSetting(
    safe,
    'sql_mode contains NO_BACKSLASH_ESCAPES, so the driver cannot quote text safely. Remove it from sql_mode',
  );
  // the value 3 exists only on MariaDB, and is as durable as 1
  if (Number(flush) === 0 || Number(flush) === 2) warnOfLoss(`innodb_flush_log_at_trx_commit is ${Number(flush)}`);
}

/** @throws {UnusableDatabaseError} the condition is false */
export function requireSetting(condition: boolean, fault: string): asserts condition {
  if (!condition) throw new UnusableDatabaseError(`can't use this database: ${fault}`);
}

function warnOfLoss(setting: string): void {
  new Logger('OneIdLogout').warn(
    `The database's ${setting}: a crash may lose logouts that OneID already has a 200 for, and their sessions would be alive again. Change this setting.`,
  );
}
