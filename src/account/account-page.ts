import { type SessionFacts } from 'nestjs-oneid-logout';
import { type Html, html } from '../html/html.js';
import { live } from '../pages/live.js';
import { type PageTexts } from '../pages/texts.js';
import { time } from '../pages/time.js';

/** Shows the facts of a session. */
export function accountPage(texts: PageTexts, session: SessionFacts): Html {
  const { sub, sid, issuer, registeredAt, expiresAt } = session;
  const facts = { sub, sid, issuer, registeredAt: time(registeredAt), expiresAt: expiresAt && time(expiresAt) };
  const list = Object.entries(texts.factNames).map(
    ([name, title]) =>
      html`<dt>${title}</dt>
        <dd>${facts[name as keyof typeof facts]}</dd>`,
  );
  return live(
    texts,
    session,
    html`<section class="card">
      <h1>${texts.account}</h1>
      <p>${texts.knownFacts}</p>
      <dl>${list}</dl>
      <p class="actions"><a class="button quiet" href="/">${texts.back}</a></p>
    </section>`,
  );
}
