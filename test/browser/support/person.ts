import { type Browser, type BrowserContext, type Page } from 'playwright-core';
import { oneIdTexts } from '../../../src/embedded-oneid/texts.js';
import { type Language } from '../../../src/html/language.js';
import { pageTexts } from '../../../src/pages/texts.js';

const LOCALES: Readonly<Record<Language, string>> = { en: 'en-GB', vi: 'vi-VN' };

/** A user with a separate browser profile, who reads pages and clicks. */
export class Person {
  readonly texts;
  readonly oneIdTexts;

  private constructor(
    readonly context: BrowserContext,
    readonly page: Page,
    readonly language: Language,
  ) {
    this.texts = pageTexts[language];
    this.oneIdTexts = oneIdTexts[language];
  }

  static async with(browser: Browser, language: Language = 'en'): Promise<Person> {
    const context = await browser.newContext({
      locale: LOCALES[language],
      timezoneId: 'Asia/Ho_Chi_Minh',
      viewport: { width: 880, height: 640 },
      reducedMotion: 'reduce',
    });
    context.setDefaultTimeout(10_000);
    return new Person(context, await context.newPage(), language);
  }

  /** Opens another tab of the same browser. */
  async newTab(): Promise<Person> {
    return new Person(this.context, await this.context.newPage(), this.language);
  }

  /** Opens an app and signs in. @returns whether OneID showed its sign-in form */
  async signIn(url: string): Promise<boolean> {
    await this.page.goto(`${url}/`);
    await this.follow(this.texts.signIn);
    return this.arrive(`${url}/`);
  }

  /** Submits OneID's sign-in form if it appears, and waits for the app's page. @returns whether the form appeared */
  async arrive(url: string): Promise<boolean> {
    const button = this.page.getByRole('button', { name: this.oneIdTexts.signIn });
    const home = this.page.locator('#timeline');
    await button.or(home).waitFor();
    const asked = await button.isVisible();
    if (asked) await button.click();
    await this.page.waitForURL(url);
    await home.waitFor();
    return asked;
  }

  async press(name: string): Promise<void> {
    await this.page.getByRole('button', { name, exact: true }).click();
  }

  async follow(name: string): Promise<void> {
    await this.page.getByRole('link', { name, exact: true }).click();
  }

  /** Waits for a heading. */
  async sees(heading: string): Promise<void> {
    await this.page.getByRole('heading', { name: heading, exact: true }).waitFor();
  }

  async reads(text: string | RegExp): Promise<void> {
    await this.page.getByText(text).first().waitFor();
  }

  /** The lines of the timeline, without their times. */
  async timeline(): Promise<string[]> {
    return this.page.locator('#timeline li span').allTextContents();
  }

  /** Logs out of the app of the open page, confirms at OneID, and returns to the app. */
  async logOut(channels: 'both' | 'backchannel' | 'frontchannel' = 'both'): Promise<void> {
    await this.press(this.texts.logOut);
    await this.sees(this.oneIdTexts.confirm);
    await this.page.getByLabel(this.oneIdTexts[channels]).check();
    await this.press(this.oneIdTexts.yes);
    await this.page.waitForURL(/\/goodbye$/);
    await this.sees(this.texts.goodbye);
  }

  /** An app's answer to this browser: `200`, or `401` and the reason. */
  async stateAt(url: string): Promise<string> {
    const answer = await this.context.request.get(`${url}/me`, { headers: { accept: 'application/json' } });
    const { reason = '' } = (await answer.json()) as { reason?: string };
    return `${answer.status()} ${reason}`.trim();
  }

  /** This browser's login at OneID, as the app returns it. */
  async loginAt(url: string): Promise<{ issuer: string; sid: string }> {
    const answer = await this.context.request.get(`${url}/me`);
    return (await answer.json()) as { issuer: string; sid: string };
  }

  close(): Promise<void> {
    return this.context.close();
  }
}
