import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type DataSourceOptions } from 'typeorm';
import { type Clock } from '../clock.js';
import { type SessionDatabaseOptions } from '../database/data-source-options.js';
import { DatabaseConnector } from '../database/database-connector.js';
import { messageOf } from '../database/driver-errors.js';
import { SessionDatabase } from '../database/session-database.js';
import { type SupportedDatabase } from '../database/sql-dialect.js';
import { UnusableDatabaseError } from '../oneid-logout.errors.js';
import { checkDatabaseClock } from './check-clocks.js';
import { type CheckResult, fault, type Finding, findingOf, ok, skipped, warning } from './check-result.js';
import { type DoctorSettings } from './settings.js';

const EXPECTED = 'a database that the library can use';

/** Opens the database as the module does, but without migrations, and changes nothing in it. */
export async function checkDatabase(settings: DoctorSettings, clock: Clock): Promise<CheckResult[]> {
  const { database: options } = settings;
  if (options === undefined) {
    const advice = 'Give --database-url, or set DATABASE_URL.';
    return [skipped('database', 'not checked: the doctor has no database URL', advice)];
  }
  const fileFault = options.type === 'better-sqlite3' ? await findFileFault(options.database) : undefined;
  if (fileFault !== undefined) return [fileFault];
  try {
    const database = await SessionDatabase.open(options, false, { clock, connector: new ReadingConnector() });
    try {
      return await checkOpen(settings, options, database, clock);
    } finally {
      await database.close();
    }
  } catch (error) {
    return [fault('database', EXPECTED, openingFault(error))];
  }
}

/** SQLite: opens the file for reading, and leaves its journal mode as it is. */
class ReadingConnector extends DatabaseConnector {
  override connect(options: DataSourceOptions & { readonly type: SupportedDatabase }, clock: Clock) {
    const reading = { readonly: true, fileMustExist: true, enableWAL: false, prepareDatabase: () => undefined };
    if (options.type === 'better-sqlite3') return super.connect({ ...options, ...reading }, clock);
    return super.connect(options.type === 'postgres' ? { ...options, installExtensions: false } : options, clock);
  }
}

async function findFileFault(file: string): Promise<CheckResult | undefined> {
  const can = (path: string, mode: number) =>
    access(path, mode).then(
      () => true,
      () => false,
    );
  if (!(await can(file, constants.F_OK))) {
    return fault('database', 'a SQLite file', {
      found: `there is no file ${file}`,
      advice: 'The module creates it at the first boot. Correct the path, or start the app once.',
    });
  }
  const isWritable = (await can(file, constants.W_OK)) && (await can(dirname(file), constants.W_OK));
  if (isWritable) return undefined;
  return fault('database', 'a SQLite file in a folder, both writable for the user of the app', {
    found: `this user may not write to ${file} or to its folder`,
    advice: 'Give the user of the app the right to write to both. Run the doctor as this user.',
  });
}

function openingFault(error: unknown): Finding {
  const text = error instanceof UnusableDatabaseError ? error.message : messageOf(error);
  return findingOf(
    text.replace(/^OneIdLogoutModule: /, ''),
    'Correct this setting, for the database or for the role of the app.',
  );
}

async function checkOpen(
  settings: DoctorSettings,
  { type }: SessionDatabaseOptions,
  database: SessionDatabase,
  clock: Clock,
): Promise<CheckResult[]> {
  const results: CheckResult[] =
    database.warnings.length === 0
      ? [ok('database', `${type}, with the settings that the library needs`)]
      : database.warnings.map((found) =>
          warning('database', EXPECTED, { found, advice: 'Change it as the warning says.' }),
        );
  if (type !== 'better-sqlite3') {
    const askedAt = clock.now();
    const { rows } = await database.run(`SELECT ${database.dialect.now} AS now`);
    const now = Number(rows[0]?.['now']);
    results.push(checkDatabaseClock(settings, { from: now, until: now, askedAt, answeredAt: clock.now() }));
  }
  const pending = await database.pendingMigrations();
  const tableFault = await database.findTableFault(type === 'better-sqlite3' ? 'read' : 'write');
  results.push(checkMigrations(pending, tableFault === undefined));
  if (tableFault === undefined)
    results.push(ok('tables', "the library's tables are there, with all columns and rights"));
  else if (pending.length === 0) {
    results.push(
      fault('tables', 'SELECT, INSERT, UPDATE and DELETE on each table of the library', {
        found: `the table ${tableFault.table} can't be used: ${messageOf(tableFault.cause)}`,
        advice:
          'Give the role of the app these rights. A database that only allows reading is no database for the app.',
      }),
    );
  }
  return results;
}

function checkMigrations(pending: readonly string[], tablesWork: boolean): CheckResult {
  if (pending.length === 0) return ok('migrations', 'all have run');
  if (tablesWork) return ok('migrations', 'the tables are complete: your own migrations have made them');
  return fault('migrations', 'no pending migrations', {
    found: `pending: ${pending.join(', ')}`,
    advice:
      'Start the app once with runMigrations (the default), or run your deploy job. If the tables are in a schema or have ' +
      'a prefix, give --schema or --entity-prefix.',
  });
}
