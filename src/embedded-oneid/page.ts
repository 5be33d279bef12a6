import type Koa from 'koa';
import { type Html, html, type Part } from '../html/html.js';
import { firstLanguage, type Language } from '../html/language.js';
import { languageSwitch } from '../html/language-switch.js';
import { STYLE } from './style.js';
import { type OneIdTexts, oneIdTexts } from './texts.js';

const COOKIE = 'oneid_language';

/** The visitor who sees a page. */
export interface Visitor {
  readonly language: Language;
  readonly texts: OneIdTexts;
  /** The page's address, for the language links. Absent after a POST, because a link can't repeat a POST. */
  readonly url?: URL;
}

/**
 * Finds the visitor's language. The order is: the link just clicked (`?lang=`), the app's wish (`ui_locales`, OpenID
 * Connect Core 1.0 §3.1.2.1), the choice on an earlier page (cookie), the browser's preference, English.
 *
 * @param uiLocales language tags, separated by spaces
 */
export function visitorOf(ctx: Koa.Context, uiLocales?: unknown): Visitor {
  const chosen = firstLanguage([
    ctx.URL.searchParams.get('lang') ?? undefined,
    ...(typeof uiLocales === 'string' ? uiLocales.split(' ') : []),
  ]);
  // remember the choice for the next pages
  if (chosen !== undefined) ctx.cookies.set(COOKIE, chosen, { signed: false, sameSite: 'lax' });
  const language =
    chosen ??
    firstLanguage([ctx.cookies.get(COOKIE, { signed: false })]) ??
    firstLanguage([ctx.acceptsLanguages('en', 'vi') || undefined]) ??
    'en';
  return { language, texts: oneIdTexts[language], ...(ctx.method === 'GET' && { url: ctx.URL }) };
}

/** Answers with a page that caches must not store. */
export function answer(ctx: Koa.Context, page: Html): void {
  ctx.set('cache-control', 'no-store');
  // another page can't frame this one, so it can't trick the user into a click here
  ctx.set('content-security-policy', "frame-ancestors 'none'");
  ctx.type = 'html';
  ctx.body = page.toString();
}

/** @param head more elements for the `<head>` of this page */
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
