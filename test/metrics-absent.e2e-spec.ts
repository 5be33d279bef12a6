import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';

/** What an import of the package throws; the module is loaded anew for each test. */
let thrown: Error;
jest.unstable_mockModule('@opentelemetry/api', () => {
  throw thrown;
});
const { Host } = await import('./support/host.js');
const { post, signIn, stateOf } = await import('./support/channel-requests.js');

afterEach(() => {
  jest.restoreAllMocks();
});

const missing = (code: string) => Object.assign(new Error("Cannot find package '@opentelemetry/api'"), { code });

describe('without @opentelemetry/api', () => {
  it.each([
    ['is not installed, in Node', missing('ERR_MODULE_NOT_FOUND'), []],
    ['is not installed, in a bundle or in Jest', missing('MODULE_NOT_FOUND'), []],
    [
      'is broken',
      new SyntaxError('a broken file'),
      ['No metrics and traces, because @opentelemetry/api failed: a broken file'],
    ],
  ])('everything works when the package %s', async (_case, error, expected) => {
    thrown = error;
    const warnings: unknown[] = [];
    jest.spyOn(Logger.prototype, 'warn').mockImplementation((message) => void warnings.push(message));
    const host = await Host.start();
    try {
      const { session, login } = await signIn(host);
      expect(await stateOf(host, session)).toBe('alive');
      const token = await host.oneId.logoutToken({ clientId: 'app', login });
      expect((await post(host, token)).status).toBe(200);
      expect(await stateOf(host, session)).toBe('logged_out');
      expect(warnings.filter((text) => String(text).includes('opentelemetry'))).toEqual(expected);
    } finally {
      await host.stop();
    }
  });
});
