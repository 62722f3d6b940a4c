/** The README's pictures of the login and of the lab. README_PICTURES=1 takes them anew; without it they must be there. */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'chai';
import type { Page } from 'playwright-core';
import { messages } from '../../server/site/i18n.js';
import { ALICE } from '../site/visitor.js';
import { Stage } from './chromium.js';

const FOLDER = path.join(import.meta.dirname, 'pictures');
/** So that the lab's columns stand side by side, and a letter is read at the width that a README has. */
const VIEWPORT = { width: 1000, height: 800 };
/** A README is loaded as a whole. */
const MOST_BYTES = 150_000;

/** Width and height of a PNG (its header, https://www.w3.org/TR/png-3/#11IHDR). */
const sizeOf = (png: Buffer): number[] => [png.readUInt32BE(16), png.readUInt32BE(20)];

describe("the README's pictures", () => {
  const m = messages('en');
  let stage: Stage;
  before(async () => {
    stage = await Stage.open();
  });
  after(async () => {
    await stage?.close();
  });

  async function picture(page: Page, name: string): Promise<void> {
    const png = await page.screenshot();
    const file = path.join(FOLDER, `${name}.png`);
    if (process.env['README_PICTURES'] === '1') writeFileSync(file, png);
    const kept = readFileSync(file);
    expect(sizeOf(kept)).to.deep.equal(sizeOf(png));
    expect(kept.length).to.be.lessThan(MOST_BYTES);
  }

  it('show the login', async () => {
    const { context, page } = await stage.visit({ locale: 'en-US', viewport: VIEWPORT });
    await page.goto('/login/');
    await page.getByAltText(m.captcha_alt).waitFor();
    await page.getByLabel(m.username, { exact: true }).fill(ALICE.username);
    await picture(page, 'login');
    await context.close();
  });

  it('show a step of the lab', async () => {
    const { context, page } = await stage.visit({ locale: 'en-US', viewport: VIEWPORT });
    await page.goto('/lab/');
    await page.getByRole('button', { name: 'set', exact: true }).click();
    const step = page.getByRole('heading', { level: 2, name: `${m.lab.step(1)}:` });
    await step.waitFor();
    await step.evaluate((heading) => heading.scrollIntoView());
    await picture(page, 'lab');
    await context.close();
  });
});
