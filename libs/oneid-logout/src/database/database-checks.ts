import { Logger } from '@nestjs/common';
import { UnusableDatabaseError } from '../oneid-logout.errors.js';
import { type AnswerProof, mysqlProof, postgresProof } from './answer-proof.js';
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
  const { proof, commit, encoding } = await ask(
    `SELECT ${postgresProof.sql} AS proof, current_setting('synchronous_commit') AS commit,
       current_setting('server_encoding') AS encoding`,
  );
  requireProof(postgresProof, proof);
  requireSetting(
    encoding === 'UTF8',
    `its encoding is ${String(encoding)}, which lacks characters of names. Create a database with the encoding UTF8`,
  );
  if (commit === 'off') warnOfLoss('synchronous_commit is off');
}

async function checkMysql(ask: Ask): Promise<void> {
  const { proof, flush } = await ask(`SELECT ${mysqlProof.sql} AS proof, @@innodb_flush_log_at_trx_commit AS flush`);
  requireProof(mysqlProof, proof);
  // the value 3 exists only on MariaDB, and is as durable as 1
  if (Number(flush) === 0 || Number(flush) === 2) warnOfLoss(`innodb_flush_log_at_trx_commit is ${Number(flush)}`);
}

function requireProof({ faultOf }: AnswerProof, proof: unknown): void {
  const fault = faultOf(String(proof));
  requireSetting(fault === undefined, fault ?? '');
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
