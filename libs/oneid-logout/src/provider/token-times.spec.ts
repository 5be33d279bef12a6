import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { TestClock } from '../../../../test/support/test-clock.js';
import { StoreUnavailableError } from '../oneid-logout.errors.js';
import { TokenTimes } from './token-times.js';

const start = Date.UTC(2026, 0, 1);
const MAX_AGE = 600;

describe('TokenTimes', () => {
  let clock: TestClock;
  beforeEach(() => {
    clock = new TestClock(start);
    jest.spyOn(Logger.prototype, 'warn').mockReturnValue();
  });
  afterEach(() => void jest.restoreAllMocks());

  const databaseTime = () => start + clock.databaseAhead;
  /** @param answerAfter how long the database takes to answer, milliseconds */
  function timesOf(toleranceSeconds: number, answerAfter = 0, isEarly = true) {
    return new TokenTimes(clock, toleranceSeconds, () => {
      const early = databaseTime();
      clock.advance(answerAfter);
      return Promise.resolve(isEarly ? early : databaseTime());
    });
  }
  const now = () => Math.floor(databaseTime() / 1000);

  it.each([
    ['at the start', true],
    ['at the end', false],
  ])('S18: a slow answer refuses no fresh token, if the database reads its clock %s', async (_when, isEarly) => {
    clock.ahead = -60_000;
    const times = timesOf(0, 4_000, isEarly);
    const iat = now();
    expect(await times.findFault({ iat: iat + 4 }, MAX_AGE)).toBeUndefined();
    clock.databaseAhead = 0;
    clock.ahead = 3_600_000;
    expect(await timesOf(0, 4_000, isEarly).findFault({ iat: iat + 4 - MAX_AGE }, MAX_AGE)).toBeUndefined();
  });

  it('S18: a fault needs both clocks, and is the one by the database', async () => {
    clock.ahead = -3_600_000;
    const times = timesOf(30);
    expect(await times.findFault({ iat: now() - 630 }, MAX_AGE)).toBeUndefined();
    expect(await times.findFault({ iat: now() - 631 }, MAX_AGE)).toBe('too_old');
    expect(await times.findFault({ iat: now() + 30 }, MAX_AGE)).toBeUndefined();
    expect(await times.findFault({ iat: now() + 31 }, MAX_AGE)).toBe('issued_in_future');
    expect(await times.findFault({ iat: now(), exp: now() - 29 }, MAX_AGE)).toBeUndefined();
    // long past by the host's clock, too
    expect(await times.findFault({ iat: now(), exp: now() - 3_700 }, MAX_AGE)).toBe('expired');
    // right by the host's clock
    expect(await times.findFault({ iat: now() - 3_600 }, MAX_AGE)).toBeUndefined();
  });

  it('S18: a failed reading is not kept', async () => {
    const failure = new StoreUnavailableError(new Error('gone'));
    let failing = true;
    const times = new TokenTimes(clock, 30, () =>
      failing ? Promise.reject(failure) : Promise.resolve(databaseTime()),
    );
    const old = { iat: now() - 3_600 };
    await expect(times.findFault(old, MAX_AGE)).rejects.toBe(failure);
    failing = false;
    expect(await times.findFault(old, MAX_AGE)).toBe('too_old');
  });

  it('S18: a reading is used for two seconds on both clocks of this host', async () => {
    let readings = 0;
    const times = new TokenTimes(clock, 30, () => {
      readings += 1;
      return Promise.resolve(databaseTime());
    });
    const read = async () => {
      await times.findFault({ iat: now() - 7_200 }, MAX_AGE);
      return readings;
    };
    expect(await read()).toBe(1);
    clock.advance(1_999);
    expect(await read()).toBe(1);
    clock.advance(1);
    expect(await read()).toBe(2);
    clock.ahead += 2_000;
    expect(await read()).toBe(3);
    clock.monotonicAhead += 2_000;
    expect(await read()).toBe(4);
  });

  it('S18: a token that has waited is judged at its receipt', async () => {
    const receivedAt = clock.moment();
    const iat = now();
    const times = timesOf(30);
    clock.advance(300_000);
    // in the future at its receipt, and no longer now
    expect(await times.findFault({ iat: iat + 31 }, MAX_AGE, receivedAt)).toBe('issued_in_future');
    clock.advance(400_000);
    expect(await times.findFault({ iat }, MAX_AGE, receivedAt)).toBeUndefined();
  });

  it('S18: exp is the first second at which a token is refused, after the tolerance', async () => {
    const times = timesOf(30);
    expect(await times.findFault({ iat: now(), exp: now() - 29 }, MAX_AGE)).toBeUndefined();
    expect(await times.findFault({ iat: now(), exp: now() - 30 }, MAX_AGE)).toBe('expired');
  });

  it('P13: the latest time of issue counts the tolerance and the rest of the second', () => {
    expect(timesOf(30).latestIssueMs(1_000)).toBe(1_031_000);
    expect(timesOf(0).latestIssueMs(1_000.9)).toBe(1_001_000);
  });

  it('S18: a token that is right by the database alone: warns of the wrong clock, at most once a minute', async () => {
    const warned = jest.spyOn(Logger.prototype, 'warn');
    clock.monotonicAhead = 120_000;
    const times = timesOf(30);
    const warnings = () => warned.mock.calls.map(([line]) => String(line));
    const warning = (seconds: number) =>
      "A token is valid by the database's clock only: this host's clock differs from it by " +
      `${seconds} s. Set the wrong clock right.`;
    expect(await times.findFault({ iat: now() - 3_600 }, MAX_AGE)).toBe('too_old');
    expect(warnings()).toEqual([]);

    clock.ahead = -3_600_000;
    expect(await times.findFault({ iat: now() }, MAX_AGE)).toBeUndefined();
    expect(warnings()).toEqual([warning(3_600)]);
    clock.advance(59_999);
    expect(await times.findFault({ iat: now() }, MAX_AGE)).toBeUndefined();
    expect(warnings()).toEqual([warning(3_600)]);
    clock.ahead += 5_400_000;
    clock.advance(1);
    expect(await times.findFault({ iat: now() }, MAX_AGE)).toBeUndefined();
    expect(warnings()).toEqual([warning(3_600), warning(1_800)]);
  });
});
