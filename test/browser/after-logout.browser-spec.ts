import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { type Browser, type Page } from 'playwright-core';
import { LogoutRecorder } from '../../libs/oneid-logout/src/sessions/logout-recorder.js';
import { ReplicaStatus } from 'nestjs-oneid-logout';
import { until } from '../support/until.js';
import { launchChromium } from './support/chromium.js';
import { Person } from './support/person.js';
import { World } from '../support/world.js';

let world: World;
let browser: Browser;
let person: Person;

beforeAll(async () => {
  world = await World.start();
  browser = await launchChromium();
});

afterAll(async () => {
  await browser.close();
  await world.stop();
});

beforeEach(async () => {
  person = await Person.with(browser);
});

afterEach(() => person.close());

/** This browser's login at OneID. */
async function loginOf({ context }: Person): Promise<{ issuer: string; sid: string }> {
  const answer = await context.request.get(`${world.url}/me`);
  return (await answer.json()) as { issuer: string; sid: string };
}

/** OneID tells the app that a login is over, and keeps it alive itself, as some versions of Hydra do. */
async function endAtAppAlone({ issuer, sid }: { issuer: string; sid: string }): Promise<void> {
  await world.app.get(LogoutRecorder, { strict: false }).backchannel({
    ...{ issuer, sid, clientId: 'reference-app', scope: 'session' },
    jti: `of ${sid}`,
    iat: Math.floor(Date.now() / 1000),
  });
}

/** Everything to be read on a page that stands in this tab, after as many steps back as there are. */
async function backAndBack(page: Page): Promise<string[]> {
  const seen: string[] = [];
  for (let step = 0; step < 10 && page.url() !== 'about:blank'; step += 1) {
    await page.goBack({ waitUntil: 'load' }).catch(() => null);
    // a page that has been kept loads itself anew
    await page.waitForLoadState('networkidle').catch(() => undefined);
    if (page.url().startsWith(world.url)) seen.push(`${page.url()} ${await page.innerText('main')}`);
  }
  return seen;
}

describe('the back button after a logout', () => {
  test('shows nothing of the user', async () => {
    await person.signIn(world.url);
    await person.follow(person.texts.account);
    await person.sees(person.texts.account);
    const { sid } = await loginOf(person);
    await person.follow(person.texts.back);
    await person.sees(person.texts.signedIn);
    await person.logOut();

    const seen = await backAndBack(person.page);
    expect(seen).toContainEqual(expect.stringContaining(person.texts.refused.missing));
    expect(seen).toContainEqual(expect.stringContaining(person.texts.signedOut));
    expect(seen.filter((text) => /\bAs demo\b/.test(text) || text.includes(sid))).toEqual([]);
  });

  test('shows nothing of a user whose session was ended from outside', async () => {
    await person.signIn(world.url);
    await person.follow(person.texts.account);
    await person.sees(person.texts.account);
    const login = await loginOf(person);
    await person.page.goto(`${world.url}/goodbye`);
    await endAtAppAlone(login);

    const seen = await backAndBack(person.page);
    expect(seen).toContainEqual(expect.stringContaining(person.texts.refused.logged_out));
    expect(seen.filter((text) => /\bAs demo\b/.test(text) || text.includes(login.sid))).toEqual([]);
  });

  test('nor does a page that the browser has kept as it was, which no header forbids', async () => {
    const { page, texts, context } = person;
    await context.addInitScript(`addEventListener('pageshow', ({ persisted }) => {
      if (persisted) sessionStorage.setItem('kept', location.pathname);
    })`);
    await person.signIn(world.url);
    const tab = await person.newTab();
    // a page that has listened is not kept by this browser; one that was opened behind another has not
    await tab.page.addInitScript("Object.defineProperty(document, 'hidden', { get: () => true })");
    await tab.page.goto(`${world.url}/account`);
    await tab.sees(texts.account);
    const login = await loginOf(person);
    await tab.page.goto(`${world.url}/goodbye`);
    await page.close();
    await endAtAppAlone(login);
    await tab.page.goBack();
    await tab.sees(texts.refusedTitle);
    await tab.reads(texts.refused.logged_out);
    expect(await tab.page.innerText('main')).not.toContain(login.sid);
    expect(await tab.page.evaluate("sessionStorage.getItem('kept')")).toBe('/account');
  });

  test.each(['/', '/account', '/me', '/sessions', '/goodbye'])('no cache keeps %s', async (path) => {
    await person.signIn(world.url);
    const answer = await person.context.request.get(world.url + path);
    expect([answer.status(), answer.headers()['cache-control']]).toEqual([200, 'no-store']);
  });
});

describe('what the browser keeps', () => {
  test('cookies of the session and of the logout are gone, and what the app has stored', async () => {
    await person.signIn(world.url);
    await person.page.evaluate("localStorage.setItem('draft', 'of demo')");
    await person.follow('English');
    await person.sees(person.texts.signedIn);
    const names = async () => (await person.context.cookies(world.url)).map(({ name }) => name).sort();
    expect(await names()).toEqual(['app_session', 'language']);
    await person.logOut();
    expect(await names()).toEqual(['language']);
    expect(await person.page.evaluate("localStorage.getItem('draft')")).toBeNull();
  });

  test('a link to the callback clears nothing: no other site can have that done', async () => {
    await person.signIn(world.url);
    await person.page.evaluate("localStorage.setItem('draft', 'of demo')");
    await person.page.goto(`${world.url}/logout/callback?state=made-up`);
    await person.sees(person.texts.signedIn);
    expect(await person.page.evaluate("localStorage.getItem('draft')")).toBe('of demo');
  });
});

describe('two tabs', () => {
  test('one logs out, the other says so at once, and offers to sign in', async () => {
    await person.signIn(world.url);
    const other = await person.newTab();
    await other.page.goto(`${world.url}/`);
    await other.sees(other.texts.signedIn);
    await person.press(person.texts.logOut);

    await other.sees(other.texts.over);
    expect(await other.page.locator('#signed-in').count()).toBe(0);
    expect(await other.page.evaluate('document.activeElement.textContent')).toBe(other.texts.over);
    await other.follow(other.texts.signInAgain);
    await other.arrive(`${world.url}/`);
  });

  /** Has a page believe that another tab is in front of it, or that it is seen again. */
  const look = ({ page }: Person, hidden: boolean) =>
    page.evaluate(`(() => {
      Object.defineProperty(document, 'hidden', { value: ${hidden}, configurable: true });
      document.dispatchEvent(new Event('visibilitychange'));
    })()`);

  const openStreams = () => world.app.get(ReplicaStatus).read().openConnections;

  test('ten of them: none stands in the way of another, and each says so when it is seen', async () => {
    await person.signIn(world.url);
    const tabs = [person];
    for (let count = 1; count < 10; count += 1) {
      await look(tabs.at(-1) ?? person, true);
      const tab = await person.newTab();
      await tab.page.goto(`${world.url}/${count % 2 === 0 ? '' : 'account'}`);
      tabs.push(tab);
    }
    await until('only the last one listens', () => openStreams() === 1);
    await endAtAppAlone(await loginOf(person));
    await tabs.at(-1)?.sees(person.texts.over);
    for (const tab of tabs.slice(0, -1)) {
      expect(await tab.page.locator('#signed-in').count()).toBe(1);
      await look(tab, false);
      await tab.sees(tab.texts.over);
      await tab.reads(tab.texts.overText.logged_out);
      expect(await tab.page.locator('#signed-in').count()).toBe(0);
    }
    await until('nobody listens', () => openStreams() === 0);
  });

  test('one comes back when this browser has signed in anew: it is in the new session, too', async () => {
    await person.signIn(world.url);
    const other = await person.newTab();
    await other.page.goto(`${world.url}/account`);
    await other.sees(other.texts.account);
    const { sid } = await loginOf(person);
    await look(other, true);
    await person.logOut();
    await person.signIn(world.url);
    await look(other, false);
    await other.page.getByText(sid).waitFor({ state: 'detached' });
    await other.reads((await loginOf(person)).sid);
  });

  test('one signs in anew, and the other is in the new session without a word', async () => {
    await person.signIn(world.url);
    const other = await person.newTab();
    await other.page.goto(`${world.url}/`);
    await other.sees(other.texts.signedIn);
    const session = () => other.page.locator('#over-notice').getAttribute('data-session');
    const before = await session();
    const loaded = other.page.waitForEvent('load');
    await person.page.goto(`${world.url}/login`);
    await person.sees(person.texts.signedIn);
    await loaded;
    await other.sees(other.texts.signedIn);
    expect(await session()).not.toBe(before);
  });

  test('of two browsers, where the other is not touched', async () => {
    await person.signIn(world.url);
    const stranger = await Person.with(browser);
    await stranger.signIn(world.url);
    await person.logOut();
    expect(await stranger.stateAt(world.url)).toBe('200');
    await stranger.sees(stranger.texts.signedIn);
    await stranger.close();
  });
});

describe('a stream that', () => {
  /** Answers for the app, as often as is said; then the app does. */
  async function answers(...bodies: (string | number)[]): Promise<() => number> {
    let asked = 0;
    await person.page.route('**/timeline', async (route) => {
      asked += 1;
      const body = bodies.shift();
      if (body === undefined) await route.continue();
      else if (typeof body === 'number') await route.fulfill({ status: body });
      else await route.fulfill({ status: 200, contentType: 'text/event-stream', body });
    });
    return () => asked;
  }

  const event = (type: string, data: object) => `event: ${type}\ndata: ${JSON.stringify(data)}\n\n`;
  const entry = { at: '2026-01-01T10:00:00.000Z', kind: 'signed_in', text: 'one of before' };

  beforeEach(async () => {
    await person.signIn(world.url);
    await endOthers();
    await endOthers();
  });

  const endOthers = () =>
    person.context.request.post(`${world.url}/sessions/end-others`, { headers: { origin: world.url } });

  test.each(['shutting_down', 'out_of_sync'])(
    'ends because the app is %s is no logout: it comes back',
    async (reason) => {
      const asked = await answers(`retry: 100\n\n${event('entry', entry)}${event('over', { reason })}`);
      await person.page.reload();
      await person.reads('one of before');
      await until('it has come back', () => asked() === 2);
      await person.page.getByText('one of before').waitFor({ state: 'detached' });
      await person.reads(person.texts.othersEnded(0));
      expect(await person.page.locator('#over').innerText()).toBe('');
      await person.sees(person.texts.signedIn);
    },
  );

  test('comes back tells everything once', async () => {
    const told = `retry: 100\n\n${event('entry', entry)}`;
    const asked = await answers(told, told, told);
    await person.page.reload();
    await until('it has come back', () => asked() === 3);
    expect(await person.timeline()).toEqual(['one of before']);
  });

  test('is refused is asked for again with patience, and the page says so meanwhile', async () => {
    const asked = await answers(429, 503);
    const before = Date.now();
    await person.page.reload();
    await person.reads(person.texts.connectionLost);
    await person.reads(person.texts.othersEnded(0));
    await person.page
      .getByText(person.texts.connectionLost)
      .waitFor({ state: 'detached' })
      .catch(() => undefined);
    expect(await person.page.locator('#lost').innerText()).toBe('');
    expect([asked(), Date.now() - before > 3_000]).toEqual([3, true]);
  });

  test('is refused because the session is over: the page says that', async () => {
    await answers(503);
    await person.page.route('**/me', async (route) => {
      await endAtAppAlone(await loginOf(person));
      await route.continue();
    });
    await person.page.reload();
    await person.sees(person.texts.over);
    await person.reads(person.texts.overText.logged_out);
  });
});

describe('an app that stops', () => {
  test('does so at once, whoever has a page open, and the page says that it does not answer', async () => {
    const own = await World.start();
    await person.signIn(own.url);
    await person.reads(person.texts.signInHappened('Chrome · Linux'));
    const stopped = own.stop().then(() => 'stopped');
    // an EventSource comes back after 3 s, which would keep a server up as long as the page is open
    expect(await Promise.race([stopped, person.page.waitForTimeout(10_000).then(() => 'still there')])).toBe('stopped');
    await person.reads(person.texts.connectionLost);
    await person.sees(person.texts.signedIn);
  });
});

describe('the list of sessions', () => {
  test('takes nobody’s focus away when it changes', async () => {
    await person.signIn(world.url);
    const { page, texts } = person;
    const buttons = page.locator('.sessions button');
    const before = await buttons.count();
    await buttons.first().focus();
    const other = await Person.with(browser);
    const refreshed = page.waitForResponse('**/sessions');
    await other.signIn(world.url);
    await (await refreshed).finished();
    expect(await buttons.count()).toBe(before);
    expect(await page.evaluate('document.activeElement.textContent')).toBe(texts.end);
    await page.keyboard.press('Shift+Tab');
    await buttons.nth(before).waitFor();
    await other.close();
  });
});

describe('signing in once more', () => {
  test('a login that is over here and alive at OneID does not go round in circles: prompt=login', async () => {
    await person.signIn(world.url);
    const dead = await loginOf(person);
    await endAtAppAlone(dead);
    await person.sees(person.texts.over);

    const prompts: (string | null)[] = [];
    person.page.on('request', (request) => {
      const { pathname, searchParams } = new URL(request.url());
      if (pathname === '/oauth2/auth') prompts.push(searchParams.get('prompt'));
    });
    await person.follow(person.texts.signInAgain);
    await person.sees(person.oneIdTexts.signIn);
    expect(prompts).toEqual([null, 'login']);
    await person.arrive(`${world.url}/`);
    expect(await person.stateAt(world.url)).toBe('200');
    expect((await loginOf(person)).sid).not.toBe(dead.sid);
  });

  test('a page that was open when the session ended is refused, with a reason and a way on', async () => {
    await person.signIn(world.url);
    await person.follow(person.texts.account);
    await person.sees(person.texts.account);
    await endAtAppAlone(await loginOf(person));
    const answer = await person.page.reload();
    expect(answer?.status()).toBe(401);
    await person.reads(person.texts.refused.logged_out);
    await person.follow(person.texts.signInAgain);
    await person.sees(person.oneIdTexts.signIn);
  });

  test('a form of a page that was open then is refused, too', async () => {
    await person.signIn(world.url);
    const tab = await person.newTab();
    await tab.page.route('**/app.js', (route) => route.abort());
    await tab.page.goto(`${world.url}/`);
    await tab.sees(tab.texts.signedIn);
    await endAtAppAlone(await loginOf(person));
    await tab.page.locator('.sessions button').first().click();
    await tab.sees(tab.texts.refusedTitle);
    await tab.reads(tab.texts.refused.logged_out);
  });
});

describe('without a mouse', () => {
  test('everything is reached by Tab, in the order of reading, and done by Enter', async () => {
    const { page, texts } = person;
    const focused = () => page.evaluate<string>('document.activeElement.textContent.trim()');
    const tabTo = async (name: string) => {
      const passed: string[] = [];
      for (let step = 0; step < 12; step += 1) {
        await page.keyboard.press('Tab');
        passed.push(await focused());
        if (passed.at(-1) === name) return passed;
      }
      throw new Error(`${name} is not reached: ${passed.join(', ')}`);
    };
    await page.goto(`${world.url}/`);
    expect(await tabTo(texts.signIn)).toEqual(['Reference app', 'English', 'Tiếng Việt', texts.signIn]);
    await page.keyboard.press('Enter');
    await person.sees(person.oneIdTexts.signIn);
    await tabTo(person.oneIdTexts.signIn);
    await page.keyboard.press('Enter');
    await person.sees(texts.signedIn);
    await tabTo(texts.logOut);
    const outline = 'getComputedStyle(document.activeElement).outlineStyle';
    expect(await page.evaluate(outline)).toBe('solid');
    await page.keyboard.press('Enter');
    await person.sees(person.oneIdTexts.confirm);
    await tabTo(person.oneIdTexts.yes);
    await page.keyboard.press('Enter');
    await person.sees(texts.goodbye);
  });
});

describe('without JavaScript', () => {
  test('all but the timeline works', async () => {
    const context = await browser.newContext({ javaScriptEnabled: false, locale: 'en-GB' });
    const page = await context.newPage();
    const { texts, oneIdTexts } = person;
    await page.goto(`${world.url}/`);
    await page.getByRole('link', { name: texts.signIn }).click();
    await page.getByRole('button', { name: oneIdTexts.signIn }).click();
    await page.getByRole('heading', { name: texts.signedIn }).waitFor();
    expect(await page.locator('noscript p').isVisible()).toBe(true);
    const thisOne = page.locator('.sessions li', { hasText: texts.thisOne });
    await thisOne.getByRole('button', { name: texts.endWhat('Chrome · Linux') }).click();
    await page.getByRole('heading', { name: texts.signedOut }).waitFor();
    await page.getByRole('link', { name: texts.signIn }).click();
    await page.getByRole('heading', { name: texts.signedIn }).waitFor();
    await page.getByRole('button', { name: texts.logOut, exact: true }).click();
    await page.getByRole('button', { name: oneIdTexts.yes, exact: true }).click();
    await page.getByRole('link', { name: oneIdTexts.goOn }).click();
    await page.getByRole('heading', { name: texts.goodbye }).waitFor();
    await context.close();
  });
});
