import assert from 'node:assert/strict';
import fc from 'fast-check';
import { languageOf } from '../../../libs/oneid-logout/src/logout/logout-texts.js';
import { firstLine, type FuzzTarget } from '../fuzz-target.js';

const tag = fc.constantFrom('vi', 'en', 'vi-VN', 'en-GB', 'VI', '*', 'fr', 'toString', '__proto__', '');
const weight = fc.constantFrom('', ';q=1', ';q=0', ';q=0.5', '; Q=0.501', ';q=0.5000', ';q=2', ';q=', ';x=1;q=0.1');
const range = fc.oneof(
  fc.tuple(tag, weight).map(([language, q]) => language + q),
  fc.string({ maxLength: 8 }),
);

/** A range of RFC 9110 §12.5.4, and its weight. */
const RANGE = /^[ \t]*(\*|[a-z]{1,8}(?:-[a-z0-9]{1,8})*)(?:[ \t]*;[ \t]*q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?))?[ \t]*$/i;

/** The language by the grammar of RFC 9110, or undefined if the header does not have this grammar. */
function reference(header: string): string | undefined {
  const best = { vi: 0, en: 0 };
  for (const text of header.split(',')) {
    const [, language = '', q = '1'] = RANGE.exec(text) ?? [];
    if (language === '') return undefined;
    const primary = language === '*' ? 'en' : language.toLowerCase().split('-')[0];
    if (primary === 'vi' || primary === 'en') best[primary] = Math.max(best[primary], Number(q));
  }
  return best.vi > best.en ? 'vi' : 'en';
}

/** `ui_locales` in the first line, then the header `Accept-Language`. Reference: the grammar of RFC 9110. */
export const acceptLanguageTarget: FuzzTarget = {
  name: 'accept-language',
  inputs: fc
    .tuple(fc.array(tag, { maxLength: 3 }), fc.array(range, { maxLength: 5 }))
    .map(([locales, ranges]) => `${locales.join(' ')}\n${ranges.join(',')}`),
  check(input) {
    const [uiLocales, header] = firstLine(input);
    const found = languageOf(undefined, header);
    assert.ok(['vi', 'en'].includes(found));
    assert.equal(found, reference(header) ?? found);
    assert.equal(languageOf('', header), found);
    // neither the order of the ranges nor a range of another language matters
    assert.equal(languageOf(undefined, header.split(',').reverse().join(',')), found);
    assert.equal(languageOf(undefined, `de;q=0.9,${header}`), found);
    const asked = uiLocales.split(' ').map((locale) => locale.trim().replace(/-.*/s, '').toLowerCase());
    assert.equal(languageOf(uiLocales, header), asked.find((locale) => locale === 'vi' || locale === 'en') ?? found);
  },
};
