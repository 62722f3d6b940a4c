/** An expiry set at one side is obeyed by the other: row, cookie and age. */
import { expect } from 'chai';
import { Browser } from '../browser.js';
import { type Environment, environments, since } from '../environments.js';
import { keyOf, type Op, ops, other, type Pair, pairOf, row, SIDES, type Side } from '../pairs.js';

const TWO_WEEKS = 1_209_600;
const DAY = 86_400;

interface Case {
  readonly name: string;
  readonly op: (side: Side, useTz: boolean) => Op;
  readonly age: number;
  /** A session that is written again lives on from then (seconds), or ends when it was going to (dates). */
  readonly fixed: boolean;
  readonly browserClose?: true;
}

const inTwoDays = (): Date => new Date(Math.floor(Date.now() / 1000) * 1000 + 2 * DAY * 1000);

/** As text for fromisoformat(): aware, or naive in TIME_ZONE, here Asia/Shanghai, eight hours ahead. Ours takes a Date. */
function inText(date: Date, side: Side, useTz: boolean): string {
  if (useTz || side === 'koa') return date.toISOString().replace('.000Z', '+00:00');
  return new Date(date.getTime() + 8 * 3600 * 1000).toISOString().replace('.000Z', '');
}

const CASES: readonly Case[] = [
  { name: 'seconds', op: () => ['set_expiry', 300], age: 300, fixed: false },
  { name: '0', op: () => ['set_expiry', 0], age: TWO_WEEKS, fixed: false, browserClose: true },
  { name: 'null', op: () => ['set_expiry', null], age: TWO_WEEKS, fixed: false },
  {
    name: 'a date',
    op: (side, useTz) => ['set_expiry', { $dt: inText(inTwoDays(), side, useTz) }],
    age: 2 * DAY,
    fixed: true,
  },
  { name: 'a timedelta', op: () => ['set_expiry', { $td: DAY + 30 }], age: DAY + 30, fixed: true },
];

const near = (actual: number, wanted: number, what: string): void => {
  expect(Math.abs(actual - wanted), `${what}: ${actual} instead of ${wanted}`).to.be.at.most(5);
};

/** What a Set-Cookie line says of the cookie's life. */
function cookieAge(lines: readonly string[]): number | 'browser' | 'none' {
  const line = lines.find((text) => text.startsWith('sessionid='));
  if (line === undefined) return 'none';
  const age = /Max-Age=(\d+)/.exec(line)?.[1];
  return age === undefined ? 'browser' : Number(age);
}

async function check(both: Pair, browser: Browser, at: Side, { age, browserClose }: Case): Promise<void> {
  const seen = await ops(both, at, browser, ['get_expiry_age'], ['get_expire_at_browser_close']);
  near(Number(seen.results[0]), age, `${at}'s age`);
  expect(seen.results[1], `${at}'s browser close`).to.equal(browserClose === true);
  const stored = await row(both, browser);
  near(((stored?.expire_date.getTime() ?? 0) - Date.now()) / 1000, age, "the row's date");
}

function suite(django: Environment, useTz: boolean): void {
  const pair = (): Promise<Pair> => pairOf(django, useTz ? {} : { USE_TZ: '0', TIME_ZONE: 'Asia/Shanghai' });

  for (const one of CASES) {
    // JSONSerializer of Django 4.0 and older cannot write a date: TypeError at the save.
    if (one.fixed && !since(django, 4, 1)) continue;
    for (const side of SIDES) {
      it(`set_expiry(${one.name}) at ${side} holds at ${other(side)} too`, async () => {
        const both = await pair();
        const browser = new Browser();
        await ops(both, side, browser, ['set', 'a', 1], ['set_expiry', 77]);
        const set = await ops(both, side, browser, one.op(side, useTz));
        expect(set.results).to.deep.equal([null]);
        for (const at of SIDES) await check(both, browser, at, one);
        const sent = cookieAge(set.answer.set_cookie);
        if (one.browserClose) expect(sent).to.equal('browser');
        else near(Number(sent), one.age, 'Max-Age');
        // The other one writes, with the same lifetime, and hands back.
        const again = await ops(both, other(side), browser, ['set', 'a', 2]);
        const resent = cookieAge(again.answer.set_cookie);
        if (one.browserClose) expect(resent).to.equal('browser');
        else near(Number(resent), one.age, "the other's Max-Age");
        for (const at of SIDES) await check(both, browser, at, one);
      });
    }
  }

  for (const side of SIDES) {
    it(`a session that expired at ${side} is gone at ${other(side)}, whose next write starts a new one`, async () => {
      const both = await pair();
      const browser = new Browser();
      await ops(both, side, browser, ['set', 'a', 1]);
      const key = keyOf(browser);
      const past = "UPDATE django_session SET expire_date = now() - interval '1 second' WHERE session_key = $1";
      await both.db.query(past, [key]);
      const seen = await ops(both, other(side), browser, ['get', 'a'], ['set', 'b', 2]);
      expect(seen.results).to.deep.equal([null, null]);
      expect(keyOf(browser)).not.to.equal(key);
      expect((await ops(both, side, browser, ['keys'])).results).to.deep.equal([['b']]);
    });
  }
}

for (const django of await environments()) {
  describe(`Django ${django.version}, USE_TZ on`, () => suite(django, true));
  describe(`Django ${django.version}, USE_TZ off`, () => suite(django, false));
}
