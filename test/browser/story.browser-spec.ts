import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Browser } from 'playwright-core';
import { type Language, LANGUAGES } from '../../src/html/language.js';
import { accessibilityFaults } from './support/accessibility.js';
import { launchChromium } from './support/chromium.js';
import { Person } from './support/person.js';
import { screenshot } from './support/screenshot.js';
import { World } from '../support/world.js';

let world: World;
let browser: Browser;

beforeAll(async () => {
  world = await World.start(3000);
  browser = await launchChromium();
});

afterAll(async () => {
  await browser.close();
  await world.stop();
});

describe.each(Object.keys(LANGUAGES) as Language[])('the whole story with clicks, in %s', (language) => {
  let person: Person;
  /** The same browser in the second app. */
  let beside: Person;

  /** Checks a page: it is accessible, in one language, and fits a phone. */
  async function look(name: string, { page }: Person = person): Promise<void> {
    expect(await accessibilityFaults(page)).toEqual([]);
    expect(await page.locator('html').getAttribute('lang')).toBe(language);
    await screenshot(page, `${name}.${language}`);
    const { width, height } = page.viewportSize() ?? { width: 0, height: 0 };
    await page.setViewportSize({ width: 360, height });
    expect(await page.evaluate<number>('document.documentElement.scrollWidth')).toBeLessThanOrEqual(360);
    await page.setViewportSize({ width, height });
  }

  beforeAll(async () => {
    person = await Person.with(browser, language);
    beside = await person.newTab();
  });

  afterAll(() => person.close());

  test('signed out: shows a description and a button', async () => {
    await person.page.goto(`${world.url}/`);
    await person.sees(person.texts.signedOut);
    await person.reads(person.texts.whatThisIs);
    await look('signed-out');
  });

  test("OneID's form refuses a wrong password, and signs in with the right one", async () => {
    await person.follow(person.texts.signIn);
    await person.sees(person.oneIdTexts.signIn);
    await look('oneid-sign-in');
    await person.page.getByLabel(person.oneIdTexts.password).fill('wrong');
    await person.press(person.oneIdTexts.signIn);
    await person.reads(person.oneIdTexts.wrongPassword);
    expect(await accessibilityFaults(person.page)).toEqual([]);

    await person.page.getByLabel(person.oneIdTexts.password).fill('demo');
    await person.press(person.oneIdTexts.signIn);
    await person.page.waitForURL(`${world.url}/`);
    await person.sees(person.texts.signedIn);
    await person.reads(person.texts.signInHappened('Chrome · Linux'));
    await look('signed-in');
  });

  test('shows what the app knows about the user', async () => {
    await person.follow(person.texts.account);
    await person.sees(person.texts.account);
    await person.reads(world.oneId.issuer);
    expect(await accessibilityFaults(person.page)).toEqual([]);
    await person.follow(person.texts.back);
    await person.sees(person.texts.signedIn);
  });

  test('opens the second app with one click, in its own tab', async () => {
    const opened = person.context.waitForEvent('page');
    await person.follow(person.texts.openOther('Second app'));
    const tab = await opened;
    await tab.waitForURL(`${world.secondUrl}/`);
    await tab.close();
  });

  test("signs in to the second app through OneID's page, without a password", async () => {
    await beside.page.goto(`${world.url}/`);
    await beside.follow(world.oneId.issuer);
    await beside.sees(beside.oneIdTexts.account);
    await beside.reads('Demo User');
    expect(await accessibilityFaults(beside.page)).toEqual([]);
    await beside.follow('Second app');
    await beside.sees(beside.texts.signedOut);
    await beside.follow(beside.texts.signIn);
    expect(await beside.arrive(`${world.secondUrl}/`)).toBe(false);
    await beside.sees(beside.texts.signedIn);
  });

  test('shows the session of another device without a reload, and ends it', async () => {
    const other = await Person.with(browser, language);
    await other.signIn(world.url);
    const list = person.page.locator('.sessions li');
    await list.nth(1).waitFor();
    expect(await list.count()).toBe(2);
    expect(await list.filter({ hasText: person.texts.thisOne }).count()).toBe(1);
    await look('sessions');

    await list.filter({ hasNotText: person.texts.thisOne }).getByRole('button').click();
    await other.sees(other.texts.over);
    expect(await other.timeline()).toContain(other.texts.obeyed.admin);
    expect(await other.stateAt(world.url)).toBe('401 logged_out');
    await person.reads(person.texts.sessionEnded('Chrome · Linux'));
    expect(await list.count()).toBe(1);
    await other.close();
  });

  test('ends all other sessions', async () => {
    const others = [await Person.with(browser, language), await Person.with(browser, language)];
    for (const other of others) await other.signIn(world.url);
    await person.page.locator('.sessions li').nth(2).waitFor();
    await person.press(person.texts.endOthers);
    await person.reads(person.texts.othersEnded(2));
    await person.reads(person.texts.noOthers);
    for (const other of others) {
      await other.sees(other.texts.over);
      await other.close();
    }
    expect(await person.stateAt(world.url)).toBe('200');
  });

  test.each([
    ['backchannel', ['backchannel']],
    ['frontchannel', ['frontchannel']],
    ['both', ['backchannel', 'frontchannel']],
  ] as const)('a logout at the second app, sent over %s, ends this session at once', async (channels, told) => {
    await beside.page.goto(`${world.secondUrl}/`);
    await beside.press(beside.texts.logOut);
    await beside.sees(beside.oneIdTexts.confirm);
    expect(await beside.page.locator('.apps li').allTextContents()).toEqual(['Reference app', 'Second app']);
    if (channels === 'both') await look('oneid-log-out', beside);
    await beside.page.getByLabel(beside.oneIdTexts[channels]).check();
    await beside.press(beside.oneIdTexts.yes);
    await beside.page.waitForURL(`${world.secondUrl}/goodbye`);
    await beside.sees(beside.texts.goodbye);

    await person.sees(person.texts.over);
    await person.reads(person.texts.overText.logged_out);
    for (const channel of told) await person.reads(inAnyTime(person.texts.told[channel]));
    const obeyed = (await person.timeline()).filter((line) => Object.values(person.texts.obeyed).includes(line));
    // with both channels, the first one counts
    const possible = told.map((channel) => person.texts.obeyed[channel]);
    expect(possible.map((line) => [line])).toContainEqual(obeyed);
    expect(await person.page.locator('#signed-in').count()).toBe(0);
    expect(await person.stateAt(world.url)).toBe('401 logged_out');
    if (channels === 'both') await look('session-over');

    await person.follow(person.texts.signInAgain);
    expect(await person.arrive(`${world.url}/`)).toBe(true);
    await beside.follow(beside.texts.startAgain);
    await beside.follow(beside.texts.signIn);
    await beside.arrive(`${world.secondUrl}/`);
  });

  test('a logout here only does not end the session of the second app', async () => {
    await person.press(person.texts.logOutHere);
    await person.sees(person.texts.goodbye);
    await person.reads(person.texts.goodbyeHere);
    expect(await person.stateAt(world.url)).toBe('401 missing');
    expect(await beside.stateAt(world.secondUrl)).toBe('200');
    await person.follow(person.texts.startAgain);
    await person.follow(person.texts.signIn);
    expect(await person.arrive(`${world.url}/`)).toBe(false);
  });

  test('a user who cancels at OneID is signed out here, and only here', async () => {
    await person.press(person.texts.logOut);
    await person.sees(person.oneIdTexts.confirm);
    await person.press(person.oneIdTexts.no);
    await person.sees(person.oneIdTexts.stillSignedIn);
    expect(await accessibilityFaults(person.page)).toEqual([]);
    await person.follow('Reference app');
    await person.sees(person.texts.signedOut);
    expect(await beside.stateAt(world.secondUrl)).toBe('200');
  });

  test('shows a page when a request is refused', async () => {
    await person.signIn(world.url);
    const tab = await person.newTab();
    await tab.page.goto(`${world.url}/account`);
    await person.logOut();
    await look('goodbye');
    await tab.page.reload();
    await tab.sees(tab.texts.refusedTitle);
    await tab.reads(tab.texts.refused.missing);
    await look('refused', tab);
  });

  test('changes the language, and the browser remembers it', async () => {
    const other = language === 'en' ? 'vi' : 'en';
    await person.page.goto(`${world.url}/`);
    await person.follow(LANGUAGES[other]);
    expect(await person.page.locator('html').getAttribute('lang')).toBe(other);
    await person.page.goto(`${world.url}/`);
    expect(await person.page.locator('html').getAttribute('lang')).toBe(other);
    // OneID gets the language too
    await person.page.getByRole('link', { name: /OneID/ }).first().click();
    expect(await person.page.locator('html').getAttribute('lang')).toBe(other);
    await person.follow(LANGUAGES[language]);
    expect(await person.page.locator('html').getAttribute('lang')).toBe(language);
  });
});

test.each(Object.keys(LANGUAGES) as Language[])('the pages fit a phone in dark mode, in %s', async (language) => {
  const person = await Person.with(browser, language);
  await person.page.setViewportSize({ width: 390, height: 844 });
  await person.page.emulateMedia({ colorScheme: 'dark' });
  await person.signIn(world.url);
  await person.reads(person.texts.signInHappened('Chrome · Linux'));
  expect(await accessibilityFaults(person.page)).toEqual([]);
  await person.page.emulateMedia({ colorScheme: 'dark' });
  await screenshot(person.page, `phone-dark.${language}`);
  await person.close();
});

/** A pattern for a sentence with a number. */
function inAnyTime(sentence: (ms: number) => string): RegExp {
  const [before = '', after = ''] = sentence(7777)
    .split('7777')
    .map((part) => part.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&'));
  return new RegExp(`^${before}\\d+${after}$`);
}
