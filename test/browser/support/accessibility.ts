import axe, { type AxeResults } from 'axe-core';
import { type Page } from 'playwright-core';

/** What axe finds wrong with a page, in light and in dark: the rule, and where. */
export async function accessibilityFaults(page: Page): Promise<string[]> {
  const faults: string[] = [];
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    // not as an element of the page, whose policy forbids it
    await page.evaluate(axe.source);
    const { violations } = await page.evaluate<AxeResults>(`axe.run()`);
    for (const { id, nodes } of violations)
      faults.push(`${colorScheme} ${id}: ${nodes.map(({ html }) => html).join()}`);
  }
  await page.emulateMedia({ colorScheme: 'light' });
  return faults;
}
