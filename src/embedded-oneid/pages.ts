import { type Html, html } from '../html/html.js';
import type { EmbeddedClient } from './embedded-client.js';
import { page, type Visitor } from './page.js';

const INVALID = html` aria-invalid="true" autofocus`;

export function errorPage(visitor: Visitor, code: string, description = ''): Html {
  return page(
    visitor,
    visitor.texts.error,
    html`<p><code>${code}</code></p>
      <p>${description}</p>
      <p class="actions"><a class="button quiet" href="/">${visitor.texts.startAgain}</a></p>`,
  );
}

export interface LoginForm {
  readonly username: string;
  readonly password: string;
  /** True when the form that was just sent had a wrong username or password. */
  readonly wrong?: boolean;
  /** The app that the user signs in to. */
  readonly client?: EmbeddedClient | undefined;
}

export function loginPage(visitor: Visitor, { username, password, wrong = false, client }: LoginForm): Html {
  const { texts } = visitor;
  return page(
    visitor,
    texts.signIn,
    html`${client && html`<p>${texts.to(nameOf(client))}</p>`}
      ${wrong ? html`<p role="alert">${texts.wrongPassword}</p>` : undefined}
      <form method="post">
        <label>${texts.username} <input name="username" value="${username}" autocomplete="username" required /></label>
        <label
          >${texts.password}
          <input
            name="password"
            type="password"
            value="${password}"
            autocomplete="off"
            ${wrong ? INVALID : undefined}
            required
        /></label>
        <div class="actions"><button>${texts.signIn}</button></div>
      </form>`,
  );
}

/** The content of OneID's account page. */
export interface Account {
  readonly name: string;
  /** The apps that take part in this login. */
  readonly signedInTo: readonly EmbeddedClient[];
  readonly others: readonly EmbeddedClient[];
  /** Path of the logout endpoint. */
  readonly logout: string;
}

export function accountPage(visitor: Visitor, { name, signedInTo, others, logout }: Account): Html {
  const { texts } = visitor;
  return page(
    visitor,
    texts.account,
    html`<p>${texts.signedInAs} <strong>${name}</strong></p>
      <h2>${texts.yourApps}</h2>
      ${appList(signedInTo) ?? html`<p>${texts.noApps}</p>`}
      ${
        others.length > 0
          ? html`<h2>${texts.otherApps}</h2>
              ${appList(others)}`
          : undefined
      }
      <p class="actions"><a class="button" href="${logout}">${texts.logOut}</a></p>`,
  );
}

/** The question that OneID asks before it ends a login. */
export interface LogoutQuestion {
  readonly action: string;
  readonly challenge: string;
  /** The address to which the browser goes afterwards. */
  readonly next: string;
  /** Client id of the app that the user comes from; empty when unknown. */
  readonly from: string;
  readonly leaving: readonly EmbeddedClient[];
}

export function confirmLogoutPage(visitor: Visitor, question: LogoutQuestion): Html {
  const { texts } = visitor;
  const { action, challenge, next, from, leaving } = question;
  const channels = (['both', 'backchannel', 'frontchannel'] as const).map((value) => {
    const checked = value === 'both' ? html` checked=""` : undefined;
    return html`<label><input type="radio" name="channels" value="${value}" ${checked} /> ${texts[value]}</label>`;
  });
  return page(
    visitor,
    texts.confirm,
    html`<p>${leaving.length > 0 ? texts.leaveApps : texts.leaveNoApps}</p>
      ${appList(leaving, nameOf)}
      <form method="post" action="${action}">
        <input type="hidden" name="challenge" value="${challenge}" />
        <input type="hidden" name="next" value="${next}" />
        <input type="hidden" name="from" value="${from}" />
        <fieldset>
          <legend>${texts.howToTell}</legend>
          ${channels}
        </fieldset>
        <div class="actions">
          <button name="answer" value="yes">${texts.yes}</button>
          <button class="quiet" name="answer" value="no">${texts.no}</button>
        </div>
      </form>`,
  );
}

export function stillSignedInPage(visitor: Visitor, apps: readonly EmbeddedClient[]): Html {
  const { texts } = visitor;
  return page(
    visitor,
    texts.stillSignedIn,
    html`<p>${texts.nothingChanged}</p>
      ${appList(apps)}`,
  );
}

export function loggedOutPage(visitor: Visitor, apps: readonly EmbeddedClient[]): Html {
  const { texts } = visitor;
  return page(
    visitor,
    texts.loggedOut,
    html`<p>${texts.noSession}</p>
      <p>${texts.allApps}</p>
      ${appList(apps)}`,
  );
}

function appList(
  clients: readonly EmbeddedClient[],
  show: (client: EmbeddedClient) => Html | string = link,
): Html | undefined {
  if (clients.length === 0) return undefined;
  const items = clients.map((client) => html`<li>${show(client)}</li>`);
  return html`<ul class="apps">
    ${items}
  </ul>`;
}

function link(client: EmbeddedClient): Html | string {
  const name = nameOf(client);
  return client.uri === undefined ? name : html`<a href="${client.uri}">${name}</a>`;
}

function nameOf({ name, clientId }: EmbeddedClient): string {
  return name ?? clientId;
}
