import { describe, expect, it } from '@jest/globals';
import { storedLabel } from './session-label.js';

describe('storedLabel', () => {
  it.each([
    ['Firefox on Linux', 'Firefox on Linux'],
    [' a  b\n', ' a  b\n'],
    ['a\0b\0', 'ab'],
    ['x'.repeat(255), 'x'.repeat(255)],
    [`${'x'.repeat(255)}y`, 'x'.repeat(255)],
    // characters that are not stored do not count
    [`\0\0${'x'.repeat(255)}`, 'x'.repeat(255)],
    // cut between characters, and never inside one
    ['😀'.repeat(255), '😀'.repeat(255)],
    ['😀'.repeat(256), '😀'.repeat(255)],
    [`${'x'.repeat(254)}😀y`, `${'x'.repeat(254)}😀`],
  ])('of %j is %j', (label, stored) => {
    expect(storedLabel(label)).toBe(stored);
  });

  it.each([[undefined], [''], ['\0\0'], [null as never], [7 as never], [['a'] as never], [{ length: 1 } as never]])(
    'is undefined for %j',
    (label) => {
      expect(storedLabel(label)).toBeUndefined();
    },
  );
});
