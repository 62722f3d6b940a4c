/** Logging in without seeing the picture: with the keyboard, while a device does a task, in both languages. */
import { expect } from 'chai';
import type { BrowserContext, Page } from 'playwright-core';
import { messages } from '../../server/site/i18n.js';
import { ALICE } from '../site/visitor.js';
import { DESKTOP, SMALL, Stage, screenshot, type Visit } from './chromium.js';

const visits: readonly (Visit & { readonly name: string })[] = [
  { name: 'task-en-desktop', locale: 'en-US', viewport: DESKTOP, scripts: true },
  { name: 'task-zh-small-dark', locale: 'zh-CN', viewport: SMALL, dark: true, scripts: true },
];

describe('in Chromium, without seeing the picture', () => {
  let stage: Stage;
  before(async () => {
    stage = await Stage.open();
  });
  after(async () => {
    await stage?.close();
  });

  for (const visit of visits) {
    describe(`a visitor (${visit.name})`, () => {
      const m = messages(visit.locale === 'zh-CN' ? 'zh-hans' : 'en');
      let context: BrowserContext;
      let page: Page;
      let troubles: string[];

      beforeEach(async () => {
        ({ context, page, troubles } = await stage.visit(visit));
        await page.goto('/login/');
        await page.getByAltText(m.captcha_alt).waitFor();
      });
      afterEach(async () => {
        await context.close();
        expect(troubles).to.deep.equal([]);
      });

      const field = (label: string) => page.getByLabel(label, { exact: true });
      const status = (text: string) => page.getByRole('status').getByText(text, { exact: true }).waitFor();
      const start = () => page.getByRole('button', { name: m.task_start });

      async function look(name: string): Promise<void> {
        await screenshot(page, `${visit.name}-${name}`);
        const width = await page.locator('html').evaluate((html) => html.scrollWidth);
        expect(width, `width of ${name}`).to.be.at.most(visit.viewport.width);
      }

      it('logs in by the keyboard alone, after a task as it is', async function () {
        // Some seconds of work for one core, which a busy machine may not have.
        this.timeout(600_000);
        page.setDefaultTimeout(300_000);
        await look('1-form');
        // The form puts the focus into its first field.
        await page.keyboard.type(ALICE.username);
        for (let i = 0; i < 3; i += 1) await page.keyboard.press('Tab');
        expect(await start().evaluate((button) => button === document.activeElement)).to.equal(true);
        await page.keyboard.press('Enter');
        await page.getByRole('progressbar', { name: m.task_progress }).waitFor();
        await status(m.task_working);
        await look('2-working');
        // The focus went on to what is still to be typed.
        expect(await field(m.password).evaluate((input) => input === document.activeElement)).to.equal(true);
        await page.keyboard.type(ALICE.password);
        await status(m.task_done);
        await look('3-done');
        await page.keyboard.press('Enter');
        await page.waitForURL('**/index1/');
        await page.getByRole('main').getByText(ALICE.username, { exact: true }).waitFor();
      });

      it('may send the form before the task is done, and is logged in then', async () => {
        await stage.easyTasks(context);
        // Held back until the form was sent.
        let release = (): void => {};
        const held = new Promise<void>((resolve) => {
          release = resolve;
        });
        await page.route('**/static/proof_of_work.js*', async (route) => {
          await held;
          await route.continue();
        });
        await field(m.username).fill(ALICE.username);
        await field(m.password).fill(ALICE.password);
        await start().press('Enter');
        await field(m.password).press('Enter');
        await status(m.task_sending);
        release();
        await page.waitForURL('**/index1/');
      });

      it('who mistypes the password is told so, and a new task begins by itself', async () => {
        await stage.easyTasks(context);
        await field(m.username).fill(ALICE.username);
        await field(m.password).fill('wrong');
        await start().press('Enter');
        await status(m.task_done);
        await field(m.password).press('Enter');
        await page.getByRole('alert').getByText(m.login_wrong).waitFor();
        await status(m.task_done);
        await look('4-wrong-password');
        expect(await field(m.username).inputValue()).to.equal(ALICE.username);
        expect(await field(m.password).evaluate((input) => input === document.activeElement)).to.equal(true);
        await page.keyboard.type(ALICE.password);
        await page.keyboard.press('Enter');
        await page.waitForURL('**/index1/');
      });

      it('gets the picture back when the task cannot be done', async () => {
        await page.route('**/captcha/task/', (route) => route.abort('aborted'));
        await field(m.username).fill(ALICE.username);
        await field(m.password).fill(ALICE.password);
        await start().press('Enter');
        await status(m.task_failed);
        await field(m.captcha).waitFor();
        expect(await field(m.captcha).isEnabled()).to.equal(true);
        expect(await start().evaluate((button) => button === document.activeElement)).to.equal(true);
        await look('5-failed');
        // A trouble that was made on purpose.
        troubles.length = 0;
        await stage.plant(context, 'R3WDAX');
        await field(m.captcha).fill('r3wdax');
        await field(m.captcha).press('Enter');
        await page.waitForURL('**/index1/');
      });

      it('gets the picture back by asking for a new one', async () => {
        await stage.easyTasks(context);
        await start().press('Enter');
        await status(m.task_done);
        await page.getByRole('button', { name: m.captcha_new }).click();
        await page.getByAltText(m.captcha_alt).waitFor();
      });
    });
  }

  it('says without scripts how to come by a task', async () => {
    const { context, page } = await stage.visit({ locale: 'en-US', viewport: DESKTOP });
    const m = messages('en');
    await page.goto('/login/');
    await page.getByText(m.task_needs_script).waitFor();
    expect(await page.getByRole('button', { name: m.task_start }).count()).to.equal(0);
    await context.close();
  });
});
