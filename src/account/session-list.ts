import { type Html, html } from '../html/html.js';
import { time } from '../pages/time.js';
import { type PageTexts } from '../pages/texts.js';
import { type MySession } from './my-sessions.js';

/** The user's sessions, each with a button that ends it. The current session is marked. */
export function sessionList(sessions: readonly MySession[], texts: PageTexts): Html {
  return html`<ul class="sessions">
      ${sessions.map((session) => item(session, texts))}
    </ul>
    ${
      sessions.length > 1
        ? html`<form method="post" action="/sessions/end-others">
            <button class="quiet">${texts.endOthers}</button>
          </form>`
        : html`<p class="hint">${texts.noOthers}</p>`
    }`;
}

function item({ id, device = '', registeredAt, expiresAt, isThis }: MySession, texts: PageTexts): Html {
  const name = device || texts.unknownDevice;
  return html`<li>
    <div>
      <strong>${name}</strong> ${isThis ? html`<span class="badge">${texts.thisOne}</span>` : undefined}
      <span id="times-${id}" class="hint"
        >${texts.since} ${time(registeredAt)} · ${texts.until} ${time(expiresAt)}</span
      >
    </div>
    <form method="post" action="/sessions/${id}/end">
      <button class="quiet" aria-label="${texts.endWhat(name)}" aria-describedby="times-${id}">${texts.end}</button>
    </form>
  </li>`;
}
