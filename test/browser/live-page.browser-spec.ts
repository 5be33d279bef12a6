import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { ReplicaStatus } from 'nestjs-oneid-logout';
import { type Browser, type Route } from 'playwright-core';
import { LogoutRecorder } from '../../libs/oneid-logout/src/sessions/logout-recorder.js';
import { until } from '../support/until.js';
import { World } from '../support/world.js';
import { launchChromium } from './support/chromium.js';
import { Person } from './support/person.js';

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

describe('two tabs', () => {
  test('one logs out, and the other shows this at once and offers to sign in', async () => {
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

  /** Makes a page believe that it is hidden, or visible again. */
  const look = ({ page }: Person, hidden: boolean) =>
    page.evaluate(`(() => {
      Object.defineProperty(document, 'hidden', { value: ${hidden}, configurable: true });
      document.dispatchEvent(new Event('visibilitychange'));
    })()`);

  const openStreams = () => world.app.get(ReplicaStatus).read().openConnections;

  test('ten tabs do not block each other, and each shows the logout when it is visible', async () => {
    await person.signIn(world.url);
    const tabs = [person];
    for (let count = 1; count < 10; count += 1) {
      await look(tabs.at(-1) ?? person, true);
      const tab = await person.newTab();
      await tab.page.goto(`${world.url}/${count % 2 === 0 ? '' : 'account'}`);
      tabs.push(tab);
    }
    await until('only the last tab listens', () => openStreams() === 1);
    await world.endOnlyAtApp(await person.loginAt(world.url));
    await tabs.at(-1)?.sees(person.texts.over);
    for (const tab of tabs.slice(0, -1)) {
      expect(await tab.page.locator('#signed-in').count()).toBe(1);
      await look(tab, false);
      await tab.sees(tab.texts.over);
      await tab.reads(tab.texts.overText.logged_out);
      expect(await tab.page.locator('#signed-in').count()).toBe(0);
    }
    await until('no tab listens', () => openStreams() === 0);
  });

  test('a tab comes back after this browser has signed in again: it uses the new session', async () => {
    await person.signIn(world.url);
    const other = await person.newTab();
    await other.page.goto(`${world.url}/account`);
    await other.sees(other.texts.account);
    const { sid } = await person.loginAt(world.url);
    await look(other, true);
    await person.logOut();
    await person.signIn(world.url);
    await look(other, false);
    await other.page.getByText(sid).waitFor({ state: 'detached' });
    await other.reads((await person.loginAt(world.url)).sid);
  });

  test('one signs in again, and the other uses the new session without a message', async () => {
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

  test('in two browsers: a logout in one does not change the other', async () => {
    await person.signIn(world.url);
    const stranger = await Person.with(browser);
    await stranger.signIn(world.url);
    await person.logOut();
    expect(await stranger.stateAt(world.url)).toBe('200');
    await stranger.sees(stranger.texts.signedIn);
    await stranger.close();
  });
});

describe('the event stream', () => {
  /** Answers in place of the app a given number of times; then the app answers. */
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
    'shows no logout when it ends with the reason %s, and reconnects',
    async (reason) => {
      const asked = await answers(`retry: 100\n\n${event('entry', entry)}${event('over', { reason })}`);
      await person.page.reload();
      await person.reads('one of before');
      await until('the page has reconnected', () => asked() === 2);
      await person.page.getByText('one of before').waitFor({ state: 'detached' });
      await person.reads(person.texts.othersEnded(0));
      expect(await person.page.locator('#over').innerText()).toBe('');
      await person.sees(person.texts.signedIn);
    },
  );

  test('shows each entry once after it reconnects', async () => {
    const told = `retry: 100\n\n${event('entry', entry)}`;
    const asked = await answers(told, told, told);
    await person.page.reload();
    await until('the page has reconnected', () => asked() === 3);
    expect(await person.timeline()).toEqual(['one of before']);
  });

  test('is requested again after a pause when the app refuses it, and the page shows the problem', async () => {
    const asked = await answers(429, 503);
    const before = Date.now();
    await person.page.reload();
    await person.reads(person.texts.connectionLost);
    await person.reads(person.texts.othersEnded(0));
    await person.page.getByText(person.texts.connectionLost).waitFor({ state: 'detached' });
    expect(await person.page.locator('#lost').innerText()).toBe('');
    expect([asked(), Date.now() - before > 3_000]).toEqual([3, true]);
  });

  test('makes the page show that the session has ended, when the app refuses it for this reason', async () => {
    await answers(503);
    const endFirst = async (route: Route) => {
      await world.endOnlyAtApp(await person.loginAt(world.url));
      await route.continue();
    };
    await person.page.route('**/me', endFirst, { times: 1 });
    await person.page.reload();
    await person.sees(person.texts.over);
    await person.reads(person.texts.overText.logged_out);
  });
});

describe('an app that stops', () => {
  test('stops at once, even with open pages, and the pages show that it does not answer', async () => {
    const own = await World.start();
    await person.signIn(own.url);
    await person.reads(person.texts.signInHappened('Chrome · Linux'));
    const stopped = own.stop().then(() => 'stopped');
    // an EventSource reconnects after 3 s, which could keep the server running while the page is open
    expect(await Promise.race([stopped, person.page.waitForTimeout(10_000).then(() => 'still there')])).toBe('stopped');
    await person.reads(person.texts.connectionLost);
    await person.sees(person.texts.signedIn);
  });
});

describe('the list of sessions', () => {
  test("keeps the user's focus when it changes", async () => {
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

describe('an outage of the app', () => {
  test('open pages come back to where they were, over OneID and without a form', async () => {
    await person.signIn(world.url);
    const other = await person.newTab();
    const tabs = [
      [person, `${world.url}/account`],
      [other, `${world.url}/`],
    ] as const;
    const { sid } = await person.loginAt(world.url);
    // the page is another one when it no longer has this mark
    for (const [tab, url] of tabs) {
      await tab.page.goto(url);
      await tab.page.evaluate("document.body.dataset.of = 'before'");
    }
    const recorder = world.app.get(LogoutRecorder, { strict: false });
    await recorder.endUnconfirmed(world.oneId.issuer, 'reference-app', 1);

    for (const [tab, url] of tabs) {
      await tab.page.bringToFront();
      await tab.page.locator('body:not([data-of]) #signed-in').waitFor();
      expect(tab.page.url()).toBe(url);
    }
    expect(await person.loginAt(world.url)).toMatchObject({ sid });
  });
});
