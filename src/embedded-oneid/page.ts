import type Koa from 'koa';
import { type Html, html, type Part } from '../html/html.js';
import { firstLanguage, type Language } from '../html/language.js';
import { languageSwitch } from '../html/language-switch.js';
import { STYLE } from './style.js';
import { type OneIdTexts, oneIdTexts } from './texts.js';

const COOKIE = 'oneid_language';

/** Who is shown a page, and where. */
export interface Visitor {
  readonly language: Language;
  readonly texts: OneIdTexts;
  /** The page's address, for the links to its other languages; absent where it can't be asked for again. */
  readonly url?: URL;
}

/**
 * The visitor's language: what was just chosen, what the app says (`ui_locales`, OpenID Connect Core 1.0 §3.1.2.1), what
 * was chosen earlier, what the browser says.
 *
 * @param uiLocales separated by spaces
 */
export function visitorOf(ctx: Koa.Context, uiLocales?: unknown): Visitor {
  const chosen = firstLanguage([
    ctx.URL.searchParams.get('lang') ?? undefined,
    ...(typeof uiLocales === 'string' ? uiLocales.split(' ') : []),
  ]);
  // for the pages after this one, too
  if (chosen !== undefined) ctx.cookies.set(COOKIE, chosen, { signed: false, sameSite: 'lax' });
  const language =
    chosen ??
    firstLanguage([ctx.cookies.get(COOKIE, { signed: false })]) ??
    firstLanguage([ctx.acceptsLanguages('en', 'vi') || undefined]) ??
    'en';
  return { language, texts: oneIdTexts[language], ...(ctx.method === 'GET' && { url: ctx.URL }) };
}

/** Answers with a page, which no cache keeps. */
export function answer(ctx: Koa.Context, page: Html): void {
  ctx.set('cache-control', 'no-store');
  // nobody else's page can have it clicked
  ctx.set('content-security-policy', "frame-ancestors 'none'");
  ctx.type = 'html';
  ctx.body = page.toString();
}

/** @param head what the page needs beside the style of all of them */
export function page({ language, texts, url }: Visitor, title: string, body: Part, head?: Html): Html {
  return html`<!doctype html>
    <html lang="${language}">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <link rel="icon" href="data:," />
        <title>${title} – OneID</title>
        <style>
          ${STYLE}
        </style>
        ${head}
      </head>
      <body>
        <header>
          <a class="brand" href="/">One<b>ID</b></a>
          ${url && languageSwitch(language, url)}
        </header>
        <main>
          <h1>${title}</h1>
          ${body}
        </main>
        <footer>${texts.demo}</footer>
      </body>
    </html> `;
}
