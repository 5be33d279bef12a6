import { describe, expect, it } from '@jest/globals';
import { isIdentifier, isStorableIdentifier } from './identifier.js';

describe('an identifier', () => {
  it.each(['a', ' ', '😀', 'x'.repeat(255)])('can be named and stored: %j', (value) => {
    expect([isIdentifier(value), isStorableIdentifier(value)]).toEqual([true, true]);
  });

  it.each(['a\0b', '\ud800', '\udc00\ud800'])('can be named by a logout, but not stored: %j', (value) => {
    expect([isIdentifier(value), isStorableIdentifier(value)]).toEqual([true, false]);
  });

  it.each(['', 'x'.repeat(256), 7, null, undefined, ['a'], { a: 1 }])('is not %j', (value) => {
    expect([isIdentifier(value), isStorableIdentifier(value)]).toEqual([false, false]);
  });
});
