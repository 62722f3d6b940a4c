/**
 * Messages of both sides: what one adds the other shows, once, whatever the storage. Random sequences of adding and
 * showing on alternating sides are held against a browser that does the same at Django alone.
 *
 * DJANGO_MESSAGE_SEQUENCES sets how many sequences run with each version and storage (40), DJANGO_SEED repeats a run.
 */
import { expect } from 'chai';
import fc from 'fast-check';
import { Browser } from '../browser.js';
import { since } from '../environments.js';
import { type KoaSite, startMessageSite } from '../koa_site.js';
import { eachDjango, formToken, login, makeUser, other, type Pair, pairOf, SIDES, type Side } from '../pairs.js';

const SEQUENCES = Number(process.env['DJANGO_MESSAGE_SEQUENCES'] ?? 40);
const SEED = process.env['DJANGO_SEED'];
const STORAGES = ['fallback', 'cookie', 'session'] as const;

/** [level, text, extra_tags, safe] */
type Given = readonly [number, string, string | null, boolean];
type Step = { readonly side: Side } & ({ readonly add: readonly Given[] } | { readonly show: true });

/** Text by number, in which zlib finds little to repeat: builds of it differ in what they find. */
function noise(number: number, length: number): string {
  let [text, state] = ['', number + 1];
  while (text.length < length) {
    state = (state * 48_271) % 2_147_483_647;
    text += String.fromCharCode(33 + (state % 90));
  }
  return text;
}

interface Amount {
  /** Characters of a text. */
  readonly length: number;
  /** Messages of a request. */
  readonly count: number;
}

const message = ({ length }: Amount): fc.Arbitrary<Given> =>
  fc.tuple(
    fc.constantFrom(10, 15, 20, 25, 30, 40, 50),
    fc.oneof(
      fc.constantFrom('Saved.', 'caf\u00e9 \u4e2d\u6587 \u{1f600}', '<b>"&\'</b>', ' ', ''),
      fc.tuple(fc.nat(1000), fc.integer({ min: 1, max: length })).map(([n, size]) => noise(n, size)),
    ),
    fc.constantFrom('', 'big', 'big red', '\u00e9t\u00e9'),
    fc.boolean(),
  );

const steps = (amount: Amount): fc.Arbitrary<Step[]> =>
  fc.array(
    fc.oneof<[fc.Arbitrary<Step>, fc.Arbitrary<Step>]>(
      fc.record({
        side: fc.constantFrom(...SIDES),
        add: fc.array(message(amount), { minLength: 1, maxLength: amount.count }),
      }),
      fc.record({ side: fc.constantFrom(...SIDES), show: fc.constant(true as const) }),
    ),
    { minLength: 2, maxLength: 10 },
  );

/** With the cookie alone, all that fits: two builds of zlib would leave out one message more or less of what does not. */
const AMOUNTS: Readonly<Record<(typeof STORAGES)[number], Amount>> = {
  fallback: { length: 400, count: 8 },
  cookie: { length: 20, count: 2 },
  session: { length: 400, count: 8 },
};

interface Sites {
  readonly urls: Readonly<Record<Side, string>>;
}

const PATH = '/django/told/';

async function act({ urls }: Sites, side: Side, browser: Browser, step: Step): Promise<unknown> {
  const url = urls[side] + PATH;
  const answer = 'add' in step ? await browser.post(url, { json: JSON.stringify(step.add) }) : await browser.get(url);
  expect(answer.status, answer.text).to.equal(200);
  return answer.json;
}

await eachDjango((django) => {
  for (const MESSAGE_STORAGE of STORAGES) {
    describe(`in the ${MESSAGE_STORAGE} storage`, () => {
      let koa: KoaSite;
      let both: Pair;
      let sites: Sites;

      before(async () => {
        both = await pairOf(django, { MESSAGE_STORAGE });
        koa = await startMessageSite(both.values);
        sites = { urls: { django: both.urls.django, koa: koa.url } };
      });
      after(() => koa.close());

      for (const side of SIDES) {
        it(`what ${side} says before a redirect appears at ${other(side)}, once`, async () => {
          const browser = new Browser();
          await act(sites, side, browser, { side, add: [[25, '<b>Saved</b>', 'big', true]] });
          const shown = [[25, '<b>Saved</b>', 'big', true, 'big success']];
          expect(await act(sites, other(side), browser, { side, show: true })).to.deep.equal(shown);
          for (const at of SIDES) expect(await act(sites, at, browser, { side, show: true })).to.deep.equal([]);
        });
      }

      // An older Django leaves empty extra_tags out, and so reads None for them.
      if (!since(django, 4, 1)) return;
      it(`${SEQUENCES} sequences by two sides show the same as Django alone`, async function () {
        this.timeout(60_000 + SEQUENCES * 2_000);
        const property = fc.asyncProperty(steps(AMOUNTS[MESSAGE_STORAGE]), async (drawn) => {
          const [shared, alone] = [new Browser(), new Browser()];
          for (const step of [...drawn, ...SIDES.map((side): Step => ({ side, show: true }))]) {
            const mixed = await act(sites, step.side, shared, step);
            expect(mixed).to.deep.equal(await act(sites, 'django', alone, step));
          }
        });
        await fc.assert(property, { numRuns: SEQUENCES, ...(SEED === undefined ? {} : { seed: Number(SEED) }) });
      });
    });
  }

  it('the login of our pages is told by Django, when its page comes first', async () => {
    const both = await pairOf(django, { MESSAGE_STORAGE: 'fallback' });
    const user = await makeUser(both);
    const browser = new Browser();
    await login(both, 'koa', browser, user.username, user.password);
    const { json } = await browser.get(both.urls.django + PATH);
    expect(json).to.deep.equal([[25, `You are logged in as ${user.username} now.`, '', false, 'success']]);
    expect(await formToken(both, 'koa', browser)).to.be.a('string');
  });
});
