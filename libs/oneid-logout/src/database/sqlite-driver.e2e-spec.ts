import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import {
  driverErrorFor,
  faultOf,
  findSqliteDriver,
  loadFaultOf,
  type SqliteDriver,
  warningOf,
} from './sqlite-driver.js';

const driver = (version: string, removesCleanupHooks = false) => ({
  version,
  removesCleanupHooks: () => removesCleanupHooks,
});

/** A fake description of a driver. */
const read = (found: SqliteDriver | undefined) => found && [found.version, found.removesCleanupHooks()];

describe('a better-sqlite3 that crashes when it is loaded', () => {
  it.each(['20.19.0', '20.20.2', '18.20.4', '21.7.3'])('is refused: version 13 on Node %s', (node) => {
    expect(faultOf(driver('13.2.0'), node)).toEqual({
      fault: `better-sqlite3 13.2.0 needs Node 22 or later, and on Node ${node} it would end this process with a segmentation fault`,
      cure: 'Use Node 22 or later, or run: npm install better-sqlite3@12',
    });
  });

  it.each([
    ['12.11.1', '20.20.2'],
    ['12.0.0', '24.21.0'],
    ['13.0.0', '22.12.0'],
    ['13.2.0', '24.21.0'],
    ['13.2.0', '26.10.0'],
  ])('is not found in version %s on Node %s', (version, node) => {
    expect(faultOf(driver(version), node)).toBeUndefined();
  });
});

describe('a better-sqlite3 that aborts at a garbage collection', () => {
  it.each(['24.19.0', '24.21.0', '24.18.1', '26.0.0', '26.3.1'])('causes a warning on Node %s', (node) => {
    expect(warningOf(driver('12.11.1', true), node)).toBe(
      `better-sqlite3 12.11.1 was compiled in a way that lets Node ${node} abort this process at a garbage collection, with ` +
        '"Assertion failed: (env) != nullptr" (https://github.com/nodejs/node/issues/65446). Install better-sqlite3 13, with an ' +
        'override for the peer dependency of TypeORM',
    );
  });

  it.each(['22.23.3', '26.4.0', '26.10.0'])('causes no warning on Node %s', (node) => {
    expect(warningOf(driver('12.11.1', true), node)).toBeUndefined();
  });

  it('causes no warning when it was compiled with older headers', () => {
    expect(warningOf(driver('12.11.1'), '24.21.0')).toBeUndefined();
  });
});

describe('the better-sqlite3 that TypeORM would load', () => {
  const ADDON = 'node_modules/better-sqlite3/build/Release/better_sqlite3.node';
  let folder: string;
  const write = (path: string, content: string) => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  };
  const install = (project: string, manifest: object | string) => {
    const text = typeof manifest === 'string' ? manifest : JSON.stringify({ name: 'better-sqlite3', ...manifest });
    write(`${project}/node_modules/better-sqlite3/package.json`, text);
  };
  const typeOrmIn = (project: string) =>
    join(folder, project, 'node_modules/typeorm/driver/better-sqlite3/BetterSqlite3Driver.js');
  const found = (project: string) => findSqliteDriver(join(folder, project), []);

  beforeAll(() => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), 'sqlite-driver-')));
    install('thirteen', { version: '13.2.0' });
    for (const project of ['old-headers', 'new-headers']) install(project, { version: '12.11.1' });
    write(`old-headers/${ADDON}`, '\0_ZN4node25AddEnvironmentCleanupHookEPN2v87IsolateEPFvPvES3_\0');
    write(`new-headers/${ADDON}`, '\0_ZN4node28RemoveEnvironmentCleanupHookEPN2v87IsolateEPFvPvES3_\0');
  });
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  it('is found with its version and the target of its addon', () => {
    expect(read(found('thirteen'))).toEqual(['13.2.0', false]);
    expect(read(found('old-headers'))).toEqual(['12.11.1', false]);
    expect(read(found('new-headers'))).toEqual(['12.11.1', true]);
  });

  it('is the one beside TypeORM, and not the one of the process', () => {
    const driver = findSqliteDriver(join(folder, 'thirteen'), ['/other.js', typeOrmIn('old-headers')]);
    expect(read(driver)).toEqual(['12.11.1', false]);
  });

  it("is the one of the process when TypeORM's folder has none", () => {
    expect(read(findSqliteDriver(join(folder, 'thirteen'), [typeOrmIn('nothing')]))).toEqual(['13.2.0', false]);
  });

  it("is the installed one that this process's TypeORM loads", async () => {
    await import('typeorm');
    const { version } = createRequire(import.meta.url)('better-sqlite3/package.json') as { version: string };
    expect(findSqliteDriver()?.version).toBe(version);
  });

  it.each<[string, object | string]>([
    ['another package under its name', { name: 'better-sqlite3-multiple-ciphers', version: '13.0.0' }],
    ['a manifest without version', {}],
    ['a manifest that is no JSON', '{'],
  ])('is not judged: %s', (what, manifest) => {
    const project = what.replaceAll(' ', '-');
    install(project, manifest);
    expect(found(project)).toBeUndefined();
  });

  it('is not judged when it is missing', () => {
    expect(found('nothing')).toBeUndefined();
  });

  it('may have a byte order mark in its manifest', () => {
    install('mark', '\uFEFF{"name":"better-sqlite3","version":"13.1.1"}');
    expect(read(found('mark'))).toEqual(['13.1.1', false]);
  });
});

describe('a better-sqlite3 that could not be loaded', () => {
  class DriverPackageNotInstalledError extends Error {
    override readonly name = 'DriverPackageNotInstalledError';
  }

  it.each([
    ['20.20.2', 'Run: npm install better-sqlite3@12'],
    ['22.23.3', 'Run: npm install better-sqlite3@13'],
    ['26.10.0', 'Run: npm install better-sqlite3@13'],
  ])('is missing: the message says what to install on Node %s', (node, cure) => {
    expect(loadFaultOf(new DriverPackageNotInstalledError(), node)).toEqual({
      fault: 'better-sqlite3 is not installed',
      cure,
    });
  });

  it.each([
    ['20.20.2', 'Run: npm rebuild better-sqlite3'],
    ['24.21.0', 'Run: npm install better-sqlite3@13'],
  ])('was compiled for another version of Node than %s', (node, cure) => {
    const error = Object.assign(new Error('…\nNODE_MODULE_VERSION 115'), { code: 'ERR_DLOPEN_FAILED' });
    expect(loadFaultOf(error, node)).toEqual({
      fault: `better-sqlite3 was compiled for another version of Node or for another machine (this is Node ${node})`,
      cure,
    });
  });

  it('was never compiled', () => {
    expect(loadFaultOf(new Error('Could not locate the bindings file. Tried:\n → …'), '20.20.2')).toEqual({
      fault: 'better-sqlite3 was installed without its native addon',
      cure: 'Run: npm rebuild better-sqlite3',
    });
  });

  it.each([new Error('unable to open database file'), 'no error', undefined])('is not the reason of %s', (error) => {
    expect(loadFaultOf(error)).toBeUndefined();
  });

  it('is reported with the fault and the cure', () => {
    expect(driverErrorFor(new DriverPackageNotInstalledError())).toMatchObject({
      code: 'sqlite_driver_unusable',
      fault: 'better-sqlite3 is not installed',
      message: expect.stringMatching(
        /^OneIdLogoutModule: better-sqlite3 is not installed\. Run: npm install better-sqlite3@1[23]$/,
      ) as unknown,
    });
    expect(driverErrorFor(new Error('unable to open database file'))).toBeUndefined();
  });
});
