/** What axe finds on the page that is shown. */
import axe from 'axe-core';
import type { Page } from 'playwright-core';

/**
 * What axe finds, with the first place of each. The page's own policy does not hold for what a debugger evaluates.
 * @param rules null for all
 */
export async function violations(page: Page, rules: string[] | null): Promise<string[]> {
  if (!(await page.evaluate(() => 'axe' in globalThis))) await page.evaluate(axe.source);
  const found = await page.evaluate((only) => {
    const loaded = (globalThis as unknown as { axe: typeof axe }).axe;
    return loaded.run(only === null ? {} : { runOnly: only });
  }, rules);
  return found.violations.map(({ id, nodes }) => {
    const [first] = nodes;
    return `${id} ${first?.target.join(' ')} ${first?.failureSummary ?? ''}`;
  });
}
