import { type SessionFacts } from 'nestjs-oneid-logout';
import { type Html, html } from '../html/html.js';
import { type OtherApp } from '../oneid/oneid.js';
import { live } from '../pages/live.js';
import { type PageWriter } from '../pages/pages.js';
import { type PageTexts } from '../pages/texts.js';
import { type MySession } from './my-sessions.js';
import { sessionList } from './session-list.js';

/** @param isDemo the app runs the embedded OneID, so the page explains how to sign in with the demo account */
export function signedOutHome(writer: PageWriter, isDemo: boolean): string {
  const { texts } = writer;
  const steps = texts.tryThis.map((step) => html`<li>${step}</li>`);
  const body = html`<section class="card">
    <h1>${texts.signedOut}</h1>
    <p>${texts.whatThisIs}</p>
    ${
      isDemo
        ? html`<ol>
            ${steps}
          </ol>`
        : undefined
    }
    <p class="actions"><a class="button" href="/login">${texts.signIn}</a></p>
  </section>`;
  return writer.page(texts.signedOut, body);
}

export interface Home {
  readonly session: SessionFacts;
  readonly sessions: readonly MySession[];
  /** Links to the other apps of this OneID: a logout there ends this session too. */
  readonly otherApps: readonly OtherApp[];
}

export function signedInHome(texts: PageTexts, { session, sessions, otherApps }: Home): Html {
  const links = otherApps.map(
    ({ name, uri }) => html`<p><a href="${uri}" target="_blank">${texts.openOther(name)}</a></p>`,
  );
  return html`${live(
      texts,
      session,
      html`<section class="card">
          <h1>${texts.signedIn}</h1>
          <p>${texts.as} <strong>${session.sub}</strong> · <a href="/account">${texts.account}</a></p>
          ${links} ${logoutForms(texts)}
        </section>
        <section class="card" aria-labelledby="sessions-title">
          <h2 id="sessions-title">${texts.sessions}</h2>
          <div id="sessions">${sessionList(sessions, texts)}</div>
        </section>`,
    )}
    <section class="card" aria-labelledby="timeline-title">
      <h2 id="timeline-title">${texts.timeline}</h2>
      <p id="live" class="hint">${texts.timelineHint}</p>
      <p id="lost" class="hint" role="status" data-text="${texts.connectionLost}"></p>
      <noscript><p>${texts.needsScript}</p></noscript>
      <div role="log" aria-labelledby="timeline-title"><ol id="timeline"></ol></div>
    </section>`;
}

function logoutForms(texts: PageTexts): Html {
  return html`<div class="actions">
    <form method="post" action="/logout">
      <button aria-describedby="everywhere">${texts.logOut}</button>
      <span id="everywhere" class="hint">${texts.logOutHint}</span>
    </form>
    <form method="post" action="/logout/here">
      <button class="quiet" aria-describedby="here">${texts.logOutHere}</button>
      <span id="here" class="hint">${texts.logOutHereHint}</span>
    </form>
  </div>`;
}
