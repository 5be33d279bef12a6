import { join } from 'node:path';
import { type Page } from 'playwright-core';

const folder = join(import.meta.dirname, '../../../docs/images');

/** Takes the pictures that the README shows. */
export async function screenshot(page: Page, name: string): Promise<void> {
  await page.evaluate('document.fonts.ready.then(() => undefined)');
  await page.screenshot({ path: join(folder, `${name}.png`), animations: 'disabled' });
}
