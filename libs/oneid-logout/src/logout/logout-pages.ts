import { createHash } from 'node:crypto';
import { type HttpAnswer } from '../http/http-answer.js';
import { type EndSessionRequest } from './end-session-request.js';
import { type Language, type LogoutTexts, logoutTexts } from './logout-texts.js';

const STYLE = `
:root { color-scheme: light dark; font: 1.125rem/1.5 system-ui, sans-serif }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; background: Canvas; color: CanvasText }
main { padding: 1.5rem; text-align: center }
h1 { margin: 0; font-size: 1.5rem }
a, button { display: inline-block; padding: 0.6em 1.5em; font: inherit }
`;

/** The source of the Content Security Policy (CSP Level 3 §2.3.1) for an inline element with this content. */
const sourceOf = (content: string) => `'sha256-${createHash('sha256').update(content).digest('base64')}'`;

/** CSP source that allows the style of these pages and no other style; exported for tests. */
export const STYLE_SOURCE = sourceOf(STYLE);

/** Sends the form. `forms[0].submit()` would not work: a form field named `submit` would hide that method. */
const SCRIPT = 'HTMLFormElement.prototype.submit.call(document.forms[0])';

/** CSP source that allows this script and no other script; exported for tests. */
export const SCRIPT_SOURCE = sourceOf(SCRIPT);

/**
 * The page that takes the browser to OneID. The browser would block a redirect after a form: `form-action` of the
 * form's page applies to redirects too, and helmet sets it to `'self'`.
 */
export function continuePage(request: EndSessionRequest, language: Language): HttpAnswer {
  return request.method === 'GET' ? refreshPage(request, language) : formPage(request, language);
}

function refreshPage({ url }: EndSessionRequest, language: Language): HttpAnswer {
  const { title, text, action } = logoutTexts[language].loggingOut;
  const target = escapeHtml(url);
  return page(
    200,
    { language, title, policy: "form-action 'none'", head: `<meta http-equiv="refresh" content="0; url=${target}">` },
    `<p>${text}</p>
<p><a href="${target}">${action}</a></p>`,
  );
}

/** For a request that is too long for a URL, usually because of its ID token hint. */
function formPage({ action: endpoint, fields }: EndSessionRequest, language: Language): HttpAnswer {
  const { title, text, action } = logoutTexts[language].loggingOut;
  const inputs = Object.entries(fields).map(
    ([name, value]) => `<input type="hidden" name="${escapeHtml(name)}" value="${escapeHtml(value)}">`,
  );
  return page(
    200,
    // no form-action: the browser would also apply it to OneID's redirects after this form
    { language, title, policy: `script-src ${SCRIPT_SOURCE}` },
    `<form method="post" action="${escapeHtml(endpoint)}">
${inputs.join('\n')}
<p>${text}</p>
<p><button>${action}</button></p>
</form>
<script>${SCRIPT}</script>`,
  );
}

/**
 * Confirmation page for a logout that the user may not have asked for.
 *
 * @param target URL to which the form is posted
 * @param wayBack URL of the cancel link
 */
export function confirmPage(target: string, wayBack: string, language: Language): HttpAnswer {
  const { title, text, action, cancel } = logoutTexts[language].question;
  return page(
    200,
    { language, title, policy: "form-action 'self'" },
    `<form method="post" action="${escapeHtml(target)}">
<p>${text}</p>
<p><button>${action}</button></p>
</form>
<p><a href="${escapeHtml(wayBack)}">${cancel}</a></p>`,
  );
}

/** Tells the user which part of the logout failed. */
export function failurePage(
  status: number,
  failure: keyof Pick<LogoutTexts, 'notLoggedOut' | 'loggedOutHereOnly'>,
  language: Language,
): HttpAnswer {
  const { title, text } = logoutTexts[language][failure];
  return page(status, { language, title, policy: "form-action 'none'" }, `<p>${text}</p>`);
}

interface Frame {
  readonly language: Language;
  readonly title: string;
  /** CSP directives of this page only; they are added to the directives of all pages. */
  readonly policy: string;
  readonly head?: string;
}

/** The layout is simple and fits phones: the user sees most of these pages only for a moment. */
function page(status: number, { language, title, policy, head }: Frame, content: string): HttpAnswer {
  return {
    status,
    headers: {
      'Content-Type': 'text/html; charset=utf-8',
      'Content-Security-Policy': `default-src 'none'; style-src ${STYLE_SOURCE}; base-uri 'none'; ${policy}; frame-ancestors 'none'`,
      'Referrer-Policy': 'no-referrer',
      'X-Content-Type-Options': 'nosniff',
    },
    body: `<!doctype html>
<html lang="${language}">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
${head === undefined ? '' : `${head}\n`}<title>${title}</title>
<style>${STYLE}</style>
<main>
<h1>${title}</h1>
${content}
</main>
</html>
`,
  };
}

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? character);
}
