import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { foreignUrls, hostileUrls } from '../../../../test/support/hostile-urls.js';
import { isReturnUrl } from './return-url.js';

describe('isReturnUrl', () => {
  it.each([
    '/',
    '/goodbye',
    '/goodbye?from=oneid&x=%2F',
    '/goodbye#top',
    '/a//b',
    'https://app.example',
    'https://app.example/',
    'https://app.example:8443/goodbye?x=1#y',
    'http://localhost:3000/',
    'https://[::1]:8443/',
    'https://xn--bcher-kva.example/',
  ])('accepts %j', (url) => {
    expect(isReturnUrl(url)).toBe(true);
  });

  it('RPI-5: refuses every hostile spelling', () => {
    expect(hostileUrls.length).toBeGreaterThan(700);
    expect(hostileUrls.filter(isReturnUrl)).toEqual([]);
  });

  it('accepts a valid URL of another site, because the allow-list decides', () => {
    expect(foreignUrls.filter((url) => !isReturnUrl(url))).toEqual([]);
  });

  it.each([undefined, null, 0, true, {}, [], ['/goodbye'], new URL('https://app.example/'), Symbol('/')])(
    'refuses a value that is not a string: %p',
    (value) => {
      expect(isReturnUrl(value)).toBe(false);
    },
  );

  it('refuses every text that a browser would change', () => {
    const special = Array.from('/\\.:@?#%&=;,[]<>"\' \t\n\r\0');
    const pieces = fc.constantFrom(...special, 'https', 'http', 'evil.example', '%2f', '%2e', 'é', 'a');
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: 'binary' }),
          fc.array(pieces).map((parts) => parts.join('')),
        ),
        (tail) => {
          for (const value of [tail, `/${tail}`, `https://${tail}`]) {
            if (!isReturnUrl(value)) continue;
            const read = new URL(value, 'https://app.example');
            expect(value.startsWith('/') ? read.origin + value : [value, `${value}/`]).toEqual(
              value.startsWith('/') ? read.href : expect.arrayContaining([read.href]),
            );
            if (value.startsWith('/')) expect(read.origin).toBe('https://app.example');
            expect(read.username + read.password).toBe('');
          }
        },
      ),
      { numRuns: 5_000 },
    );
  });
});
