import { describe, expect, it } from '@jest/globals';
import { RecentKeys } from './recent-keys.js';

describe('RecentKeys', () => {
  it('forgets the oldest key at one key more than its limit; a known key keeps its age', () => {
    const recent = new RecentKeys(2);
    for (const key of ['a', 'b', 'a']) recent.add(key);
    expect(['a', 'b'].map((key) => recent.has(key))).toEqual([true, true]);
    recent.add('c');
    expect(['a', 'b', 'c'].map((key) => recent.has(key))).toEqual([false, true, true]);
  });
});
