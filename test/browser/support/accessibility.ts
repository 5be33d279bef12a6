import axe, { type AxeResults } from 'axe-core';
import { type Page } from 'playwright-core';

/** The faults that axe finds on a page, in light and in dark mode: each with its rule and its elements. */
export async function accessibilityFaults(page: Page): Promise<string[]> {
  const faults: string[] = [];
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    // evaluated, because the page's policy forbids a script element
    await page.evaluate(axe.source);
    const { violations } = await page.evaluate<AxeResults>(`axe.run()`);
    for (const { id, nodes } of violations)
      faults.push(`${colorScheme} ${id}: ${nodes.map(({ html }) => html).join()}`);
  }
  await page.emulateMedia({ colorScheme: 'light' });
  return faults;
}
