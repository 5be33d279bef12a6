import { type SessionFacts } from 'nestjs-oneid-logout';
import { type Html, html, type Part } from '../html/html.js';
import { type PageTexts } from './texts.js';

/** Wraps `content`. When the session ends, the page's script replaces the content with the notice in the template. */
export function live(texts: PageTexts, session: SessionFacts, content: Part): Html {
  const reasons = (['logged_out', 'unconfirmed', 'expired', 'idle', 'unknown'] as const).map(
    (reason) => html`<p data-reason="${reason}">${texts.overText[reason]}</p>`,
  );
  return html`<div id="over" aria-live="assertive"></div>
    <template id="over-notice" data-session="${session.id}">
      <section class="card over">
        <h1 tabindex="-1">${texts.over}</h1>
        ${reasons}
        <p class="actions"><a class="button" href="/login">${texts.signInAgain}</a></p>
      </section>
    </template>
    <div id="signed-in">${content}</div>`;
}
