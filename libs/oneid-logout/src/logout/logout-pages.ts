import { randomBytes } from 'node:crypto';
import { type HttpAnswer } from '../http/http-answer.js';
import { type EndSessionRequest } from './end-session-request.js';

/**
 * The pages a browser sees on its way to OneID. A redirect would not do: browsers hold a form's redirects to the form's
 * own page's `form-action`, which helmet sets to `'self'`.
 */
export function continuePage(request: EndSessionRequest): HttpAnswer {
  return request.method === 'GET' ? refreshPage(request) : formPage(request);
}

function refreshPage({ url }: EndSessionRequest): HttpAnswer {
  const target = escapeHtml(url);
  return page(
    200,
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    `<meta http-equiv="refresh" content="0; url=${target}"><title>Logging out</title>
<p>You are being logged out. <a href="${target}">Go on</a></p>`,
  );
}

/** For a hint too long for a URL. */
function formPage({ action, fields }: EndSessionRequest): HttpAnswer {
  const nonce = randomBytes(16).toString('base64');
  const inputs = Object.entries(fields).map(
    ([name, value]) => `<input type="hidden" name="${escapeHtml(name)}" value="${escapeHtml(value)}">`,
  );
  return page(
    200,
    // no form-action: it would also rule over where OneID redirects the browser afterwards
    `default-src 'none'; base-uri 'none'; script-src 'nonce-${nonce}'; frame-ancestors 'none'`,
    // not forms[0].submit(): a field of that name would stand in its place
    `<title>Logging out</title>
<form method="post" action="${escapeHtml(action)}">
${inputs.join('\n')}
<p>You are being logged out. <button>Go on</button></p>
</form>
<script nonce="${nonce}">HTMLFormElement.prototype.submit.call(document.forms[0])</script>`,
  );
}

/**
 * Asks whoever came from nobody knows where.
 *
 * @param action where the answer is posted to
 */
export function confirmPage(action: string): HttpAnswer {
  return page(
    200,
    "default-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    `<title>Log out?</title>
<form method="post" action="${escapeHtml(action)}">
<p>Do you want to log out? <button>Log out</button></p>
</form>`,
  );
}

/** Says that the logout did not happen. */
export function failurePage(status: number, text: string): HttpAnswer {
  return page(
    status,
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    `<title>Not logged out</title>\n<p>${escapeHtml(text)}</p>`,
  );
}

function page(status: number, policy: string, content: string): HttpAnswer {
  return {
    status,
    headers: {
      'Content-Type': 'text/html; charset=utf-8',
      'Content-Security-Policy': policy,
      'Referrer-Policy': 'no-referrer',
      'X-Content-Type-Options': 'nosniff',
    },
    body: `<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n${content}\n</html>\n`,
  };
}

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? character);
}
