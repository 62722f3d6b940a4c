/** The journey of a person in a real browser: in both languages, on a desk and on a phone, without scripts. */
import { expect } from 'chai';
import type { BrowserContext, Page } from 'playwright-core';
import { messages } from '../../server/site/i18n.js';
import { ALICE, BOB } from '../site/visitor.js';
import { DESKTOP, PHONE, Stage, screenshot, type Visit } from './chromium.js';

const ANSWER = 'R3WDAX';

const visits: readonly (Visit & { readonly name: string })[] = [
  { name: 'en-desktop', locale: 'en-US', viewport: DESKTOP },
  { name: 'en-phone', locale: 'en-US', viewport: PHONE },
  { name: 'zh-desktop', locale: 'zh-CN', viewport: DESKTOP },
  { name: 'zh-phone', locale: 'zh-CN', viewport: PHONE, dark: true },
];

describe('in Chromium', () => {
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
      let shots = 0;

      before(async () => {
        ({ context, page, troubles } = await stage.visit(visit));
      });
      after(async () => {
        await context.close();
      });
      afterEach(() => {
        expect(troubles.splice(0)).to.deep.equal([]);
      });

      /** Look at the page: a screenshot, and nothing that has to be scrolled sideways. */
      async function look(name: string): Promise<void> {
        shots += 1;
        await screenshot(page, `${visit.name}-${String(shots).padStart(2, '0')}-${name}`);
        const { width } = await contentSize(page);
        expect(width, `width of ${name}`).to.be.at.most(visit.viewport.width);
      }

      async function logIn(user: typeof ALICE): Promise<void> {
        await page.getByLabel(m.username, { exact: true }).fill(user.username);
        await page.getByLabel(m.password, { exact: true }).fill(user.password);
        await stage.plant(context, ANSWER);
        await page.getByLabel(m.captcha).fill(ANSWER.toLowerCase());
        await page.getByRole('main').getByRole('button', { name: m.log_in, exact: true }).click();
      }

      it('comes for the first time, and is told that nobody is logged in', async () => {
        await page.goto('/');
        expect(new URL(page.url()).pathname).to.equal('/index1/');
        await page.getByText(m.not_logged_in, { exact: true }).waitFor();
        expect(await page.locator('html').getAttribute('lang')).to.equal(visit.locale === 'zh-CN' ? 'zh-Hans' : 'en');
        await look('index1-anonymous');
      });

      it('finds the login form with a picture that has loaded', async () => {
        await page.getByRole('banner').getByRole('link', { name: m.log_in, exact: true }).click();
        const picture = page.getByAltText(m.captcha_alt);
        await picture.waitFor();
        expect((await picture.boundingBox())?.width).to.be.greaterThan(200);
        await look('login');
      });

      it('gets another picture and keeps the user name', async () => {
        await page.getByLabel(m.username, { exact: true }).fill(ALICE.username);
        const before = await page.getByAltText(m.captcha_alt).getAttribute('src');
        await page.getByRole('button', { name: m.captcha_new }).click();
        expect(await page.getByLabel(m.username, { exact: true }).inputValue()).to.equal(ALICE.username);
        expect(await page.getByAltText(m.captcha_alt).getAttribute('src')).to.not.equal(before);
        expect(await page.getByRole('alert').count()).to.equal(0);
      });

      it('mistypes the picture and is told so', async () => {
        await page.getByLabel(m.password, { exact: true }).fill('x');
        await page.getByLabel(m.captcha).fill('WRONG7');
        await page.getByLabel(m.captcha).press('Enter');
        await page.getByText(m.login_captcha_wrong).waitFor();
        expect(await page.getByLabel(m.username, { exact: true }).inputValue()).to.equal(ALICE.username);
        expect(await page.getByLabel(m.password, { exact: true }).inputValue()).to.equal('');
        await look('login-wrong-captcha');
      });

      it('logs in', async () => {
        await logIn(ALICE);
        await page.waitForURL('**/index1/');
        await page.getByRole('main').getByText(ALICE.username, { exact: true }).waitFor();
        await look('index1');
      });

      it('is known to the second home page too', async () => {
        await page.getByRole('link', { name: m.to_index2 }).click();
        await page.getByRole('heading', { name: m.index2_title }).waitFor();
        await page.getByRole('main').getByText(ALICE.username).first().waitFor();
        await look('index2');
      });

      it('sees when this browser was here last', async () => {
        await page.goto('/last-visit/');
        await page.getByText(m.last_visit_first).waitFor();
        await page.reload();
        await page.getByText(m.last_visit_verified).waitFor();
        await look('last-visit');
      });

      it('is told that a cookie was changed', async () => {
        const cookie = (await context.cookies()).find(({ name }) => name === 'last_visit_signed');
        if (cookie === undefined) throw new Error('There is no signed cookie.');
        await context.addCookies([{ ...cookie, value: cookie.value.replace(/20\d\d/, '2001') }]);
        await page.reload();
        await page.getByText(m.last_visit_forged).waitFor();
        await look('last-visit-forged');
      });

      it('looks at goods and finds the last ones again', async () => {
        await page.goto('/goods/');
        expect(await page.locator('.good svg').count()).to.equal(12);
        await look('goods');
        for (const id of [2, 5, 2]) await page.goto(`/goods/${id}/`);
        await look('good');
        await page.getByRole('link', { name: m.goods_back }).click();
        const viewed = page.locator('.viewed a');
        expect(await viewed.evaluateAll((links) => links.map((link) => link.getAttribute('href')))).to.deep.equal([
          '/goods/2/',
          '/goods/5/',
        ]);
      });

      it('sees what becomes of the row when a second person logs in', async () => {
        await page.goto('/second-login/');
        await look('second-login-before');
        await page.getByRole('link', { name: m.second_do }).click();
        await logIn(BOB);
        await page.waitForURL('**/second-login/');
        await page.getByText(m.second_case_other).waitFor();
        await page.getByText(m.second_state_gone).waitFor();
        await look('second-login-after');
      });

      it('changes the language and comes back to the same page', async () => {
        const other = visit.locale === 'zh-CN' ? 'English' : '简体中文';
        const back = visit.locale === 'zh-CN' ? '简体中文' : 'English';
        await page.getByRole('link', { name: other }).click();
        expect(new URL(page.url()).pathname).to.equal('/second-login/');
        await page.getByRole('link', { name: back }).click();
        await page.getByRole('heading', { name: m.second_title }).waitFor();
      });

      it('logs out', async () => {
        await page.getByRole('button', { name: m.log_out }).click();
        await page.waitForURL('**/index1/');
        await page.getByText(m.not_logged_in, { exact: true }).waitFor();
        expect((await context.cookies()).map(({ name }) => name)).to.not.include('sessionid');
      });

      it('gets lost', async () => {
        await page.goto('/nowhere/');
        await page.getByRole('heading', { name: m.error_404 }).waitFor();
        await look('not-found');
        // Chromium reports the 404 of the page itself.
        troubles.length = 0;
      });
    });
  }

  describe('with the keyboard alone', () => {
    it('can skip to the content, sees where the focus is, and logs in by Enter', async () => {
      const { context, page } = await stage.visit({ locale: 'en-US', viewport: DESKTOP });
      const m = messages('en');
      await page.goto('/login/');
      await page.getByAltText(m.captcha_alt).waitFor();
      await stage.plant(context, ANSWER);
      // The form puts the focus into its first field.
      await page.keyboard.type(ALICE.username);
      await page.keyboard.press('Tab');
      await page.keyboard.type(ALICE.password);
      await page.keyboard.press('Tab');
      await page.keyboard.type(ANSWER);
      await screenshot(page, 'keyboard-login');
      await page.keyboard.press('Enter');
      await page.waitForURL('**/index1/');
      await page.keyboard.press('Tab');
      await screenshot(page, 'keyboard-skip');
      expect(await page.getByRole('link', { name: m.skip }).evaluate((link) => link.matches(':focus'))).to.equal(true);
      await context.close();
    });
  });
});

/** How much room the page takes. */
async function contentSize(page: Page): Promise<{ width: number; height: number }> {
  return page.locator('html').evaluate((html) => ({ width: html.scrollWidth, height: html.scrollHeight }));
}
