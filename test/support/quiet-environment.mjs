import { TestEnvironment } from 'jest-environment-node';

/**
 * Keeps the lines that the tested code logs, and shows them only when a test fails: a test that stages a failure also
 * stages its log lines. `console.log` of a test is shown as always.
 */
export default class QuietEnvironment extends TestEnvironment {
  #lines = [];

  async setup() {
    await super.setup();
    const keep = (line) => this.#lines.push(String(line).trimEnd());
    for (const stream of ['stdout', 'stderr']) {
      const quiet = Object.create(process[stream], { write: { value: (line) => keep(line) > 0 } });
      Object.defineProperty(this.global.process, stream, { value: quiet });
    }
    for (const level of ['info', 'warn', 'error']) this.global.console[level] = (...line) => keep(line.join(' '));
  }

  handleTestEvent(event) {
    if (event.name === 'test_start') this.#lines = [];
    const failed = event.name === 'hook_failure' || (event.name === 'test_done' && event.test.errors.length > 0);
    if (failed && this.#lines.length > 0) process.stderr.write(`${this.#lines.join('\n')}\n`);
  }
}
