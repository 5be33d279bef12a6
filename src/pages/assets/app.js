// What the pages do beside being read: times as the reader would put them, the live timeline, and the word that the
// session is over. Without it everything but the timeline works all the same.

const { lang } = document.documentElement;
const moment = new Intl.DateTimeFormat(lang, { dateStyle: 'medium', timeStyle: 'short' });
const instant = new Intl.DateTimeFormat(lang, {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hourCycle: 'h23',
  fractionalSecondDigits: 3,
});

/** How long to wait before asking again when the app does not answer: milliseconds. */
const PATIENCE = 2_000;

/**
 * @typedef {{ at: string, kind: string, text: string }} Entry
 * @typedef {{ reason: string, title: string, text: string, signIn: string }} Over
 */

const timeline = document.querySelector('#timeline');
const over = document.querySelector('#over');
const sessions = document.querySelector('#sessions');

putTimes(document);
if (timeline && over) watch(timeline, over);

// a page that the browser has kept as it was, and shows again: it may be of a session that has ended since
addEventListener('pageshow', ({ persisted }) => {
  if (persisted) location.reload();
});

/** @param {ParentNode} within */
function putTimes(within) {
  for (const time of within.querySelectorAll('time')) time.textContent = moment.format(new Date(time.dateTime));
}

/**
 * @param {Element} list
 * @param {Element} notice
 */
function watch(list, notice) {
  const source = new EventSource('/timeline');
  // it begins anew with all that has happened lately
  source.addEventListener('open', () => list.replaceChildren());
  source.addEventListener('entry', ({ data }) => {
    /** @type {Entry} */
    const entry = JSON.parse(data);
    addEntry(list, entry);
    if (entry.kind !== 'told') void refreshSessions();
  });
  source.addEventListener('over', ({ data }) => {
    /** @type {Over} */
    const ending = JSON.parse(data);
    if (ending.reason === 'out_of_sync' || ending.reason === 'shutting_down') return;
    show(notice, ending);
    // what OneID is answered comes a moment later, and nothing after that
    setTimeout(() => source.close(), PATIENCE);
  });
  source.addEventListener('error', () => {
    // a browser comes back by itself, but not after a refusal
    if (source.readyState === EventSource.CLOSED && notice.hasAttribute('hidden')) void comeBack(list, notice);
  });
}

/**
 * Asks whether the session lives, and looks on; or shows the page of somebody signed out.
 *
 * @param {Element} list
 * @param {Element} notice
 */
async function comeBack(list, notice) {
  const answer = await fetch('/me').catch(() => undefined);
  if (answer?.status === 401) location.reload();
  else if (answer?.ok) watch(list, notice);
  else setTimeout(() => void comeBack(list, notice), PATIENCE * (1 + Math.random()));
}

/**
 * The latest first, in the order of what happened, which is not always that of what is heard.
 *
 * @param {Element} list
 * @param {Entry} entry
 */
function addEntry(list, { at, kind, text }) {
  const time = document.createElement('time');
  time.dateTime = at;
  time.textContent = instant.format(new Date(at));
  const words = document.createElement('span');
  words.textContent = text;
  const item = document.createElement('li');
  item.dataset.kind = kind;
  item.append(time, words);
  const earlier = [...list.children].find((other) => (other.querySelector('time')?.dateTime ?? '') <= at);
  list.insertBefore(item, earlier ?? null);
}

/**
 * The session has ended from outside: nothing of its user stays to be seen.
 *
 * @param {Element} notice
 * @param {Over} ending
 */
function show(notice, { title, text, signIn }) {
  const heading = document.createElement('h1');
  heading.textContent = title;
  heading.tabIndex = -1;
  const words = document.createElement('p');
  words.textContent = text;
  const link = document.createElement('a');
  link.href = '/login';
  link.className = 'button';
  link.textContent = signIn;
  const actions = document.createElement('p');
  actions.className = 'actions';
  actions.append(link);
  document.querySelector('#signed-in')?.remove();
  document.title = title;
  notice.removeAttribute('hidden');
  notice.append(heading, words, actions);
  heading.focus();
}

async function refreshSessions() {
  if (!sessions?.isConnected) return;
  const answer = await fetch('/sessions').catch(() => undefined);
  if (!answer?.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), 'text/html');
  putTimes(fresh);
  const focused = sessions.contains(document.activeElement);
  if (!focused) sessions.replaceChildren(...fresh.body.childNodes);
}
