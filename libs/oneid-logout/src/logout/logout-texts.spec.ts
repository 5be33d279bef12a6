import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { languageOf, logoutTexts } from './logout-texts.js';

describe('languageOf', () => {
  it.each([
    [undefined, 'en'],
    ['', 'en'],
    ['en', 'en'],
    ['vi', 'vi'],
    ['VI', 'vi'],
    ['vi-VN', 'vi'],
    ['vi-Latn-VN', 'vi'],
    // as browsers send it
    ['vi-VN,vi;q=0.9,fr-FR;q=0.8,fr;q=0.7,en-US;q=0.6,en;q=0.5', 'vi'],
    ['en-US,en;q=0.9,vi;q=0.8', 'en'],
    ['vi,en-US;q=0.9,en;q=0.8', 'vi'],
    // in any order
    ['en;q=0.8, vi', 'vi'],
    ['en;q=0.8 , vi ; q=0.9', 'vi'],
    ['en ;Q=0.999,vi;q=1.000', 'vi'],
    ['en;q=0.001,vi;q=0.002', 'vi'],
    // no preference
    ['vi, en', 'en'],
    ['en, vi', 'en'],
    ['vi;q=0.5, en-GB;q=0.5', 'en'],
    // the best of the ranges of a language counts
    ['vi-VN;q=0.1, en;q=0.5, vi;q=0.9', 'vi'],
    ['vi-VN;q=0.9, en-AU;q=0.1, en;q=1', 'en'],
    // refused languages, and any language
    ['vi;q=0', 'en'],
    ['vi;q=0, en;q=0', 'en'],
    ['*', 'en'],
    ['vi;q=0.5, *;q=0.8', 'en'],
    ['vi, *;q=0.5', 'vi'],
    ['en;q=0.5, *', 'en'],
    // other languages, and texts that look like ours
    ['fr, de;q=0.9', 'en'],
    ['fr, vi;q=0.1', 'vi'],
    ['vie', 'en'],
    ['v', 'en'],
    ['x-vi', 'en'],
    ['vi_VN', 'en'],
    // invalid texts
    ['vi;q=2', 'en'],
    ['vi;q=-1', 'en'],
    ['vi;q=0.1234', 'en'],
    ['vi;q=', 'en'],
    ['vi;q=high', 'en'],
    ['vi;level=1', 'en'],
    ['vi;q=1;q=1', 'en'],
    ['vi;q=0.;5', 'en'],
    ['en;q=high, vi;q=0.5', 'vi'],
    ['vi;', 'en'],
    ['constructor, __proto__', 'en'],
    [',;,=,;q=1,,', 'en'],
  ])('a browser that accepts %j gets %s', (acceptLanguage, expected) => {
    expect(languageOf(undefined, acceptLanguage)).toBe(expected);
    expect(languageOf('', acceptLanguage)).toBe(expected);
    expect(languageOf('fr-CA fr ja', acceptLanguage)).toBe(expected);
  });

  it.each([
    ['vi en', 'vi'],
    ['en vi', 'en'],
    ['vi', 'vi'],
    ['en-GB', 'en'],
    ['fr-CA fr vi-VN en', 'vi'],
    ['VI-vn', 'vi'],
    [' vi', 'vi'],
  ])('with ui_locales %j, the language is %s for every browser', (uiLocales, expected) => {
    for (const acceptLanguage of [undefined, 'en', 'vi', 'vi;q=0.5, en;q=0.4', 'fr']) {
      expect(languageOf(uiLocales, acceptLanguage)).toBe(expected);
    }
  });

  it('reads a repeated header as one', () => {
    expect(languageOf(undefined, ['en;q=0.5', 'vi'])).toBe('vi');
  });

  it('returns one of the two languages for any header', () => {
    const pieces = fc.constantFrom(
      'vi',
      'en',
      '*',
      ';',
      ',',
      'q=',
      '0.5',
      '1',
      ' ',
      '-',
      '\t',
      'VN',
      '=',
      '.',
      '\0',
      'é',
    );
    fc.assert(
      fc.property(fc.array(pieces), fc.array(pieces), (locales, header) => {
        expect(Object.keys(logoutTexts)).toContain(languageOf(locales.join(''), header.join('')));
      }),
    );
  });

  it('reads a very long header fast', () => {
    for (const header of [
      'vi;q=0.'.repeat(20_000),
      ','.repeat(160_000),
      `vi;q=${' '.repeat(160_000)}x`,
      '-'.repeat(160_000),
    ]) {
      const started = performance.now();
      expect(languageOf(header, header)).toMatch(/^(en|vi)$/);
      expect(performance.now() - started).toBeLessThan(2_000);
    }
  });
});
