/** What is to be right on every page that links lead to, at every width: no text over another, no two landmarks of one name. */
import { expect } from 'chai';
import type { BrowserContext, CDPSession, Page } from 'playwright-core';
import { messages } from '../../server/site/i18n.js';
import { ALICE } from '../site/visitor.js';
import { violations } from './axe.js';
import { DESKTOP, Stage, type Visit } from './chromium.js';
import { overlappingTexts } from './text_boxes.js';

const WIDTHS = [320, 360, 560, 768, 1280];
const ANSWER = 'R3WDAX';
/** Where no link of the site leads. */
const UNLINKED = ['/nowhere/', '/goods/999/'];
/** One of many that are alike is enough; the language's links lead back, static files are no pages. */
const SKIPPED = /^\/(goods\/([2-9]|1\d)\/|lab\/explained\/(?!what\/)\w|language\/|static\/)/;

describe('every page in Chromium', () => {
  let stage: Stage;
  before(async () => {
    stage = await Stage.open();
  });
  after(async () => {
    await stage?.close();
  });

  for (const locale of ['en-US', 'zh-CN'] satisfies Visit['locale'][]) {
    describe(`(${locale})`, () => {
      const m = messages(locale === 'zh-CN' ? 'zh-hans' : 'en');
      let context: BrowserContext;
      let page: Page;
      let cdp: CDPSession;

      before(async () => {
        ({ context, page } = await stage.visit({ locale, viewport: { width: 320, height: 900 } }));
        cdp = await context.newCDPSession(page);
      });
      after(async () => {
        await context.close();
      });

      /** Look at the page that is shown at every width. @returns what is wrong with it */
      async function look(name: string): Promise<string[]> {
        const faults: string[] = [];
        for (const width of WIDTHS) {
          await page.setViewportSize({ width, height: 900 });
          for (const pair of await overlappingTexts(cdp)) faults.push(`${name} at ${width} px: ${pair}`);
          const { scrollWidth } = await page.locator('html').evaluate(({ scrollWidth }) => ({ scrollWidth }));
          if (scrollWidth > width) faults.push(`${name} at ${width} px: ${scrollWidth} px wide`);
        }
        for (const twice of await landmarksOfOneName(page)) faults.push(`${name}: two landmarks "${twice}"`);
        return faults;
      }

      /** Go wherever links lead from here, each address once. */
      async function lookAround(...more: readonly string[]): Promise<string[]> {
        const faults: string[] = [];
        const paths = ['/index1/', ...UNLINKED];
        for (const path of paths) {
          await page.goto(path);
          const links = page.locator('a[href^="/"]');
          const hrefs = await links.evaluateAll((all) => all.map((link) => link.getAttribute('href') ?? ''));
          for (const href of hrefs) {
            const [target = ''] = href.split(/[?#]/);
            if (!SKIPPED.test(target) && !paths.includes(target)) paths.push(target);
          }
          faults.push(...(await look(path)));
        }
        const expected = ['/last-visit/', '/goods/1/', '/second-login/', '/lab/', ...more];
        expect(paths).to.include.members(expected);
        return faults;
      }

      it('has its text in places of its own, for a first visitor', async () => {
        expect(await lookAround('/login/')).to.deep.equal([]);
      });

      it('has its text in places of its own, for a user who has been here before', async () => {
        await page.goto('/login/?next=/second-login/');
        await page.getByLabel(m.username, { exact: true }).fill(ALICE.username);
        await page.getByLabel(m.password, { exact: true }).fill(ALICE.password);
        await page.getByAltText(m.captcha_alt).waitFor();
        await stage.plant(context, ANSWER);
        await page.getByLabel(m.captcha).fill(ANSWER);
        await page.getByRole('main').getByRole('button', { name: m.log_in, exact: true }).click();
        await page.getByText(m.second_case_anonymous).waitFor();
        // A user's login form says to log out first; nothing leads there.
        await page.goto('/login/');
        const faults = await look('/login/');
        expect([...faults, ...(await lookAround('/sessions/', '/password/'))]).to.deep.equal([]);
      });

      it('has its text in places of its own where a form was refused', async () => {
        await page.goto('/login/');
        await page
          .locator('input[name=csrfmiddlewaretoken]')
          .first()
          .evaluate((input) => input.remove());
        await page.getByRole('banner').getByRole('button', { name: m.log_out }).click();
        await page.getByRole('heading', { name: m.error_403 }).waitFor();
        // In development the page says why, in the visitor's language.
        const detail = page.locator('.detail span');
        expect(await detail.getAttribute('lang')).to.equal(locale === 'zh-CN' ? 'zh-Hans' : 'en');
        expect(await look('403')).to.deep.equal([]);
      });

      for (const path of ['/sessions/', '/password/']) {
        it(`has nothing to mend for axe in either scheme (${path})`, async () => {
          const visit = await stage.visit({ locale, viewport: DESKTOP, scripts: true });
          await visit.context.addCookies(await context.cookies());
          await visit.page.goto(path);
          for (const colorScheme of ['light', 'dark'] as const) {
            await visit.page.emulateMedia({ colorScheme });
            expect(await violations(visit.page, null), colorScheme).to.deep.equal([]);
          }
          expect(new URL(visit.page.url()).pathname).to.equal(path);
          await visit.context.close();
        });
      }

      it('changes the password, and is told by name what a new one lacks', async () => {
        const form = async (...passwords: readonly string[]): Promise<void> => {
          await page.goto('/password/');
          const labels = [m.password_old, m.password_new, m.password_again];
          for (const [index, label] of labels.entries()) {
            await page.getByLabel(label, { exact: true }).fill(passwords[index] ?? '');
          }
          await page.getByRole('main').getByRole('button', { name: m.password_title }).click();
        };
        await form(ALICE.password, '1234', '1234');
        await page.getByText(m.password_entirely_numeric, { exact: true }).waitFor();
        expect(await look('/password/ with problems')).to.deep.equal([]);
        await form(ALICE.password, ALICE.password, ALICE.password);
        await page.getByText(m.password_changed).waitFor();
        await page.getByText(m.sessions_this, { exact: true }).waitFor();
        await page.getByRole('button', { name: m.sessions_end_this }).click();
        await page.getByText(m.not_logged_in, { exact: true }).waitFor();
      });
    });
  }
});

/** Names of landmarks that a page has twice, each with its role (axe's rule landmark-unique). */
function landmarksOfOneName(page: Page): Promise<string[]> {
  const landmarks = 'header, nav, main, footer, aside, section, form, [role=region], [role=navigation], [role=search]';
  return page.locator('html').evaluate((html, selector) => {
    const names = [...html.querySelectorAll(selector)].flatMap((element) => {
      const by = element.getAttribute('aria-labelledby');
      const name =
        element.getAttribute('aria-label') ?? (by === null ? null : document.getElementById(by)?.textContent);
      const role = element.getAttribute('role') ?? element.tagName.toLowerCase();
      // Without a name, a section or form is no landmark.
      if (name == null && (role === 'section' || role === 'form')) return [];
      return [`${role === 'section' ? 'region' : role} ${name ?? ''}`];
    });
    return names.filter((name, index) => names.indexOf(name) !== index);
  }, landmarks);
}
