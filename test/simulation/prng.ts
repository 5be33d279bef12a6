import { hash } from 'node:crypto';

/** The least number that no 32 bits hold. */
const BEYOND = 2 ** 32;

/**
 * A generator of pseudo-random numbers: mulberry32 by Tommy Ettinger, in the public domain. It is fast, and good enough to
 * choose faults and delays. One seed decides all numbers of a run.
 */
export class Prng {
  private state: number;

  constructor(private readonly seed: string) {
    this.state = parseInt(hash('sha256', seed, 'hex').slice(0, 8), 16);
  }

  /** Another generator, whose numbers do not depend on how many numbers this one has given. */
  fork(label: string): Prng {
    return new Prng(`${this.seed}/${label}`);
  }

  /** A number from 0 up to 1, without 1. */
  fraction(): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / BEYOND;
  }

  between(least: number, most: number): number {
    return least + this.fraction() * (most - least);
  }

  /** A whole number; both ends are possible. */
  whole(least: number, most: number): number {
    return Math.floor(this.between(least, most + 1));
  }

  chance(probability: number): boolean {
    return this.fraction() < probability;
  }

  /** @throws {RangeError} the list is empty */
  pick<T>(values: readonly T[]): T {
    const value = values[this.whole(0, values.length - 1)];
    if (value === undefined) throw new RangeError('The list is empty');
    return value;
  }
}
