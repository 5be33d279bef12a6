import { type Html, html } from './html.js';
import { type Language, LANGUAGES } from './language.js';

const CURRENT = html` aria-current="true"`;

/** Links to the same page in every language. @param url the page's address */
export function languageSwitch(current: Language, url: URL): Html {
  const links = Object.entries(LANGUAGES).map(([language, name]) => {
    const there = new URL(url);
    there.searchParams.set('lang', language);
    return html`<a
      lang="${language}"
      hreflang="${language}"
      href="${there.href}"
      ${language === current ? CURRENT : undefined}
      >${name}</a
    >`;
  });
  return html`<nav aria-label="Language, ngôn ngữ">${links}</nav>`;
}
