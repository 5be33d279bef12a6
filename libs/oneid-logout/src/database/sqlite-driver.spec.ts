import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { faultOf, findSqliteDriver, loadFaultOf, warningOf } from './sqlite-driver.js';

const driver = (version: string, removesCleanupHooks = false) => ({ version, removesCleanupHooks });

describe('a better-sqlite3 that crashes when it is loaded', () => {
  it.each(['20.19.0', '20.20.2', '18.20.4', '21.7.3'])('is refused: 13 on Node %s', (node) => {
    expect(faultOf(driver('13.2.0'), node)).toBe(
      `better-sqlite3 13.2.0 needs Node 22 or later. On Node ${node} it would end this process with a segmentation ` +
        'fault. Use Node 22 or later, or run: npm install better-sqlite3@12',
    );
  });

  it.each([
    ['12.11.1', '20.20.2'],
    ['12.0.0', '24.21.0'],
    ['13.0.0', '22.12.0'],
    ['13.2.0', '24.21.0'],
    ['13.2.0', '26.10.0'],
  ])('is another one: %s on Node %s', (version, node) => {
    expect(faultOf(driver(version), node)).toBeUndefined();
  });
});

describe('a better-sqlite3 that aborts at a garbage collection', () => {
  it.each(['24.19.0', '24.21.0', '24.18.1', '26.0.0', '26.3.1'])('is warned of: on Node %s', (node) => {
    expect(warningOf(driver('12.11.1', true), node)).toBe(
      `better-sqlite3 12.11.1 was compiled so that Node ${node} aborts this process at some garbage collection, with ` +
        '"Assertion failed: (env) != nullptr" (https://github.com/nodejs/node/issues/65446). Install better-sqlite3 13 and ' +
        'override the peer dependency of TypeORM: see "Node and better-sqlite3" in docs/operating.md',
    );
  });

  it.each(['22.23.3', '26.4.0', '26.10.0'])('is none on Node %s', (node) => {
    expect(warningOf(driver('12.11.1', true), node)).toBeUndefined();
  });

  it('is none where it was compiled with older headers', () => {
    expect(warningOf(driver('12.11.1'), '24.21.0')).toBeUndefined();
  });
});

describe('the better-sqlite3 that TypeORM would load', () => {
  let folder: string;
  const write = (path: string, content: string) => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  };
  const found = (project: string) => findSqliteDriver(pathToFileURL(join(folder, project, 'main.js')).href);
  const install = (project: string, version: string) => {
    write(`${project}/node_modules/typeorm/package.json`, '{"name":"typeorm","main":"index.js"}');
    write(`${project}/node_modules/typeorm/index.js`, '');
    write(`${project}/node_modules/better-sqlite3/package.json`, JSON.stringify({ version }));
  };

  beforeAll(() => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), 'sqlite-driver-')));
    install('thirteen', '13.2.0');
    for (const project of ['old-headers', 'new-headers']) install(project, '12.11.1');
    const addon = 'node_modules/better-sqlite3/build/Release/better_sqlite3.node';
    write(`old-headers/${addon}`, '\0_ZN4node25AddEnvironmentCleanupHookEPN2v87IsolateEPFvPvES3_\0');
    write(`new-headers/${addon}`, '\0_ZN4node28RemoveEnvironmentCleanupHookEPN2v87IsolateEPFvPvES3_\0');
  });
  afterAll(() => {
    jest.restoreAllMocks();
    rmSync(folder, { recursive: true });
  });

  it('is found with its version, and with what its addon was compiled for', () => {
    expect(found('thirteen')).toEqual(driver('13.2.0'));
    expect(found('old-headers')).toEqual(driver('12.11.1', false));
    expect(found('new-headers')).toEqual(driver('12.11.1', true));
  });

  it("is the process's where TypeORM's folder has none, and else none", () => {
    write('nothing/main.js', '');
    const cwd = jest.spyOn(process, 'cwd');
    cwd.mockReturnValue(join(folder, 'thirteen'));
    expect(found('nothing')).toEqual(driver('13.2.0'));
    cwd.mockReturnValue(join(folder, 'nothing'));
    expect(found('nothing')).toBeUndefined();
  });
});

describe('a better-sqlite3 that could not be loaded', () => {
  class DriverPackageNotInstalledError extends Error {
    override readonly name = 'DriverPackageNotInstalledError';
  }

  it.each([
    ['20.20.2', 12],
    ['22.23.3', 13],
    ['26.10.0', 13],
  ])('is missing: on Node %s install %i', (node, version) => {
    expect(loadFaultOf(new DriverPackageNotInstalledError(), node)).toBe(
      `better-sqlite3 is not installed. Run: npm install better-sqlite3@${version}`,
    );
  });

  it('was compiled for another Node', () => {
    const error = Object.assign(new Error('…\nNODE_MODULE_VERSION 115'), { code: 'ERR_DLOPEN_FAILED' });
    expect(loadFaultOf(error, '24.21.0')).toBe(
      'better-sqlite3 was compiled for another Node or another machine than this one (Node 24.21.0). Run: npm rebuild better-sqlite3',
    );
  });

  it('was never compiled', () => {
    expect(loadFaultOf(new Error('Could not locate the bindings file. Tried:\n → …'))).toBe(
      'better-sqlite3 was installed without its native addon. Run: npm rebuild better-sqlite3',
    );
  });

  it.each([new Error('unable to open database file'), 'no error', undefined])('is not what %s is about', (error) => {
    expect(loadFaultOf(error)).toBeUndefined();
  });
});
