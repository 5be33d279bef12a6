import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { Logger } from '@nestjs/common';
import { UnusableDatabaseError } from '../oneid-logout.errors.js';

/** better-sqlite3 as TypeORM will load it. */
export interface SqliteDriver {
  readonly version: string;
  /**
   * The native addon was compiled with the headers of a Node whose `node::ObjectWrap` removes a cleanup hook when the
   * garbage collector takes an object: Node 24.19 or 26.4, or later.
   */
  readonly removesCleanupHooks: boolean;
}

/** Something that is wrong with a driver, and what the operator can do about it. */
export interface DriverFault {
  readonly fault: string;
  readonly cure: string;
}

/** How that call is named inside a compiled addon, on every platform. */
const REMOVES_CLEANUP_HOOKS = 'RemoveEnvironmentCleanupHook';

const BUG = 'https://github.com/nodejs/node/issues/65446';

/** The module of TypeORM that loads better-sqlite3. TypeORM loads this module itself whatever the database is. */
const TYPEORM_DRIVER = /[\\/]typeorm[\\/]driver[\\/]better-sqlite3[\\/]BetterSqlite3Driver\.js$/;

/**
 * Refuses a better-sqlite3 that would crash the process as soon as it is loaded: no error could be caught then.
 *
 * @throws {UnusableDatabaseError} code `sqlite_driver_unusable`
 */
export function refuseCrashingDriver(): void {
  const driver = findSqliteDriver();
  // TypeORM says when there is none
  const found = driver && faultOf(driver);
  if (found !== undefined) throw driverError(found);
}

/** Logs a warning for a better-sqlite3 that may abort the process later. */
export function warnOfAbortingDriver(): void {
  const driver = findSqliteDriver();
  const warning = driver && warningOf(driver);
  if (warning !== undefined) new Logger('OneIdLogout').warn(warning);
}

/**
 * Explains an error of loading better-sqlite3.
 *
 * @returns undefined when the error is about something else
 */
export function driverErrorFor(cause: unknown): UnusableDatabaseError | undefined {
  const found = loadFaultOf(cause);
  return found && driverError(found, cause);
}

function driverError({ fault, cure }: DriverFault, cause?: unknown): UnusableDatabaseError {
  return new UnusableDatabaseError(fault, { code: 'sqlite_driver_unusable', cure, cause });
}

/**
 * The better-sqlite3 that TypeORM would load. Loads nothing, and judges nothing that it can't read.
 *
 * @param folder of the process, where TypeORM looks when its own folder leads to no better-sqlite3
 * @param loaded the files of the CommonJS modules that this process has loaded
 */
export function findSqliteDriver(folder?: string, loaded?: readonly string[]): SqliteDriver | undefined {
  try {
    const manifest = resolveManifest(folder ?? process.cwd(), loaded);
    // Node allows a byte order mark, JSON.parse does not
    const { name, version } = JSON.parse(readFileSync(manifest, 'utf8').replace(/^\uFEFF/, '')) as Manifest;
    // another package may be installed under this name, with versions of its own
    if (name !== 'better-sqlite3' || typeof version !== 'string') return undefined;
    return { version, removesCleanupHooks: addonOf(dirname(manifest)).includes(REMOVES_CLEANUP_HOOKS) };
  } catch {
    return undefined;
  }
}

interface Manifest {
  readonly name?: unknown;
  readonly version?: unknown;
}

/** TypeORM looks from its own folder first, and then in the folder of the process. */
function resolveManifest(folder: string, loaded?: readonly string[]): string {
  const requireHere = createRequire(join(folder, 'package.json'));
  const typeOrm = (loaded ?? Object.keys(requireHere.cache)).find((file) => TYPEORM_DRIVER.test(file));
  const name = 'better-sqlite3/package.json';
  try {
    return (typeOrm === undefined ? requireHere : createRequire(typeOrm)).resolve(name);
  } catch {
    return join(folder, 'node_modules', name);
  }
}

/** Empty where no addon was compiled: version 13 brings Node-API addons, which know no `node::ObjectWrap`. */
function addonOf(folder: string): Buffer {
  const file = join(folder, 'build/Release/better_sqlite3.node');
  return existsSync(file) ? readFileSync(file) : Buffer.alloc(0);
}

/** @returns why a Node can't load a driver, or undefined when it can */
export function faultOf({ version }: SqliteDriver, node = process.versions.node): DriverFault | undefined {
  if (majorOf(version) < 13 || majorOf(node) >= 22) return undefined;
  return {
    fault: `better-sqlite3 ${version} needs Node 22 or later, and on Node ${node} it would end this process with a segmentation fault`,
    cure: 'Use Node 22 or later, or run: npm install better-sqlite3@12',
  };
}

/** @returns what an operator has to know of a driver that a Node loads and may not survive, or undefined */
export function warningOf(
  { version, removesCleanupHooks }: SqliteDriver,
  node = process.versions.node,
): string | undefined {
  const [, minor = ''] = node.split('.');
  // Node 26.4 knows its hooks again when an object goes; Node 24 never does
  const aborts = majorOf(node) === 24 || (majorOf(node) === 26 && parseInt(minor, 10) < 4);
  if (!removesCleanupHooks || !aborts) return undefined;
  return (
    `better-sqlite3 ${version} was compiled so that Node ${node} aborts this process at some garbage collection, with ` +
    `"Assertion failed: (env) != nullptr" (${BUG}). Install better-sqlite3 13, with an override for the peer dependency ` +
    'of TypeORM'
  );
}

/** @returns what is wrong with a better-sqlite3 that could not be loaded, or undefined when the error is another one */
export function loadFaultOf(error: unknown, node = process.versions.node): DriverFault | undefined {
  if (!(error instanceof Error)) return undefined;
  const compiles = majorOf(node) < 22;
  // version 13 is not compiled for one Node, and version 12 compiled for Node 24 may abort the process
  const rebuild = compiles ? 'Run: npm rebuild better-sqlite3' : 'Run: npm install better-sqlite3@13';
  if ('code' in error && error.code === 'ERR_DLOPEN_FAILED') {
    const fault = `better-sqlite3 was compiled for another Node or another machine than this one (Node ${node})`;
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
