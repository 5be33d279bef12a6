import { describe, expect, it } from '@jest/globals';
import { type AnswerAge, answerAge, isNewerThan } from './freshness.js';

const DATE = 'Thu, 01 Jan 2026 00:00:10 GMT';
const DATE_MS = Date.UTC(2026, 0, 1, 0, 0, 10);

describe('answerAge', () => {
  it.each([
    [undefined, 0],
    ['', 0],
    ['0', 0],
    ['7', 7_000],
    ['70', 70_000],
    [' 7\t', 7_000],
    ['7, 9', 7_000],
    ['7 9', 0],
    ['7x', 0],
    ['7 x', 0],
    ['x7', 0],
    ['-7', 0],
    ['7.5', 0],
    ['seven', 0],
    [', 7', 0],
  ])('P13: Age "%s" is %d ms', (age, ageMs) => {
    expect(answerAge(new Response(null, { headers: age === undefined ? {} : { age } })).ageMs).toBe(ageMs);
  });

  it.each([
    [undefined, Infinity],
    ['yesterday', Infinity],
    // the end of the second that Date names
    [DATE, DATE_MS + 999],
  ])('P13: Date "%s" is %d ms', (date, dateMs) => {
    expect(answerAge(new Response(null, { headers: date === undefined ? {} : { date } })).dateMs).toBe(dateMs);
  });
});

describe('isNewerThan', () => {
  const ISSUED = 1_000_000;
  const older = { wall: ISSUED - 1, monotonic: 500 };
  const newer = { wall: ISSUED, monotonic: 500 };
  const fresh: AnswerAge = { ageMs: 0, dateMs: Infinity };

  it('P13: the fetch began in this call: newer, unless a cache has kept the answer', () => {
    const token = { issuedAtMs: ISSUED };
    expect(isNewerThan({ attempt: 2, startedAt: older, content: fresh }, token, 1)).toBe(true);
    expect(isNewerThan({ attempt: 1, startedAt: older, content: fresh }, token, 1)).toBe(false);
    expect(isNewerThan({ attempt: 2, startedAt: older, content: { ...fresh, ageMs: 1_000 } }, token, 1)).toBe(false);
  });

  it.each([
    ['after the receipt', 0, 499, true],
    ['at the receipt', 0, 500, false],
    // an Age of one second is up to two seconds
    ['two seconds after the receipt, from a cache of one second', 1_000, -1_501, true],
    ['a little sooner, from a cache of one second', 1_000, -1_500, false],
  ])('P13: the fetch began %s', (_when, ageMs, receivedAt, expected) => {
    const fetched = { attempt: 1, startedAt: older, content: { ageMs, dateMs: Infinity } };
    const token = { issuedAtMs: ISSUED + 10_000, receivedAt: { wall: 0, monotonic: receivedAt } };
    expect(isNewerThan(fetched, token, 1)).toBe(expected);
  });

  it.each([
    ['both clocks say newer', 0, ISSUED, true],
    ["this machine's clock says older", 1, ISSUED, false],
    ["the answer's Date says older", 0, ISSUED - 1, false],
  ])('P13: by the times of the token: %s', (_what, ageMs, dateMs, expected) => {
    expect(isNewerThan({ attempt: 1, startedAt: newer, content: { ageMs, dateMs } }, { issuedAtMs: ISSUED }, 1)).toBe(
      expected,
    );
  });
});
