import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { type Browser } from 'playwright-core';
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

describe('without a mouse', () => {
  test('the user reaches everything by Tab, in reading order, and activates it by Enter', async () => {
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
  test('everything works except the timeline', async () => {
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
