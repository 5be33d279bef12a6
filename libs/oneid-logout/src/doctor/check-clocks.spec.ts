import { describe, expect, it } from '@jest/globals';
import { checkDatabaseClock, checkProviderClock, secondsAhead } from './check-clocks.js';

const NOW = Date.parse('2026-01-02T03:04:05.000Z');
const settings = { clockToleranceSeconds: 30 };

/** @param ahead seconds */
const providerAt = (ahead: number, headers: Record<string, string> = {}) =>
  checkProviderClock(settings, {
    ...{ url: 'https://oneid.example/', status: 200, body: '', askedAt: NOW, answeredAt: NOW },
    headers: new Headers({ date: new Date(NOW + ahead * 1000).toUTCString(), ...headers }),
  });
const databaseAt = (ahead: number) => {
  const time = NOW + ahead * 1000;
  return checkDatabaseClock(settings, { from: time, until: time, askedAt: NOW, answeredAt: NOW });
};
const FIX = 'Set the wrong clock right, for example by NTP. Run the doctor on the machine of the app.';

describe('clocks', () => {
  it('a difference counts only beyond the time between question and answer, and the second that Date names', () => {
    const reading = { from: NOW, until: NOW + 999 };
    expect(secondsAhead({ ...reading, askedAt: NOW + 500, answeredAt: NOW + 600 })).toBe(0);
    expect(secondsAhead({ ...reading, askedAt: NOW - 10_000, answeredAt: NOW - 1 })).toBe(1);
    expect(secondsAhead({ ...reading, askedAt: NOW + 3_000, answeredAt: NOW + 9_000 })).toBe(-3);
  });

  it.each([0, 30, -30])('the provider is %i s ahead: within the tolerance', (ahead) => {
    expect(providerAt(ahead).status).toBe('ok');
  });

  it.each([
    [31, "the provider's clock is 31 s ahead of this machine's"],
    [-32, "the provider's clock is 32 s behind this machine's"],
  ])('the provider is %i s ahead: a fault', (ahead, found) => {
    expect(providerAt(ahead)).toEqual({
      ...{ name: "provider's clock", status: 'fault', found },
      expected: 'a difference of at most 30 s (clockToleranceSeconds)',
      advice: `The library refuses the tokens of sign-ins and logouts if the database's clock is wrong, too. ${FIX}`,
    });
  });

  it('an answer from a cache, or without Date, says nothing', () => {
    expect(providerAt(500, { age: '500' }).found).toBe('not checked: a cache has kept the answer of discovery');
    expect(providerAt(500, { date: '' }).found).toBe('not checked: the answer of discovery has no Date');
  });

  it("the database's clock: up to the tolerance it is well, up to a minute a warning, beyond it a fault", () => {
    expect([30, -30, 31, -60, 61, -61].map((ahead) => databaseAt(ahead).status)).toEqual([
      ...['ok', 'ok', 'warning', 'warning', 'fault', 'fault'],
    ]);
    expect(databaseAt(61)).toEqual({
      ...{ name: "database's clock", status: 'fault', found: "the database's clock is 61 s ahead of this machine's" },
      expected: 'a difference of at most 60 s',
      advice: `The library deletes no old rows meanwhile, so the tables grow. ${FIX}`,
    });
  });
});
