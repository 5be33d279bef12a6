import { type SessionFacts } from 'nestjs-oneid-logout';
import { type MySession } from '../account/my-sessions.js';
import { sessionList } from '../account/session-list.js';
import { type Html, html } from '../html/html.js';
import { type PageTexts } from './texts.js';

export function signedOutHome(texts: PageTexts): Html {
  return html`<section class="card">
    <h1>${texts.signedOut}</h1>
    <p>${texts.whatThisIs}</p>
    <ol>
      ${texts.tryThis.map((step) => html`<li>${step}</li>`)}
    </ol>
    <p class="actions"><a class="button" href="/login">${texts.signIn}</a></p>
  </section>`;
}

export function signedInHome(texts: PageTexts, session: SessionFacts, sessions: readonly MySession[]): Html {
  return html`<section id="over" class="card over" aria-live="assertive" hidden></section>
    <div id="signed-in">
      <section class="card">
        <h1>${texts.signedIn}</h1>
        <p>${texts.as} <strong>${session.sub}</strong>. <a href="/account">${texts.details}</a></p>
        ${logoutForms(texts)}
      </section>
      <section class="card" aria-labelledby="sessions-title">
        <h2 id="sessions-title">${texts.sessions}</h2>
        <div id="sessions">${sessionList(sessions, texts)}</div>
      </section>
    </div>
    <section class="card" aria-labelledby="timeline-title">
      <h2 id="timeline-title">${texts.timeline}</h2>
      <p class="hint">${texts.timelineHint}</p>
      <noscript><p>${texts.needsScript}</p></noscript>
      <div role="log" aria-labelledby="timeline-title"><ol id="timeline"></ol></div>
    </section>`;
}

function logoutForms(texts: PageTexts): Html {
  return html`<div class="actions">
    <form method="post" action="/logout">
      <button aria-describedby="everywhere">${texts.logOutEverywhere}</button>
      <span id="everywhere" class="hint">${texts.logOutEverywhereHint}</span>
    </form>
    <form method="post" action="/logout/here">
      <button class="quiet" aria-describedby="here">${texts.logOutHere}</button>
      <span id="here" class="hint">${texts.logOutHereHint}</span>
    </form>
  </div>`;
}
