// The script of the pages: shows times in the reader's format, fills the live timeline, and tells the user when the
// session is over. Without this script, all but the timeline still works.

const { lang } = document.documentElement;
const locale = navigator.languages.find((language) => language.startsWith(lang)) ?? lang;
const moment = new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'short' });
const day = new Intl.DateTimeFormat(locale, { day: '2-digit', month: '2-digit' });
const instant = new Intl.DateTimeFormat(locale, {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hourCycle: 'h23',
  fractionalSecondDigits: 3,
});

/** Milliseconds: base and maximum of the backoff before the script asks the app again. */
const PATIENCE = 1_000;
const MOST_PATIENCE = 30_000;

/** Milliseconds that the script keeps the stream open after the session is over, for the last entries. */
const LAST_WORDS = 2_000;

/** Milliseconds that a sign-in which has replaced the session may take to reach the browser with its new cookie. */
const ARRIVAL = 2_000;

/** Milliseconds to wait for more changes before the script fetches the list of sessions. */
const GATHERING = 200;

/** @typedef {{ at: string, kind: string, channel?: string, text: string }} Entry */

const timeline = document.querySelector('#timeline');
const lost = /** @type {HTMLElement | null} */ (document.querySelector('#lost'));
const notice = /** @type {HTMLTemplateElement | null} */ (document.querySelector('#over-notice'));

/** @type {EventSource | undefined} */
let stream;
let failures = 0;
let isOver = false;
/** An outage of the app has ended the session. The app closes the streams one by one, so the end of this one may come later. */
let mustConfirm = false;

putTimes(document);
if (notice) {
  start();
  // Over HTTP/1.1, a browser opens at most six connections to an app, and each stream takes one. Six tabs with a stream
  // would block all other requests, even a logout. So a page listens only while it is visible, and catches up when it
  // becomes visible again.
  document.addEventListener('visibilitychange', () => (document.hidden ? stop() : start()));
}

// A browser may keep a page in memory and show it again, despite its Cache-Control. The session may have ended since
// then, so hide the page and load it again.
addEventListener('pagehide', ({ persisted }) => {
  if (persisted) document.body.hidden = true;
});
addEventListener('pageshow', ({ persisted }) => {
  if (persisted) location.reload();
});

/** @param {ParentNode} within */
function putTimes(within) {
  for (const time of within.querySelectorAll('time')) time.textContent = moment.format(new Date(time.dateTime));
}

function start() {
  if (stream || isOver || document.hidden) return;
  const source = (stream = new EventSource('/timeline'));
  source.addEventListener('open', () => {
    failures = 0;
    say('');
    timeline?.replaceChildren();
  });
  source.addEventListener('session', ({ data }) => {
    // this browser has another session by now
    if (JSON.parse(data).id !== notice?.dataset.session) location.reload();
  });
  source.addEventListener('entry', ({ data }) => addEntry(JSON.parse(data)));
  source.addEventListener('over', ({ data }) => {
    const { reason } = JSON.parse(data);
    // the app closes the stream; the session may still be alive
    if (reason === 'out_of_sync' || reason === 'shutting_down') return;
    if (reason === 'unconfirmed' || mustConfirm) {
      confirmSession();
      return;
    }
    showOver(reason);
    setTimeout(stop, LAST_WORDS);
  });
  source.addEventListener('error', () => {
    if (isOver) {
      stop();
      return;
    }
    say(lost?.dataset.text ?? '');
    // the browser reconnects by itself, but not after a refusal
    if (source.readyState !== EventSource.CLOSED) return;
    stop();
    void askAgain();
  });
}

function stop() {
  stream?.close();
  stream = undefined;
}

/** Asks the app whether the session is alive. Unless the app answers 401, starts the stream again after a backoff. */
async function askAgain() {
  failures += 1;
  const reason = await refusal();
  if (reason === 'unconfirmed') {
    confirmSession();
    return;
  }
  if (reason !== undefined) {
    await pause(ARRIVAL);
    // a sign-in in another tab has replaced the session
    if ((await refusal()) === undefined) location.reload();
    else showOver(reason);
    return;
  }
  const longest = Math.min(PATIENCE * 2 ** failures, MOST_PATIENCE);
  await pause((longest / 2) * (1 + Math.random()));
  start();
}

/** @returns {Promise<string | undefined>} the reason of the app's 401; undefined with another answer, or with none */
async function refusal() {
  const answer = await fetch('/me').catch(() => undefined);
  if (answer?.status !== 401) return undefined;
  const { reason } = await answer.json().catch(() => ({ reason: 'unknown' }));
  return reason;
}

/** @param {number} ms */
function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/**
 * After an outage of the app, OneID must confirm the session. Loading this page leads over OneID, and back to this page if
 * the user is still signed in there.
 */
function confirmSession() {
  isOver = true;
  stop();
  location.reload();
}

/** @param {string} words about a lost connection; empty when the connection is good */
function say(words) {
  if (lost && lost.textContent !== words) lost.textContent = words;
}

/** @param {Entry} entry */
function addEntry({ at, kind, channel, text }) {
  // this browser has signed in again, perhaps in another tab; then this tab has the new session too
  if (kind === 'obeyed' && channel === 'replaced') setTimeout(() => location.reload(), ARRIVAL);
  if (kind === 'obeyed' && channel === 'unconfirmed') mustConfirm = true;
  if (kind !== 'told' && kind !== 'obeyed') refreshSessions();
  if (!timeline) return;
  const date = new Date(at);
  const today = day.format(date) === day.format(new Date());
  const time = document.createElement('time');
  time.dateTime = at;
  time.textContent = `${today ? '' : `${day.format(date)} `}${instant.format(date)}`;
  const words = document.createElement('span');
  words.textContent = text;
  const item = document.createElement('li');
  item.dataset.kind = kind;
  item.append(time, words);
  // the latest entry first, sorted by time, because entries may arrive in another order
  const earlier = [...timeline.children].find((other) => (other.querySelector('time')?.dateTime ?? '') <= at);
  timeline.insertBefore(item, earlier ?? null);
}

/**
 * Shows that the session has ended: removes the user's data, and keeps the entries about the end.
 *
 * @param {string} reason
 */
function showOver(reason) {
  isOver = true;
  say('');
  const place = document.querySelector('#over');
  if (!notice || !place || place.hasChildNodes()) return;
  const content = /** @type {DocumentFragment} */ (notice.content.cloneNode(true));
  const texts = [.../** @type {NodeListOf<HTMLElement>} */ (content.querySelectorAll('[data-reason]'))];
  const text = texts.find((candidate) => candidate.dataset.reason === reason) ?? texts[0];
  for (const other of texts) if (other !== text) other.remove();
  document.querySelector('#signed-in')?.remove();
  document.querySelector('#live')?.remove();
  for (const item of timeline?.querySelectorAll('li') ?? []) {
    if (item.dataset.kind !== 'told' && item.dataset.kind !== 'obeyed') item.remove();
  }
  place.append(content);
  const heading = place.querySelector('h1');
  document.title = heading?.textContent ?? document.title;
  heading?.focus();
}

/** @type {ReturnType<typeof setTimeout> | undefined} */
let refreshing;

function refreshSessions() {
  if (!document.querySelector('#sessions')) return;
  clearTimeout(refreshing);
  refreshing = setTimeout(() => void fetchSessions(), GATHERING);
}

async function fetchSessions() {
  const answer = await fetch('/sessions').catch(() => undefined);
  const sessions = document.querySelector('#sessions');
  if (!answer?.ok || !sessions) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), 'text/html');
  putTimes(fresh);
  // don't take the user's focus away
  if (sessions.contains(document.activeElement)) sessions.addEventListener('focusout', refreshSessions, { once: true });
  else sessions.replaceChildren(...fresh.body.childNodes);
}
