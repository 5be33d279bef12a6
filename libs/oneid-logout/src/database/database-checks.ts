import { UnusableDatabaseError } from '../oneid-logout.errors.js';
import { type AnswerProof, mysqlProof, postgresProof } from './answer-proof.js';
import { type SupportedDatabase } from './sql-dialect.js';
import { type SqlRow } from './sql.js';

/** Runs a query without parameters. */
type Ask = (sql: string) => Promise<readonly SqlRow[]>;

/** Galera's `wsrep_sync_wait` for reads (1), for UPDATE and DELETE (2) and for INSERT (4). */
const GALERA_WAITS = 7;

/**
 * Checks that the database can keep the library's promises: a logout that it has committed is seen by every later read.
 *
 * @returns warnings of settings that keep the promise, unless the server crashes
 * @throws {UnusableDatabaseError} a setting of the database forbids that, or it is a read-only standby
 */
export async function checkPromises(type: SupportedDatabase, ask: Ask): Promise<readonly string[]> {
  if (type === 'postgres') return checkPostgres(ask);
  return type === 'mysql' || type === 'mariadb' ? checkMysql(ask) : [];
}

async function checkPostgres(ask: Ask): Promise<string[]> {
  const [row] = await ask(
    `SELECT ${postgresProof.sql} AS proof, current_setting('synchronous_commit') AS commit,
       current_setting('server_encoding') AS encoding`,
  );
  const { proof, commit, encoding } = row ?? {};
  requireProof(postgresProof, proof);
  requireSetting(
    encoding === 'UTF8',
    `its encoding is ${String(encoding)}, which lacks characters of names. Create a database with the encoding UTF8`,
  );
  return commit === 'off' ? [lossWarning('synchronous_commit is off')] : [];
}

async function checkMysql(ask: Ask): Promise<string[]> {
  const [row] = await ask(`SELECT ${mysqlProof.sql} AS proof, @@innodb_flush_log_at_trx_commit AS flush`);
  const { proof, flush } = row ?? {};
  requireProof(mysqlProof, proof);
  await checkGalera(ask);
  // the value 3 exists only on MariaDB, and is as durable as 1
  const loses = Number(flush) === 0 || Number(flush) === 2;
  return loses ? [lossWarning(`innodb_flush_log_at_trx_commit is ${Number(flush)}`)] : [];
}

/**
 * A node of a Galera cluster may answer before it has applied what another node has committed, unless it waits. Each of
 * the library's statements reads, the inserts and updates too.
 */
async function checkGalera(ask: Ask): Promise<void> {
  // a variable that the server does not have gives no row, and no error as a SELECT of it would
  const rows = await ask(`SHOW VARIABLES WHERE Variable_name IN ('wsrep_on', 'wsrep_sync_wait', 'wsrep_dirty_reads')`);
  const variables = new Map(rows.map((row) => [row['Variable_name'], row['Value']]));
  if (variables.get('wsrep_on') !== 'ON') return;
  const wait = variables.get('wsrep_sync_wait');
  requireSetting(
    (Number(wait) & GALERA_WAITS) === GALERA_WAITS,
    `it is a Galera cluster and its wsrep_sync_wait is ${String(wait)}, so a node may not know a logout that another node ` +
      `has committed. Set wsrep_sync_wait = ${GALERA_WAITS} on every node`,
  );
  const dirty = variables.get('wsrep_dirty_reads');
  requireSetting(
    dirty === undefined || dirty === 'OFF',
    'it is a Galera cluster and its wsrep_dirty_reads is ON, so a node that has lost the others answers with old data. ' +
      'Set wsrep_dirty_reads = OFF on every node',
  );
}

function requireProof({ faultOf }: AnswerProof, proof: unknown): void {
  const fault = faultOf(String(proof));
  requireSetting(fault === undefined, fault ?? '');
}

/** @throws {UnusableDatabaseError} the condition is false */
export function requireSetting(condition: boolean, fault: string): asserts condition {
  if (!condition) throw new UnusableDatabaseError(`can't use this database: ${fault}`);
}

function lossWarning(setting: string): string {
  return `The database's ${setting}: a crash may lose logouts that OneID already has a 200 for, and their sessions would be alive again. Change this setting.`;
}
