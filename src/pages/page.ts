import { Injectable } from '@nestjs/common';
import { type Html, html, type Part } from '../html/html.js';
import { type Language, LANGUAGES } from '../html/language.js';
import { OneId } from '../oneid/oneid.js';
import { Settings } from '../settings.js';
import { type PageTexts, pageTexts } from './texts.js';

export interface PageContent {
  readonly language: Language;
  readonly title: string;
  readonly body: Part;
}

/** What all pages of the app have in common. */
@Injectable()
export class Pages {
  constructor(
    private readonly settings: Settings,
    private readonly oneId: OneId,
  ) {}

  render({ language, title, body }: PageContent): string {
    const { identity } = this.settings;
    const { issuer, accountUri } = this.oneId.registration;
    const texts = pageTexts[language];
    const page = html`<!doctype html>
      <html lang="${language}" data-accent="${identity.accent}">
        <head>
          <meta charset="utf-8" />
          <meta name="viewport" content="width=device-width, initial-scale=1" />
          <meta name="color-scheme" content="light dark" />
          <link rel="icon" href="data:," />
          <link rel="stylesheet" href="/assets/app.css" />
          <script src="/assets/app.js" type="module"></script>
          <title>${title} – ${identity.name}</title>
        </head>
        <body>
          <header>
            <a class="brand" href="/">${identity.name}</a>
            <nav aria-label="Language, ngôn ngữ">${languageLinks(language)}</nav>
          </header>
          <main>${body}</main>
          <footer>
            <p>
              ${texts.signsInWith}
              ${accountUri === undefined ? issuer : html`<a href="${accountUri}">${accountUri}</a>`}
            </p>
          </footer>
        </body>
      </html> `;
    return page.toString();
  }

  /** A page with a few words, and a way on. */
  notice(language: Language, title: string, text: string, link: { href: string; text: string }): string {
    const body = html`<section class="card">
      <h1>${title}</h1>
      <p>${text}</p>
      <p class="actions"><a class="button" href="${link.href}">${link.text}</a></p>
    </section>`;
    return this.render({ language, title, body });
  }

  texts(language: Language): PageTexts {
    return pageTexts[language];
  }
}

function languageLinks(current: Language): Html[] {
  return Object.entries(LANGUAGES).map(
    ([language, name]) =>
      html`<a
        lang="${language}"
        hreflang="${language}"
        href="?lang=${language}"
        ${language === current ? CURRENT : undefined}
        >${name}</a
      >`,
  );
}

const CURRENT = html` aria-current="true"`;
