import { describe, expect, test } from '@jest/globals';
import { html } from './html.js';
import { firstLanguage } from './language.js';

describe('html', () => {
  test.each([
    [
      'text',
      html`<p>${`<b>"Tom" & 'Jerry'</b>`}</p>`,
      '<p>&lt;b&gt;&quot;Tom&quot; &amp; &#39;Jerry&#39;&lt;/b&gt;</p>',
    ],
    ['an attribute', html`<a title="${'" onclick="evil()'}"></a>`, '<a title="&quot; onclick=&quot;evil()"></a>'],
    ['HTML', html`<p>${html`<b>${'&'}</b>`}</p>`, '<p><b>&amp;</b></p>'],
    ['a list', html`<p>${['<', html`<b></b>`, 7].map((part) => html`${part}`)}</p>`, '<p>&lt;<b></b>7</p>'],
    ['nothing', html`<p>${undefined}</p>`, '<p></p>'],
  ])('accepts %s', (_name, page, expected) => {
    expect(page.toString()).toBe(expected);
  });
});

describe('firstLanguage', () => {
  test.each([
    [['vi-VN', 'en'], 'vi'],
    [['fr', undefined, 'EN-gb'], 'en'],
    [['fr', ''], undefined],
    [[], undefined],
  ])('of %j is %s', (tags, expected) => {
    expect(firstLanguage(tags)).toBe(expected);
  });
});
