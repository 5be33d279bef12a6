import http from 'node:http';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { SessionRegistry, StoreUnavailableError } from 'nestjs-oneid-logout';
import { LogoutRecorder } from '../libs/oneid-logout/src/sessions/logout-recorder.js';
import { SessionRepository } from '../libs/oneid-logout/src/store/session.repository.js';
import { Browser } from '../src/demo/browser.js';
import { elements } from '../src/demo/html.js';
import { ReferenceUser } from '../src/demo/reference-user.js';
import { pageTexts } from '../src/pages/texts.js';
import { deviceOf } from '../src/sign-in/device.js';
import { Timeline } from '../src/timeline/timeline.js';
import { shareAmongTests } from './support/share-among-tests.js';
import { until } from './support/until.js';
import { World } from './support/world.js';

let world: World;
let user: ReferenceUser;
const { en, vi } = pageTexts;

shareAmongTests(
  () => World.start(),
  (started) => void (world = started),
);

beforeEach(() => {
  user = new ReferenceUser(world.url);
});

/** Forgets every session of the demo's one user. */
const endAll = () => world.app.get(SessionRegistry, { strict: false }).endAll({ sub: 'demo' });

async function signedIn(): Promise<ReferenceUser> {
  const other = new ReferenceUser(world.url);
  await other.signIn();
  return other;
}

const post = (path: string, headers: Record<string, string> = {}) =>
  fetch(world.url + path, {
    method: 'POST',
    redirect: 'manual',
    headers: { cookie: user.cookie, accept: 'text/html', ...headers },
  });

const fromHere = { 'sec-fetch-site': 'same-origin' };

describe('the list of sessions', () => {
  let ids: string[];

  beforeEach(async () => {
    await endAll();
    await user.signIn();
    const page = await user.browser.get(`${world.url}/sessions`);
    ids = elements(page.body, 'form').map(({ action = '' }) => action.split('/')[2] ?? '');
  });

  test('shows start, end and device of each session, and marks the current session', async () => {
    await signedIn();
    const page = await user.browser.get(`${world.url}/sessions`);
    expect([page.status, page.headers.get('cache-control')]).toEqual([200, 'no-store']);
    const sessions = await world.app.get(SessionRegistry).listAlive({ issuer: world.oneId.issuer, sub: 'demo' });
    expect(sessions).toHaveLength(2);
    const times = elements(page.body, 'time').map(({ datetime }) => datetime);
    const stored = sessions.flatMap(({ registeredAt, expiresAt }) => [registeredAt, expiresAt]);
    expect(times).toEqual(stored.map((at) => new Date(at).toISOString()));
    expect(page.body.split(en.thisOne)).toHaveLength(2);
    // Node's fetch is not a known browser
    expect(page.body.split(en.unknownDevice)).toHaveLength(5);
  });

  test('shows the ids of the sessions, and no session token', async () => {
    const sessions = await world.app.get(SessionRegistry).listAlive({ issuer: world.oneId.issuer, sub: 'demo' });
    const pages = await Promise.all(['/', '/sessions', '/account'].map((path) => user.browser.get(world.url + path)));
    const [, sessionToken = ''] = /app_session=([\da-f]{64})/.exec(user.cookie) ?? [];
    expect(sessionToken).not.toBe('');
    for (const { body } of pages) expect(body).not.toContain(sessionToken);
    expect(ids).toEqual(sessions.map(({ id }) => id));
  });

  test('needs a session', async () => {
    const page = await new Browser().get(`${world.url}/sessions`);
    expect([page.status, page.body.includes(en.refused.missing)]).toEqual([401, true]);
    const json = await fetch(`${world.url}/sessions`, { headers: { accept: 'application/json' } });
    expect([json.status, await json.json()]).toMatchObject([401, { error: 'session_missing', reason: 'missing' }]);
  });

  test('has a button that ends one session', async () => {
    const other = await signedIn();
    const [newest] = elements((await user.browser.get(`${world.url}/sessions`)).body, 'form');
    const answer = await post(newest?.action ?? '', fromHere);
    expect([answer.status, answer.headers.get('location')]).toEqual([303, '/']);
    expect(await other.meInShort()).toBe('401 logged_out');
    expect(await user.meInShort()).toBe('200');
  });

  test('ends no session for an unknown id, or for the id of an ended session', async () => {
    const gone = ids[0] ?? '';
    await post(`/sessions/${gone}/end`, fromHere);
    await user.signIn();
    for (const id of [gone, 'x', '0'.repeat(64)]) {
      const answer = await post(`/sessions/${id}/end`, fromHere);
      expect([answer.status, answer.headers.get('location')]).toEqual([303, '/']);
    }
    expect(await user.meInShort()).toBe('200');
  });

  test('has a button that ends all other sessions', async () => {
    const others = [await signedIn(), await signedIn()];
    const answer = await post('/sessions/end-others', fromHere);
    expect([answer.status, answer.headers.get('location')]).toEqual([303, '/']);
    for (const other of others) expect(await other.meInShort()).toBe('401 logged_out');
    expect(await user.meInShort()).toBe('200');
  });
});

describe('a request that changes something', () => {
  beforeEach(() => user.signIn());

  test.each([
    [{ 'sec-fetch-site': 'cross-site' }],
    [{ 'sec-fetch-site': 'same-site' }],
    [{ 'sec-fetch-site': 'none' }],
    [{ origin: 'https://evil.example' }],
    [{ origin: 'null' }],
    [{}],
  ])('is accepted only from the app, not with %j', async (headers) => {
    for (const path of ['/sessions/end-others', '/sessions/x/end', '/logout/here']) {
      const answer = await post(path, headers);
      expect([answer.status, (await answer.text()).includes(en.failures.crossSite)]).toEqual([403, true]);
    }
    expect(await user.meInShort()).toBe('200');
  });

  test('is accepted from an old browser, by its Origin', async () => {
    expect((await post('/logout/here', { origin: world.url })).status).toBe(303);
    expect(await user.meInShort()).toBe('401 logged_out');
  });
});

describe('a logout here only', () => {
  test('ends this session and removes its cookie; the login at OneID stays alive', async () => {
    await user.signIn();
    const { cookie } = user;
    const page = await user.browser.post(`${world.url}/logout/here`, {}, `${world.url}/`);
    expect([page.status, page.headers.get('location')]).toEqual([303, '/goodbye/here']);
    expect(await user.meInShortWith(cookie)).toBe('401 logged_out');
    expect(await user.meInShort()).toBe('401 missing');
    expect((await user.browser.follow(page)).body).toContain(en.goodbyeHere);
    const again = await user.browser.visit(`${world.url}/login`);
    expect([again.status, again.url]).toEqual([200, `${world.url}/`]);
  });

  test('P11: ends the sessions of all cookies of its name', async () => {
    const other = await signedIn();
    await user.signIn();
    const { cookie } = user;
    expect((await post('/logout/here', { ...fromHere, cookie: `${other.cookie}; ${cookie}` })).status).toBe(303);
    expect(await user.meInShortWith(cookie)).toBe('401 logged_out');
    expect(await other.meInShort()).toBe('401 logged_out');
  });

  test('ends nothing when there is no session', async () => {
    const page = await user.browser.post(`${world.url}/logout/here`, {}, `${world.url}/`);
    expect([page.status, page.headers.get('location')]).toEqual([303, '/goodbye/here']);
  });
});

test('P11: a browser that sends sessions of different users, or too many, is led to the logout', async () => {
  await user.signIn();
  const [name = ''] = user.cookie.split('=');
  const others = ['a', 'b', 'c', 'd'].map((digit) => `${name}=${digit.repeat(64)}`);
  const headers = { cookie: [user.cookie, ...others].join('; '), accept: 'text/html' };
  const page = await fetch(`${world.url}/account`, { headers });
  const body = await page.text();
  expect([page.status, body.includes(en.refused.ambiguous)]).toEqual([401, true]);
  expect(elements(body, 'a').some(({ href }) => href === '/logout')).toBe(true);
  expect((await post('/logout', { ...fromHere, ...headers })).status).toBe(200);
  expect(await user.meInShort()).toBe('401 logged_out');
});

describe('a sign-in', () => {
  test.each([{ 'sec-purpose': 'prefetch' }, { 'next-router-prefetch': '1' }, { 'sec-fetch-dest': 'image' }])(
    'P8: does not start, and does not finish, with %j',
    async (headers) => {
      for (const path of ['/login', '/login/callback?state=x&code=y']) {
        const page = await user.browser.get(world.url + path, headers);
        expect([page.status, page.headers.get('cache-control')]).toEqual([403, 'no-store']);
        expect(page.headers.getSetCookie()).toEqual([]);
        expect(page.body).toContain(en.signInFailures.noNavigation);
      }
      expect((await user.browser.get(`${world.url}/login`, { 'sec-fetch-dest': 'document' })).status).toBe(303);
    },
  );
});

describe('the language', () => {
  const langOf = (html: string) => elements(html, 'html')[0]?.lang;
  const home = (headers: Record<string, string>, query = '') => user.browser.get(`${world.url}/${query}`, headers);

  test.each([
    ['', 'en'],
    ['vi', 'vi'],
    ['vi-VN,vi;q=0.9,en;q=0.8', 'vi'],
    ['en-GB,en;q=0.9,vi;q=0.8', 'en'],
    ['fr-FR,vi;q=0.5', 'vi'],
    ['de', 'en'],
  ])('of %j is %s', async (accepted, language) => {
    expect(langOf((await home({ 'accept-language': accepted })).body)).toBe(language);
  });

  test('changes on the current page, also with a query in the URL', async () => {
    for (const path of ['/goodbye/here', '/goodbye?a=x&b=y', '/account']) {
      const page = await user.browser.get(world.url + path);
      const link = elements(page.body, 'a').find(({ hreflang }) => hreflang === 'vi');
      const [start, query] = path.split('?');
      const expected = `${world.url}${start ?? ''}?${query === undefined ? '' : `${query}&`}lang=vi`;
      expect(link?.href).toBe(expected);
    }
    const posted = await user.browser.post(`${world.url}/logout/here`, {}, 'https://evil.example/');
    expect(elements(posted.body, 'a').find(({ hreflang }) => hreflang === 'vi')?.href).toBe(`${world.url}/?lang=vi`);
  });

  test('after a failed callback, leads to a new sign-in, without code and state', async () => {
    const page = await user.browser.get(`${world.url}/login/callback?state=x&code=y`);
    const links = elements(page.body, 'a').flatMap(({ hreflang, href }) => (hreflang === undefined ? [] : href));
    expect([page.status, links]).toEqual([400, [`${world.url}/login?lang=en`, `${world.url}/login?lang=vi`]]);
  });

  test.each([
    ['http://a/goodbye?b=c', 200, '/goodbye?b=c&lang=vi'],
    ['HTTP://user:x@a:99999/goodbye', 200, '/goodbye?lang=vi'],
    ['http://a:99999/login/callback?state=x', 400, '/login?lang=vi'],
    ['//a/goodbye', 404, '//a/goodbye?lang=vi'],
  ])('of a request for %s has links at this app', async (path, status, expected) => {
    const { hostname, port } = new URL(world.url);
    const [answer, body] = await new Promise<[number | undefined, string]>((resolve, reject) => {
      const request = http.request({ host: hostname, port, path, headers: { accept: 'text/html' } });
      request.on('response', (response) => {
        text(response).then((body) => resolve([response.statusCode, body]), reject);
      });
      request.on('error', reject).end();
    });
    const link = elements(body, 'a').find(({ hreflang }) => hreflang === 'vi');
    expect([answer, link?.href]).toEqual([status, world.url + expected]);
  });

  test('stays when the user has chosen it', async () => {
    const page = await home({ 'accept-language': 'en' }, '?lang=vi');
    expect(page.body).toContain(vi.signedOut);
    expect(page.headers.getSetCookie()).toEqual([
      expect.stringMatching(/^language=vi; Max-Age=31536000; Path=\/; .*SameSite=Lax$/),
    ]);
    expect(langOf((await home({ 'accept-language': 'en' })).body)).toBe('vi');
  });

  test.each(['?lang=fr', '?lang=', '?lang[]=vi', '?lang=vi&lang=en'])(
    'does not change to an unknown language: %s',
    async (query) => {
      const page = await home({}, query);
      expect([page.status, langOf(page.body), page.headers.getSetCookie()]).toEqual([200, 'en', []]);
    },
  );

  test('is sent to OneID', async () => {
    await home({}, '?lang=vi');
    const { next = '' } = await user.browser.get(`${world.url}/login`);
    expect(new URL(next).searchParams.get('ui_locales')).toBe('vi');
    await user.signIn();
    const { next: logout = '' } = await user.pressLogout();
    expect(new URL(logout).searchParams.get('ui_locales')).toBe('vi');
    expect(langOf((await user.browser.visit(logout)).body)).toBe('vi');
  });

  test('has every text in both languages', () => {
    expect(shapeOf(vi)).toEqual(shapeOf(en));
    const same = Object.keys(en).filter((key) => en[key as keyof typeof en] === vi[key as keyof typeof vi]);
    expect(same).toEqual([]);
  });
});

describe('the device', () => {
  test.each([
    ['Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0', 'Firefox · Linux'],
    [
      'Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1',
      'Safari · iOS',
    ],
    ['<script>alert(1)</script>', undefined],
    ['node', undefined],
    ['', undefined],
    [undefined, undefined],
  ])('of %j is %s', (userAgent, device) => {
    expect(deviceOf(userAgent)).toBe(device);
  });
});

describe('assets', () => {
  test.each([
    ['app.css', 'text/css; charset=utf-8'],
    ['app.js', 'text/javascript; charset=utf-8'],
  ])('the app serves %s, and browsers revalidate it by its ETag', async (name, type) => {
    const answer = await fetch(`${world.url}/assets/${name}`);
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, type]);
    expect((await answer.text()).length).toBeGreaterThan(100);
    const etag = answer.headers.get('etag') ?? '';
    const again = await fetch(`${world.url}/assets/${name}`, {
      // as browsers ask; without it, fetch sends no-cache
      headers: { 'if-none-match': etag, 'cache-control': 'max-age=0' },
    });
    expect(again.status).toBe(304);
  });
});

interface SeenEvent {
  readonly type: string;
  readonly data: { kind?: string; text: string; at?: string; reason?: string };
}

describe('unknown pages', () => {
  test.each(['/nothing', '/assets/tsconfig.json', '/sessions/x/end'])(
    '%s: a page for browsers, JSON for programs',
    async (path) => {
      const page = await user.browser.get(world.url + path);
      expect([page.status, page.body.includes(en.failures.other)]).toEqual([404, true]);
      expect(page.headers.get('cache-control')).toBe('no-store');
      const json = await fetch(world.url + path, { headers: { accept: 'application/json' } });
      expect([json.status, await json.json()]).toMatchObject([404, { statusCode: 404 }]);
    },
  );

  test('caches must not keep errors', async () => {
    for (const path of ['/account', '/login/callback?state=x']) {
      expect((await user.browser.get(world.url + path)).headers.get('cache-control')).toBe('no-store');
    }
  });
});

describe('without the session store', () => {
  const noStore = () => new StoreUnavailableError(new Error('connect ECONNREFUSED 10.0.0.7'));

  beforeEach(() => user.signIn());
  afterEach(() => {
    jest.restoreAllMocks();
  });

  test.each(['/', '/account', '/sessions'])('GET %s is a page that asks the user to wait', async (path) => {
    jest.spyOn(world.app.get(SessionRepository, { strict: false }), 'check').mockRejectedValue(noStore());
    const page = await user.browser.get(world.url + path);
    expect([page.status, page.headers.get('retry-after'), page.headers.get('cache-control')]).toEqual([
      503,
      '5',
      'no-store',
    ]);
    expect(page.body).toContain(en.failures.unavailable);
    expect(page.body).not.toContain('ECONNREFUSED');
  });

  test('does not say that the user is logged out, and does not remove the cookie', async () => {
    jest.spyOn(world.app.get(LogoutRecorder, { strict: false }), 'endSession').mockRejectedValue(noStore());
    const page = await user.browser.post(`${world.url}/logout/here`, {}, `${world.url}/`);
    expect([page.status, page.body.includes(en.failures.unavailable)]).toEqual([503, true]);
    expect([page.headers.getSetCookie(), page.headers.get('clear-site-data')]).toEqual([[], null]);
    expect(await user.meInShort()).toBe('200');
  });

  test('does not say that the other sessions were ended', async () => {
    jest.spyOn(world.app.get(SessionRegistry), 'endOthers').mockRejectedValue(noStore());
    const add = jest.spyOn(world.app.get(Timeline), 'add');
    const answer = await post('/sessions/end-others', fromHere);
    expect([answer.status, (await answer.text()).includes(en.failures.unavailable)]).toEqual([503, true]);
    expect(add).not.toHaveBeenCalled();
  });

  test('refuses the stream, so that the page asks again', async () => {
    jest.spyOn(world.app.get(SessionRepository, { strict: false }), 'check').mockRejectedValue(noStore());
    const answer = await fetch(`${world.url}/timeline`, { headers: { cookie: user.cookie } });
    expect(answer.status).toBe(503);
  });
});

describe('another host name of this machine', () => {
  const at = (host: string, path: string, method = 'GET') =>
    new Promise<[number | undefined, string | undefined]>((resolve, reject) => {
      const { port } = new URL(world.url);
      const request = http.request({ host: '127.0.0.1', port, path, method, headers: { host: `${host}:${port}` } });
      request.on('response', ({ statusCode, headers }) => resolve([statusCode, headers.location])).on('error', reject);
      request.end();
    });

  test.each(['/', '/login', '/account?lang=vi', '//evil.example/'])(
    'redirects to the host name of the cookies: %s',
    async (path) => {
      expect(await at('localhost', path)).toEqual([303, world.url + path]);
      expect(await at('[::1]', path)).toEqual([303, world.url + path]);
    },
  );

  test('causes no redirect for other host names', async () => {
    expect(await at('evil.example', '/')).toEqual([200, undefined]);
    expect((await at('localhost', '/logout/here', 'POST'))[0]).toBe(403);
  });
});

describe('the timeline', () => {
  /** The events so far. */
  async function watch(cookie: string, language = 'en') {
    const abort = new AbortController();
    const response = await fetch(`${world.url}/timeline`, {
      headers: { cookie, 'accept-language': language },
      signal: abort.signal,
    });
    const seen = { status: response.status, events: [] as SeenEvent[], ended: false };
    void (async () => {
      let text = '';
      const decoder = new TextDecoder();
      for await (const chunk of response.body ?? []) {
        text += decoder.decode(chunk as Uint8Array, { stream: true });
        const blocks = text.split('\n\n');
        text = blocks.pop() ?? '';
        seen.events.push(...blocks.flatMap(eventOf));
      }
      seen.ended = true;
    })().catch(() => undefined);
    return { seen, close: () => abort.abort() };
  }

  const of = ({ events }: { events: SeenEvent[] }, kind: string) => events.filter(({ data }) => data.kind === kind);

  test('is refused without a session', async () => {
    expect((await watch('')).seen.status).toBe(401);
    await user.signIn();
    const { cookie } = user;
    await user.logOut();
    expect((await watch(cookie)).seen.status).toBe(401);
  });

  test("shows OneID's requests, the end of the session and its reason, and then ends", async () => {
    await user.signIn();
    const before = Date.now();
    const { seen } = await watch(user.cookie);
    const second = new ReferenceUser(world.secondUrl, user.browser);
    await second.browser.visit(`${world.secondUrl}/login`);
    await second.logOut();
    await until('it ends', () => seen.ended);

    const told = of(seen, 'told');
    // OneID uses both channels, and the first one ends the session
    expect(told.map(({ data }) => data.text.replace(/\d+ ms/, '7 ms')).sort()).toEqual([
      en.told.backchannel(7),
      en.told.frontchannel(7),
    ]);
    const [obeyed, ...others] = of(seen, 'obeyed');
    expect([en.obeyed.backchannel, en.obeyed.frontchannel]).toContain(obeyed?.data.text);
    expect(others).toEqual([]);
    for (const event of [...told, obeyed]) expect(Date.parse(event?.data.at ?? '')).toBeGreaterThanOrEqual(before);
    expect(seen.events.filter(({ type }) => type === 'over').map(({ data }) => data)).toEqual([
      { reason: 'logged_out' },
    ]);
  });

  test("has the reader's language, and shows nothing about other logins", async () => {
    await user.signIn();
    const other = await signedIn();
    const { seen, close } = await watch(user.cookie, 'vi');
    await until('the sign-in is told', () => of(seen, 'signed_in').length > 0);
    expect(of(seen, 'signed_in').at(-1)?.data.text).toBe(vi.signInHappened(vi.unknownDevice));
    await other.logOut();
    await world.oneId.deliveries.idle();
    await post('/sessions/end-others', fromHere);
    await until('what comes after it is told', () => of(seen, 'others_ended').length > 0);
    const since = seen.events.filter(({ data }) => data.kind === 'told' || data.kind === 'obeyed');
    expect(since).toEqual([]);
    close();
  });

  test('shows no logout token that the library has refused', async () => {
    await user.signIn();
    const { sid, issuer } = await user.me();
    const { seen, close } = await watch(user.cookie);
    const claims = Buffer.from(JSON.stringify({ iss: issuer, sid })).toString('base64url');
    const forged = await fetch(`${world.url}/backchannel_logout`, {
      method: 'POST',
      body: new URLSearchParams({ logout_token: `eyJhbGciOiJub25lIn0.${claims}.` }),
    });
    expect(forged.status).toBe(400);
    await post('/sessions/end-others', fromHere);
    await until('what comes after it is told', () => of(seen, 'others_ended').length > 0);
    expect(of(seen, 'told')).toEqual([]);
    close();
  });
});

describe('the second app', () => {
  test('has cookies with other names, because both apps have the same host', async () => {
    await user.signIn();
    const second = new ReferenceUser(world.secondUrl);
    const page = await second.signIn();
    expect(page.body).toContain('Second app');
    expect(second.cookie).toMatch(/^second_app_session=[\da-f]{64}$/);
    expect(user.cookie).toMatch(/^app_session=[\da-f]{64}$/);
  });

  test('learns of a logout only from OneID, because it has its own database', async () => {
    const second = new ReferenceUser(world.secondUrl);
    await second.signIn();
    const { cookie } = second;
    await endAll();
    expect(await second.meInShort()).toBe('200');
    const first = new ReferenceUser(world.url, second.browser);
    await first.signIn();
    await first.logOut();
    await world.oneId.deliveries.idle();
    expect(await second.meInShortWith(cookie)).toBe('401 logged_out');
  });
});

function eventOf(block: string): SeenEvent[] {
  const field = (name: string) => new RegExp(`^${name}: ?(.*)$`, 'm').exec(block)?.[1];
  const [type, data] = [field('event'), field('data')];
  return type === undefined || data === undefined ? [] : [{ type, data: JSON.parse(data) as SeenEvent['data'] }];
}

/** The names of all texts, at every depth. */
function shapeOf(texts: object): unknown {
  return Object.fromEntries(
    Object.entries(texts).map(([key, value]: [string, unknown]) => [
      key,
      typeof value === 'object' && value !== null ? shapeOf(value) : typeof value,
    ]),
  );
}

describe('after an outage of the app', () => {
  let outages = 0;
  const outage = async () => {
    outages += 1;
    const recorder = world.app.get(LogoutRecorder, { strict: false });
    await recorder.endUnconfirmed(world.oneId.issuer, 'reference-app', outages);
  };

  beforeEach(async () => {
    await user.signIn();
    await outage();
  });

  test.each(['/', '/account'])(
    'a user who is still signed in at OneID comes back to %s without a form',
    async (path) => {
      const first = await user.browser.get(world.url + path);
      expect([first.status, first.headers.get('cache-control')]).toEqual([303, 'no-store']);
      const page = await user.browser.follow(first);
      expect([page.status, page.url]).toEqual([200, world.url + path]);
      expect(await user.meInShort()).toBe('200');
    },
  );

  test('a user who has logged out at OneID meanwhile gets the form of OneID', async () => {
    // the cookies of OneID are lost, as after a logout there
    const { cookie } = user;
    const page = await new Browser().get(`${world.url}/account`, { cookie });
    expect(page.next).toBe(`${world.url}/login?returnTo=%2Faccount`);
    const form = await new Browser().visit(page.next ?? '');
    expect([new URL(form.url).origin, form.body.includes('name="password"')]).toEqual([
      new URL(world.oneId.issuer).origin,
      true,
    ]);
  });

  test('a script gets 401 unconfirmed, and a form gets a page with a link to sign in', async () => {
    expect(await user.meInShort()).toBe('401 unconfirmed');
    const script = await user.browser.get(`${world.url}/sessions`, {
      'sec-fetch-mode': 'cors',
      'sec-fetch-dest': 'empty',
    });
    expect(script.status).toBe(401);
    const answer = await post('/sessions/end-others', fromHere);
    expect(answer.status).toBe(401);
    const body = await answer.text();
    expect(body).toContain(en.refused.unconfirmed);
    expect(body).toContain('href="/login"');
  });

  test.each(['https://evil.example/', '//evil.example', '/logout', '/account/', ''])(
    'a sign-in returns to no page that a link chooses freely: %j',
    async (returnTo) => {
      const query = new URLSearchParams({ returnTo }).toString();
      const page = await user.browser.visit(`${world.url}/login?${query}`);
      expect([page.status, page.url]).toEqual([200, `${world.url}/`]);
    },
  );
});
