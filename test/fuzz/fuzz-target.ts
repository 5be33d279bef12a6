import assert from 'node:assert/strict';
import type fc from 'fast-check';

/** A parser of the library, and the properties that hold for each input. */
export interface FuzzTarget {
  /** Also the name of the folder of its corpus. */
  readonly name: string;
  /** Inputs with the shape of real ones, or nearly so. */
  readonly inputs: fc.Arbitrary<string>;
  /** @throws if a property does not hold */
  check(input: string): void | Promise<void>;
}

/** The most processor time that one input may take, milliseconds. */
const MOST_TIME = 1000;

/** How often a slow input may run again: another thread of the process may have used the time. */
const ATTEMPTS = 3;

/** Longest message of an error, characters. */
const MOST_MESSAGE = 2000;

/** Checks the properties of the target, and that the input takes no more than a second of processor time. */
export async function checkInput(target: FuzzTarget, input: string): Promise<void> {
  let fastest = Infinity;
  for (let attempt = 0; attempt < ATTEMPTS && fastest >= MOST_TIME; attempt += 1) {
    const before = process.cpuUsage();
    await target.check(input);
    const { user, system } = process.cpuUsage(before);
    fastest = Math.min(fastest, (user + system) / 1000);
  }
  assert.ok(fastest < MOST_TIME, `the input takes ${Math.round(fastest)} ms`);
}

/** Checks that a message can forge no line of a log, and does not grow with the input. */
export function assertShowable(message: string): void {
  assert.match(message, /^[\x20-\x7e]*$/);
  assert.ok(message.length <= MOST_MESSAGE, `the message has ${message.length} characters`);
}

/** The text before the first line break, and the text after it. */
export function firstLine(input: string): readonly [string, string] {
  const end = input.indexOf('\n');
  return end === -1 ? [input, ''] : [input.slice(0, end), input.slice(end + 1)];
}

export function isAscii(text: string): boolean {
  return Buffer.byteLength(text) === text.length;
}
