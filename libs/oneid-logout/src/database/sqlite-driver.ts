import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { UnusableDatabaseError } from '../oneid-logout.errors.js';
import { nodeRequire } from './node-require.js';

/** The better-sqlite3 that TypeORM will load. */
export interface SqliteDriver {
  readonly version: string;
  /**
   * Was the native addon compiled with the headers of Node 24.19 or 26.4, or later? There `node::ObjectWrap` removes a
   * cleanup hook when the garbage collector frees an object. Reads the addon's file, which has megabytes.
   */
  removesCleanupHooks(): boolean;
}

/** A problem with a driver, and how the operator can solve it. */
export interface DriverFault {
  readonly fault: string;
  readonly cure: string;
}

/** A compiled addon contains this name on every platform when it removes cleanup hooks. */
const REMOVES_CLEANUP_HOOKS = 'RemoveEnvironmentCleanupHook';

const BUG = 'https://github.com/nodejs/node/issues/65446';

/** TypeORM's module that loads better-sqlite3. TypeORM loads this module for every type of database. */
const TYPEORM_DRIVER = /[\\/]typeorm[\\/]driver[\\/]better-sqlite3[\\/]BetterSqlite3Driver\.js$/;

/**
 * Refuses a better-sqlite3 that would crash the process while it loads, because the process could not catch an error.
 *
 * @throws {UnusableDatabaseError} code `sqlite_driver_unusable`
 */
export function refuseCrashingDriver(): void {
  const driver = usualDriver();
  // without a driver, TypeORM itself reports that it is missing
  const fault = driver && faultOf(driver);
  if (fault !== undefined) throw driverError(fault);
}

/** @returns a warning about a better-sqlite3 that may abort the process later; undefined when it is safe */
export function usualDriverWarning(): string | undefined {
  const driver = usualDriver();
  return driver && warningOf(driver);
}

let found: SqliteDriver | undefined;

/** The search reads a list of all loaded modules, so it is made once in a process. */
function usualDriver(): SqliteDriver | undefined {
  found ??= findSqliteDriver();
  return found;
}

/**
 * Explains why better-sqlite3 could not be loaded.
 *
 * @returns undefined when the error is about something else
 */
export function driverErrorFor(cause: unknown): UnusableDatabaseError | undefined {
  const fault = loadFaultOf(cause);
  return fault && driverError(fault, cause);
}

function driverError({ fault, cure }: DriverFault, cause?: unknown): UnusableDatabaseError {
  return new UnusableDatabaseError(fault, { code: 'sqlite_driver_unusable', cure, cause });
}

/**
 * Finds the better-sqlite3 that TypeORM would load, without loading it.
 *
 * @param folder the folder of the process, where TypeORM looks when its own folder leads to no better-sqlite3
 * @param loaded the files of the CommonJS modules that this process has loaded
 * @returns undefined when its files can't be found or read
 */
export function findSqliteDriver(folder?: string, loaded?: readonly string[]): SqliteDriver | undefined {
  try {
    const manifest = resolveManifest(folder ?? process.cwd(), loaded);
    // Node allows a byte order mark, JSON.parse does not
    const { name, version } = JSON.parse(readFileSync(manifest, 'utf8').replace(/^\uFEFF/, '')) as Manifest;
    // another package may be installed under this name, and its versions have another meaning
    if (name !== 'better-sqlite3' || typeof version !== 'string') return undefined;
    return { version, removesCleanupHooks: () => removesCleanupHooks(dirname(manifest)) };
  } catch {
    return undefined;
  }
}

interface Manifest {
  readonly name?: unknown;
  readonly version?: unknown;
}

/** TypeORM searches from its own folder first, then in the folder of the process. */
function resolveManifest(folder: string, loaded?: readonly string[]): string {
  const requireHere = nodeRequire(join(folder, 'package.json'));
  const typeOrm = (loaded ?? Object.keys(requireHere.cache)).find((file) => TYPEORM_DRIVER.test(file));
  const name = 'better-sqlite3/package.json';
  try {
    return (typeOrm === undefined ? requireHere : nodeRequire(typeOrm)).resolve(name);
  } catch {
    return join(folder, 'node_modules', name);
  }
}

/** False when no addon was compiled: version 13 brings Node-API addons, which do not use `node::ObjectWrap`. */
function removesCleanupHooks(folder: string): boolean {
  try {
    return readFileSync(join(folder, 'build/Release/better_sqlite3.node')).includes(REMOVES_CLEANUP_HOOKS);
  } catch {
    return false;
  }
}

/** @returns why this Node can't load the driver; undefined when it can */
export function faultOf({ version }: SqliteDriver, node = process.versions.node): DriverFault | undefined {
  if (majorOf(version) < 13 || majorOf(node) >= 22) return undefined;
  return {
    fault: `better-sqlite3 ${version} needs Node 22 or later, and on Node ${node} it would end this process with a segmentation fault`,
    cure: 'Use Node 22 or later, or run: npm install better-sqlite3@12',
  };
}

/** @returns a warning about a driver that loads but may abort the process later; undefined when it is safe */
export function warningOf(driver: SqliteDriver, node = process.versions.node): string | undefined {
  const [, minor = ''] = node.split('.');
  // an addon that removes cleanup hooks is safe on Node 26.4 and later, but not on any Node 24
  const aborts = majorOf(node) === 24 || (majorOf(node) === 26 && parseInt(minor, 10) < 4);
  if (!aborts || !driver.removesCleanupHooks()) return undefined;
  return (
    `better-sqlite3 ${driver.version} was compiled in a way that lets Node ${node} abort this process at a garbage collection, with ` +
    `"Assertion failed: (env) != nullptr" (${BUG}). Install better-sqlite3 13, with an override for the peer dependency ` +
    'of TypeORM'
  );
}

/** @returns why better-sqlite3 could not be loaded; undefined when the error is about something else */
export function loadFaultOf(error: unknown, node = process.versions.node): DriverFault | undefined {
  if (!(error instanceof Error)) return undefined;
  const compiles = majorOf(node) < 22;
  // version 13 does not depend on one version of Node; version 12 compiled for Node 24 may abort the process
  const rebuild = compiles ? 'Run: npm rebuild better-sqlite3' : 'Run: npm install better-sqlite3@13';
  if ('code' in error && error.code === 'ERR_DLOPEN_FAILED') {
    const fault = `better-sqlite3 was compiled for another version of Node or for another machine (this is Node ${node})`;
    return { fault, cure: rebuild };
  }
  if (error.message.startsWith('Could not locate the bindings file')) {
    return { fault: 'better-sqlite3 was installed without its native addon', cure: rebuild };
  }
  if (error.name !== 'DriverPackageNotInstalledError') return undefined;
  return { fault: 'better-sqlite3 is not installed', cure: `Run: npm install better-sqlite3@${compiles ? 12 : 13}` };
}

function majorOf(version: string): number {
  return parseInt(version, 10);
}
