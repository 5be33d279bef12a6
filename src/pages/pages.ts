import { Injectable } from '@nestjs/common';
import { type Request } from 'express';
import { html, type Part } from '../html/html.js';
import { type Language } from '../html/language.js';
import { languageSwitch } from '../html/language-switch.js';
import { OneId } from '../oneid/oneid.js';
import { type OneIdRegistration, Settings } from '../settings.js';
import { languageOf } from './language.js';
import { requestUrl } from './request-url.js';
import { type PageTexts, pageTexts } from './texts.js';

/** Makes pages in the language of the request, with links to the same page in the other languages. */
@Injectable()
export class Pages {
  constructor(
    private readonly settings: Settings,
    private readonly oneId: OneId,
  ) {}

  /** @param path where the language links lead; absent: to the page that the request asks for */
  for(request: Request, path?: string): PageWriter {
    return new PageWriter(this.settings, this.oneId.registration, request, path);
  }
}

export class PageWriter {
  readonly language: Language;
  readonly texts: PageTexts;

  constructor(
    private readonly settings: Settings,
    private readonly registration: OneIdRegistration,
    private readonly request: Request,
    private readonly path?: string,
  ) {
    this.language = languageOf(request);
    this.texts = pageTexts[this.language];
  }

  page(title: string, body: Part): string {
    const { language, texts, settings, registration } = this;
    const { name, accent } = settings.identity;
    const { issuer, accountUri } = registration;
    const page = html`<!doctype html>
      <html lang="${language}" data-accent="${accent}">
        <head>
          <meta charset="utf-8" />
          <meta name="viewport" content="width=device-width, initial-scale=1" />
          <meta name="color-scheme" content="light dark" />
          <link rel="icon" href="data:," />
          <link rel="stylesheet" href="/assets/app.css" />
          <script src="/assets/app.js" type="module"></script>
          <title>${title} – ${name}</title>
        </head>
        <body>
          <header>
            <a class="brand" href="/">${name}</a>
            ${languageSwitch(language, this.address)}
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

  /** A page with a title, a text and one link. */
  notice(title: string, text: string, link: { href: string; text: string }): string {
    return this.page(
      title,
      html`<section class="card">
        <h1>${title}</h1>
        <p>${text}</p>
        <p class="actions"><a class="button" href="${link.href}">${link.text}</a></p>
      </section>`,
    );
  }

  /** Target of the language links. After a POST, this is the first page, because a link can't repeat a POST. */
  private get address(): URL {
    const { request, path, settings } = this;
    if (path !== undefined || request.method !== 'GET') return new URL(path ?? '/', settings.baseUrl);
    return requestUrl(request, settings.baseUrl);
  }
}
