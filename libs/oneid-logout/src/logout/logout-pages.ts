import { createHash, randomBytes } from 'node:crypto';
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

/** Lets the style of these pages in, and no other; exported for tests. */
export const STYLE_SOURCE = `'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`;

/**
 * The pages a browser sees on its way to OneID. A redirect would not do: browsers hold a form's redirects to the form's
 * own page's `form-action`, which helmet sets to `'self'`.
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

/** For a hint too long for a URL. */
function formPage({ action: endpoint, fields }: EndSessionRequest, language: Language): HttpAnswer {
  const { title, text, action } = logoutTexts[language].loggingOut;
  const nonce = randomBytes(16).toString('base64');
  const inputs = Object.entries(fields).map(
    ([name, value]) => `<input type="hidden" name="${escapeHtml(name)}" value="${escapeHtml(value)}">`,
  );
  return page(
    200,
    // no form-action: it would also rule over where OneID redirects the browser afterwards
    { language, title, policy: `script-src 'nonce-${nonce}'` },
    // not forms[0].submit(): a field of that name would stand in its place
    `<form method="post" action="${escapeHtml(endpoint)}">
${inputs.join('\n')}
<p>${text}</p>
<p><button>${action}</button></p>
</form>
<script nonce="${nonce}">HTMLFormElement.prototype.submit.call(document.forms[0])</script>`,
  );
}

/**
 * Asks whoever came from nobody knows where.
 *
 * @param target where the answer is posted to
 * @param wayBack where whoever does not want to goes
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

/** Says what of the logout did not happen. */
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
  /** What this page's policy says beside what those of all pages say. */
  readonly policy: string;
  readonly head?: string;
}

/** Seen for a moment, also on a telephone. */
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
