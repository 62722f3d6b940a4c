/** The lab and "Sessions, explained" in a real browser: without scripts, with them, for axe, at every width. */
import { expect } from 'chai';
import type { BrowserContext, Page } from 'playwright-core';
import { messages } from '../../server/site/i18n.js';
import { CHAPTERS, chapterPath, EXPLAINED_PATH } from '../../server/site/lab/chapters.js';
import { violations } from './axe.js';
import { DESKTOP, SMALL, Stage, screenshot, type Visit } from './chromium.js';
import { overlappingTexts } from './text_boxes.js';

const WIDTHS = [320, 768, 1280];

describe('the lab in Chromium', () => {
  let stage: Stage;
  before(async () => {
    stage = await Stage.open();
  });
  after(async () => {
    await stage?.close();
  });

  for (const locale of ['en-US', 'zh-CN'] satisfies Visit['locale'][]) {
    describe(`(${locale})`, () => {
      const language = locale === 'zh-CN' ? 'zh-hans' : 'en';
      const { lab: t, explained } = messages(language);
      let context: BrowserContext;
      let page: Page;
      let troubles: string[];

      const open = async (visit: Pick<Visit, 'viewport' | 'scripts' | 'dark'>): Promise<void> => {
        ({ context, page, troubles } = await stage.visit({ locale, ...visit }));
      };
      afterEach(async () => {
        await context.close();
        expect(troubles).to.deep.equal([]);
      });

      const group = (name: string) => page.locator('summary').getByText(name, { exact: true });
      const button = (name: string) => page.getByRole('button', { name, exact: true });
      const step = (number: number) => page.getByRole('heading', { level: 2, name: `${t.step(number)}:` });
      const events = async () =>
        (await page.locator('#lab-step .events li').allInnerTexts()).map((text) => text.trim());

      it('shows each step without scripts, and opens the forms that were used last', async () => {
        await open({ viewport: SMALL, dark: true });
        await page.goto('/lab/');
        await page.getByLabel(t.value, { exact: true }).first().fill('上海');
        await button('set').click();
        await step(1).waitFor();
        expect(await events()).to.deep.equal([t.events.row_created, t.events.cookie_sent]);
        expect(await page.getByLabel(t.value, { exact: true }).first().inputValue()).to.equal('上海');
        await page.getByText(String.raw`{"theme":"\u4e0a\u6d77"}`).waitFor();
        await page.locator('.dictionary').getByText('"上海"', { exact: true }).waitFor();
        await group(t.groups.tabs).click();
        await button(t.tab_buttons.tabs_merge).click();
        await step(2).waitFor();
        expect(await events()).to.include(t.events.row_merged);
        await button(t.tab_buttons.tabs_interrupt).click();
        await step(3).waitFor();
        expect(await events()).to.deep.equal([t.events.interrupted]);
        await page.getByRole('link', { name: t.named.visit }).click();
        await page.getByRole('heading', { name: t.named.visit }).waitFor();
        expect(await events()).to.include(t.events.cookie_deleted);
        await screenshot(page, `lab-${language}-small-dark`);
      });

      it('puts each step in its place with scripts: no page is loaded, and the keyboard stays where it is', async () => {
        await open({ viewport: DESKTOP, scripts: true });
        await page.goto('/lab/');
        let loads = 0;
        page.on('load', () => {
          loads += 1;
        });
        await page.getByLabel(t.value, { exact: true }).first().press('Tab');
        await button('get').focus();
        await page.keyboard.press('Shift+Tab');
        await page.keyboard.press('Enter');
        await step(1).waitFor();
        expect(await button('set').evaluate((element) => element === document.activeElement)).to.equal(true);
        expect(await page.getByRole('status').first().textContent()).to.include('session.set("theme", "dark")');
        expect(new URL(page.url()).search).to.equal('?step=1');
        // A login changes the form token, with which the next step is sent.
        await group(t.groups.person).click();
        await button(t.log_in_as('alice')).click();
        await step(2).waitFor();
        await page.getByRole('banner').getByText('alice').waitFor();
        await page.getByText(t.person_is('alice'), { exact: true }).waitFor();
        await button(t.log_in_as('bob')).click();
        await step(3).waitFor();
        expect(await events()).to.include.members([t.events.row_deleted, t.events.row_created]);
        await page.getByText(t.person_is('bob'), { exact: true }).waitFor();
        expect(loads).to.equal(0);
        await screenshot(page, `lab-${language}-desktop`);
        // What a reload shows is what the script had shown.
        const shown = await page.locator('#lab-step').innerText();
        await page.reload();
        expect(await page.locator('#lab-step').innerText()).to.equal(shown);
        await page
          .getByRole('banner')
          .getByRole('button', { name: messages(language).log_out })
          .click();
        await page.waitForURL('**/index1/');
      });

      it('deletes the cookie of a session that was ended, with scripts too', async () => {
        await open({ viewport: DESKTOP, scripts: true });
        await page.goto('/lab/');
        await button('set').click();
        await step(1).waitFor();
        await group(t.groups.tabs).click();
        await button(t.tab_buttons.tabs_logout).click();
        await step(2).waitFor();
        expect((await context.cookies()).map(({ name }) => name)).to.not.include('sessionid');
        await page.getByRole('link', { name: t.named.visit }).waitFor();
      });

      it('says so when a step is not done, and goes on when its notes are gone', async () => {
        await open({ viewport: SMALL, scripts: true });
        await page.goto('/lab/');
        await page.getByLabel(t.key, { exact: true }).fill('');
        await button('set').click();
        await page.locator('.result.bad').getByText(t.notes.no_key).waitFor();
        await context.clearCookies({ name: 'lab_notebook' });
        await page.getByLabel(t.key, { exact: true }).fill('theme');
        await button('set').click();
        await page.getByRole('heading', { name: 'session.set("theme", "dark")' }).waitFor();
        await button(t.start_over).click();
        await page.getByText(t.none_yet).waitFor();
      });

      it('shows beside a claim what its button did', async () => {
        await open({ viewport: DESKTOP, scripts: true });
        await page.goto(`${EXPLAINED_PATH}limits/`);
        const { large, overwrite, twice, which } = explained.chapters.limits.claims;
        const effect = (name: string) => page.locator(`#effect-${name}`);
        await button(large.press).click();
        await effect('large').getByText('CookieError').first().waitFor();
        await button(overwrite.press).click();
        await effect('overwrite').getByText(t.events.other_cookie).waitFor();
        await button(twice.press).click();
        await effect('twice').getByText(t.events.other_cookie).waitFor();
        await button(which.press).click();
        // The browser sent both, the one with the longer path first.
        await effect('which').getByText('→ "red"').first().waitFor();
        expect((await context.cookies()).filter(({ name }) => name === 'colour')).to.have.lengthOf(2);
        await button(large.press).focus();
        expect(await effect('large').locator('.effect').count()).to.equal(0);
      });

      it('has nothing to mend for axe, and no text over another, on any page in either scheme', async function () {
        // Forty looks, which take seconds each where the machine is busy.
        this.timeout(400_000);
        await open({ viewport: DESKTOP, scripts: true });
        const cdp = await context.newCDPSession(page);
        const faults: string[] = [];
        await page.goto('/lab/');

        async function look(name: string, widths: readonly number[]): Promise<void> {
          await page.setViewportSize(DESKTOP);
          for (const colorScheme of ['light', 'dark'] as const) {
            await page.emulateMedia({ colorScheme });
            // Colours are what differs between the schemes.
            const found = await violations(page, colorScheme === 'light' ? null : ['color-contrast']);
            for (const violation of found) faults.push(`${name} (${colorScheme}): ${violation}`);
          }
          for (const width of widths) {
            await page.setViewportSize({ width, height: 900 });
            for (const pair of await overlappingTexts(cdp)) faults.push(`${name} at ${width} px: ${pair}`);
            const scrollWidth = await page.locator('html').evaluate((html) => html.scrollWidth);
            if (scrollWidth > width) faults.push(`${name} at ${width} px: ${scrollWidth} px wide`);
          }
        }

        await look('empty lab', []);
        await button('set').click();
        await step(1).waitFor();
        await group(t.groups.plain).click();
        await button('set_cookie').first().click();
        await step(2).waitFor();
        await group(t.groups.tabs).click();
        await button(t.tab_buttons.tabs_merge).click();
        await step(3).waitFor();
        // One of a name is open at a time; without the name all are.
        await page.locator('.forms details').evaluateAll((all) => {
          for (const each of all) {
            each.removeAttribute('name');
            each.toggleAttribute('open', true);
          }
        });
        await look('lab, all open', WIDTHS);
        await page.goto(EXPLAINED_PATH);
        await look(EXPLAINED_PATH, WIDTHS);
        for (const chapter of CHAPTERS) {
          await page.goto(chapterPath(chapter));
          await page.locator('.claim form button').first().click();
          await page.locator('.effect').first().waitFor();
          await look(chapterPath(chapter), [320, 1280]);
          if (chapter === 'captcha') await screenshot(page, `explained-${language}-captcha`);
        }
        expect(faults.join('\n')).to.equal('');
      });
    });
  }
});
