import { describe, expect, it } from '@jest/globals';
import { frontchannelUrl, postLogoutUrl } from './logout-urls.js';

describe('frontchannelUrl', () => {
  it.each([
    ['https://rp.test/fc', 'https://rp.test/fc?iss=https%3A%2F%2Foneid.test%2F&sid=s'],
    ['https://rp.test/fc?z=1&a=2', 'https://rp.test/fc?a=2&iss=https%3A%2F%2Foneid.test%2F&sid=s&z=1'],
    ['https://rp.test/fc?sid=mine&iss=mine', 'https://rp.test/fc?iss=https%3A%2F%2Foneid.test%2F&sid=s'],
  ])('of %s is %s', (uri, expected) => {
    expect(frontchannelUrl(uri, { iss: 'https://oneid.test/', sid: 's' })).toBe(expected);
  });
});

describe('postLogoutUrl', () => {
  it.each([
    ['https://rp.test/bye?z=1&a=2', undefined, 'https://rp.test/bye?a=2&z=1'],
    ['https://rp.test/bye', undefined, 'https://rp.test/bye'],
    ['https://rp.test/bye?z=1&state=inside', 'a b&c', 'https://rp.test/bye?state=a+b%26c&z=1'],
    ['https://rp.test/bye?z=1&state=inside', '', 'https://rp.test/bye?state=&z=1'],
  ])('of %s and the state %j is %s', (uri, state, expected) => {
    expect(postLogoutUrl(uri, state)).toBe(expected);
  });
});
