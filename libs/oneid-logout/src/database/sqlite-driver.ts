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

/** How that call is named inside a compiled addon, on every platform. */
const REMOVES_CLEANUP_HOOKS = 'RemoveEnvironmentCleanupHook';

const BUG = 'https://github.com/nodejs/node/issues/65446';

/**
 * Refuses a better-sqlite3 that would crash the process as soon as it is loaded: no error could be caught then.
 *
 * @throws {UnusableDatabaseError} code `sqlite_driver_unusable`
 */
export function refuseCrashingDriver(): void {
  const driver = findSqliteDriver(import.meta.url);
  // TypeORM says when there is none
  const fault = driver && faultOf(driver);
  if (fault !== undefined) throw new UnusableDatabaseError(fault, { code: 'sqlite_driver_unusable' });
}

/** Logs a warning for a better-sqlite3 that may abort the process later. */
export function warnOfAbortingDriver(): void {
  const driver = findSqliteDriver(import.meta.url);
  const warning = driver && warningOf(driver);
  if (warning !== undefined) new Logger('OneIdLogout').warn(warning);
}

/** The better-sqlite3 that the TypeORM of a module would load, or undefined where there is none. Loads nothing. */
export function findSqliteDriver(moduleUrl: string): SqliteDriver | undefined {
  const manifest = resolveDriver(moduleUrl);
  if (manifest === undefined) return undefined;
  const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { readonly version: string };
  return { version, removesCleanupHooks: addonOf(dirname(manifest)).includes(REMOVES_CLEANUP_HOOKS) };
}

/** TypeORM looks from its own folder first, and then from the process's. */
function resolveDriver(moduleUrl: string): string | undefined {
  const name = 'better-sqlite3/package.json';
  try {
    return createRequire(createRequire(moduleUrl).resolve('typeorm')).resolve(name);
  } catch {
    const inProcessFolder = join(process.cwd(), 'node_modules', name);
    return existsSync(inProcessFolder) ? inProcessFolder : undefined;
  }
}

/** Empty from version 13 on, which has no such file: its addons are Node-API, and know no `node::ObjectWrap`. */
function addonOf(folder: string): Buffer {
  try {
    return readFileSync(join(folder, 'build/Release/better_sqlite3.node'));
  } catch {
    return Buffer.alloc(0);
  }
}

/** @returns why a Node can't load a driver, or undefined when it can */
export function faultOf({ version }: SqliteDriver, node = process.versions.node): string | undefined {
  const [driverMajor = 0] = numbersOf(version);
  const [nodeMajor = 0] = numbersOf(node);
  if (driverMajor < 13 || nodeMajor >= 22) return undefined;
  return (
    `better-sqlite3 ${version} needs Node 22 or later. On Node ${node} it would end this process with a segmentation ` +
    'fault. Use Node 22 or later, or run: npm install better-sqlite3@12'
  );
}

/** @returns what an operator has to know of a driver that a Node loads and may not survive, or undefined */
export function warningOf(
  { version, removesCleanupHooks }: SqliteDriver,
  node = process.versions.node,
): string | undefined {
  const [major = 0, minor = 0] = numbersOf(node);
  // Node 26.4 knows its hooks again when an object goes; Node 24 never does
  const aborts = major === 24 || (major === 26 && minor < 4);
  if (!removesCleanupHooks || !aborts) return undefined;
  return (
    `better-sqlite3 ${version} was compiled so that Node ${node} aborts this process at some garbage collection, with ` +
    `"Assertion failed: (env) != nullptr" (${BUG}). Install better-sqlite3 13 and override the peer dependency of ` +
    'TypeORM: see "Node and better-sqlite3" in docs/operating.md'
  );
}

/** @returns what to do about a better-sqlite3 that could not be loaded, or undefined when the error is another one */
export function loadFaultOf(error: unknown, node = process.versions.node): string | undefined {
  if (!(error instanceof Error)) return undefined;
  if ('code' in error && error.code === 'ERR_DLOPEN_FAILED') {
    return `better-sqlite3 was compiled for another Node or another machine than this one (Node ${node}). Run: npm rebuild better-sqlite3`;
  }
  if (error.message.startsWith('Could not locate the bindings file')) {
    return 'better-sqlite3 was installed without its native addon. Run: npm rebuild better-sqlite3';
  }
  if (error.name !== 'DriverPackageNotInstalledError') return undefined;
  const [major = 0] = numbersOf(node);
  return `better-sqlite3 is not installed. Run: npm install better-sqlite3@${major < 22 ? 12 : 13}`;
}

function numbersOf(version: string): number[] {
  return version.split('.').map((part) => parseInt(part, 10));
}
