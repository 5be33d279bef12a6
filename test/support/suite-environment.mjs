import { AsyncLocalStorage } from 'node:async_hooks';
import { TestEnvironment } from 'jest-environment-node';
import { takeRsaKeysFrom } from './rsa-keys.mjs';

/**
 * What each suite of this repository runs in:
 * - It hides the log lines of the tested code, and prints them only when a test fails: many tests cause a failure on
 *   purpose. `console.log` prints as usual.
 * - RSA keys come from the run's stock: see rsa-keys.mjs.
 * - At the end, it switches off each AsyncLocalStorage that the suite has used. Otherwise Node keeps it, and each later
 *   promise of this process pays for it.
 */
export default class SuiteEnvironment extends TestEnvironment {
  #lines = [];
  #storages = new Set();

  async setup() {
    await super.setup();
    noteUsedIn(this.#storages);
    const keep = (line) => this.#lines.push(String(line).trimEnd());
    for (const stream of ['stdout', 'stderr']) {
      const quiet = Object.create(process[stream], { write: { value: (line) => keep(line) > 0 } });
      Object.defineProperty(this.global.process, stream, { value: quiet });
    }
    for (const level of ['info', 'warn', 'error']) this.global.console[level] = (...line) => keep(line.join(' '));
    const { TEST_RSA_KEYS } = process.env;
    if (TEST_RSA_KEYS !== undefined) takeRsaKeysFrom(JSON.parse(TEST_RSA_KEYS), this.global.crypto.subtle);
  }

  async teardown() {
    for (const storage of this.#storages) storage.disable();
    await super.teardown();
  }

  handleTestEvent(event) {
    if (event.name === 'test_start') this.#lines = [];
    const failed = event.name === 'hook_failure' || (event.name === 'test_done' && event.test.errors.length > 0);
    if (failed && this.#lines.length > 0) process.stderr.write(`${this.#lines.join('\n')}\n`);
  }
}

const { run, enterWith } = AsyncLocalStorage.prototype;

/** Adds each AsyncLocalStorage of this process that is used from now on. A later call replaces this one. */
function noteUsedIn(storages) {
  for (const method of [run, enterWith]) {
    AsyncLocalStorage.prototype[method.name] = function (...args) {
      storages.add(this);
      return method.apply(this, args);
    };
  }
}
