import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { type Browser, type Page } from 'playwright-core';
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

/** The text of every page in this tab's history, from the last page back to the first. */
async function backAndBack(page: Page): Promise<string[]> {
  const seen: string[] = [];
  for (let step = 0; step < 10 && page.url() !== 'about:blank'; step += 1) {
    await page.goBack({ waitUntil: 'load' }).catch(() => null);
    // a page from the back/forward cache reloads itself
    await page.waitForLoadState('networkidle').catch(() => undefined);
    if (page.url().startsWith(world.url)) seen.push(`${page.url()} ${await page.innerText('main')}`);
  }
  return seen;
}

describe('the back button after a logout', () => {
  test('shows no data of the user', async () => {
    await person.signIn(world.url);
    await person.follow(person.texts.account);
    await person.sees(person.texts.account);
    const { sid } = await person.loginAt(world.url);
    await person.follow(person.texts.back);
    await person.sees(person.texts.signedIn);
    await person.logOut();

    const seen = await backAndBack(person.page);
    expect(seen).toContainEqual(expect.stringContaining(person.texts.refused.missing));
    expect(seen).toContainEqual(expect.stringContaining(person.texts.signedOut));
    expect(seen.filter((text) => /\bAs demo\b/.test(text) || text.includes(sid))).toEqual([]);
  });

  test('shows no data of a user whose session OneID has ended', async () => {
    await person.signIn(world.url);
    await person.follow(person.texts.account);
    await person.sees(person.texts.account);
    const login = await person.loginAt(world.url);
    await person.page.goto(`${world.url}/goodbye`);
    await world.endOnlyAtApp(login);

    const seen = await backAndBack(person.page);
    expect(seen).toContainEqual(expect.stringContaining(person.texts.refused.logged_out));
    expect(seen.filter((text) => /\bAs demo\b/.test(text) || text.includes(login.sid))).toEqual([]);
  });

  test("a page from the browser's back/forward cache shows no data of the user", async () => {
    const { page, texts, context } = person;
    await context.addInitScript(`addEventListener('pageshow', ({ persisted }) => {
      if (persisted) sessionStorage.setItem('kept', location.pathname);
    })`);
    await person.signIn(world.url);
    const tab = await person.newTab();
    // the browser does not cache a page with an event stream, and the app opens no stream in a hidden tab
    await tab.page.addInitScript("Object.defineProperty(document, 'hidden', { get: () => true })");
    await tab.page.goto(`${world.url}/account`);
    await tab.sees(texts.account);
    const login = await person.loginAt(world.url);
    await tab.page.goto(`${world.url}/goodbye`);
    await page.close();
    await world.endOnlyAtApp(login);
    await tab.page.goBack();
    await tab.sees(texts.refusedTitle);
    await tab.reads(texts.refused.logged_out);
    expect(await tab.page.innerText('main')).not.toContain(login.sid);
    expect(await tab.page.evaluate("sessionStorage.getItem('kept')")).toBe('/account');
  });

  test.each(['/', '/account', '/me', '/sessions', '/goodbye'])('forbids caches to keep %s', async (path) => {
    await person.signIn(world.url);
    const answer = await person.context.request.get(world.url + path);
    expect([answer.status(), answer.headers()['cache-control']]).toEqual([200, 'no-store']);
  });
});

describe('what the browser keeps', () => {
  test("a logout removes the cookies of the session and of the logout, and the app's stored data", async () => {
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

  test("a link to the callback clears nothing, so that no other site can clear the app's data", async () => {
    await person.signIn(world.url);
    await person.page.evaluate("localStorage.setItem('draft', 'of demo')");
    await person.page.goto(`${world.url}/logout/callback?state=made-up`);
    await person.sees(person.texts.signedIn);
    expect(await person.page.evaluate("localStorage.getItem('draft')")).toBe('of demo');
  });
});

describe('a sign-in after a logout', () => {
  test('a login that has ended here and is alive at OneID causes no redirect loop: prompt=login', async () => {
    await person.signIn(world.url);
    const dead = await person.loginAt(world.url);
    await world.endOnlyAtApp(dead);
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
    expect((await person.loginAt(world.url)).sid).not.toBe(dead.sid);
  });

  test('a page that was open when the session ended gets a page with the reason and a link', async () => {
    await person.signIn(world.url);
    await person.follow(person.texts.account);
    await person.sees(person.texts.account);
    await world.endOnlyAtApp(await person.loginAt(world.url));
    const answer = await person.page.reload();
    expect(answer?.status()).toBe(401);
    await person.reads(person.texts.refused.logged_out);
    await person.follow(person.texts.signInAgain);
    await person.sees(person.oneIdTexts.signIn);
  });

  test('a form of this page is refused, too', async () => {
    await person.signIn(world.url);
    const tab = await person.newTab();
    await tab.page.route('**/app.js', (route) => route.abort());
    await tab.page.goto(`${world.url}/`);
    await tab.sees(tab.texts.signedIn);
    await world.endOnlyAtApp(await person.loginAt(world.url));
    await tab.page.locator('.sessions button').first().click();
    await tab.sees(tab.texts.refusedTitle);
    await tab.reads(tab.texts.refused.logged_out);
  });
});
