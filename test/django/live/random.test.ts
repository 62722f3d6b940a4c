/**
 * Random operations, each done by one side or the other on one session. A second session gets the same operations from
 * Django alone: results, cookies and what is in the session must be the same, and both sides must report the same.
 *
 * On sites with users or sessions of their own the visitor logs in first, at one side or the other.
 *
 * DJANGO_SEQUENCES sets how many sequences run with each version (300; a thirtieth on each of those sites), DJANGO_SEED repeats a run.
 */
import { expect } from 'chai';
import fc from 'fast-check';
import { printJson } from '../../../server/signing/python_json.js';
import { Browser } from '../browser.js';
import { engineProject } from '../engine.js';
import { since } from '../environments.js';
import {
  eachSite,
  login,
  makeUser,
  type Op,
  type Outcome,
  type Pair,
  pairOf,
  SIDES,
  type Side,
  tryOps,
} from '../pairs.js';

const SEQUENCES = Number(process.env['DJANGO_SEQUENCES'] ?? 300);
const SEED = process.env['DJANGO_SEED'];

interface Step {
  readonly side: Side;
  readonly ops: readonly Op[];
}

const key = fc.constantFrom('a', 'b', 'c', 'caf\u00e9', '1', '', '__proto__', 'get', '_auth', 'testcookie');
const value: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(0, 1, -1, 0.5, 1e-7, 1e21, true, false, null, '', 'x', '\ud800', NaN) },
  { weight: 1, arbitrary: fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }) },
  { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 3 }) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 300 }) },
);

const op = (dates: boolean): fc.Arbitrary<Op> =>
  fc.oneof(
    { weight: 6, arbitrary: fc.tuple(fc.constant('set'), key, value) },
    { weight: 2, arbitrary: fc.tuple(fc.constantFrom('get', 'pop', 'delitem', 'has_key'), key) },
    { weight: 2, arbitrary: fc.tuple(fc.constantFrom('get', 'pop', 'setdefault'), key, value) },
    { weight: 1, arbitrary: fc.tuple(fc.constant('update'), fc.dictionary(key, value, { maxKeys: 3 })) },
    {
      weight: 2,
      arbitrary: fc.tuple(
        fc.constant('set_expiry'),
        fc.constantFrom<unknown>(
          300,
          0,
          null,
          -60,
          1_000_000,
          90.5,
          ...(dates
            ? [
                { $td: 259_200 },
                { $td: 86_400.5 },
                { $dt: '2091-02-03T04:05:06+00:00' },
                { $dt: '2091-02-03T04:05:06.250000+00:00' },
              ]
            : []),
        ),
      ),
    },
    {
      weight: 3,
      arbitrary: fc.constantFrom<Op>(
        ['flush'],
        ['cycle_key'],
        ['clear'],
        ['is_empty'],
        ['keys'],
        ['values'],
        ['items'],
        ['set_test_cookie'],
        ['test_cookie_worked'],
        ['delete_test_cookie'],
        ['get_expiry_age'],
        ['get_expire_at_browser_close'],
        ['save'],
        ['create'],
        ['delete'],
      ),
    },
  );

/** A difference that DJANGO.md names: cycle_key on a session whose row is gone makes a new one at Django, and is 400 here. */
function cyclesWhatIsGone(ops: readonly Op[]): boolean {
  const names = ops.map(([name]) => name);
  return names.includes('delete') && names.lastIndexOf('cycle_key') > names.indexOf('delete');
}

const sequences = (dates: boolean): fc.Arbitrary<Step[]> => {
  const ops = fc.array(op(dates), { minLength: 1, maxLength: 3 }).filter((drawn) => !cyclesWhatIsGone(drawn));
  return fc.array(fc.record({ side: fc.constantFrom(...SIDES), ops }), { minLength: 1, maxLength: 8 });
};

const LOOK: readonly Op[] = [['items'], ['get_expiry_age'], ['get_expire_at_browser_close']];

/** The moment of a timedelta, which differs between two sessions; dates that a test chose lie in 2091. */
const SOON = /"20[2-8]\d-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{6})?(?=[+-])/g;

/** How many seconds two numbers that count down may lie apart: they are read one after the other. */
const APART = 10;

/** What is compared: a text that must be equal, and numbers of seconds that count down while the test runs. */
interface Told {
  readonly text: string;
  readonly seconds: readonly number[];
}

/** As Python prints it. */
function told(outcome: Outcome, list: readonly Op[]): Told {
  const counts = (index: number): boolean => list[index]?.[0] === 'get_expiry_age';
  const results = outcome.results.map((result, index) => (counts(index) ? 'AGE' : result));
  const text = printJson({ status: outcome.answer.status, results, flags: flags(outcome) }).replace(SOON, '"SOON');
  return { text, seconds: outcome.results.filter((_, index) => counts(index)).map(Number) };
}

/** Rounded numbers would differ whenever a boundary lies between two readings, however close they are. */
function expectSame(found: Told, wanted: Told, what: string): void {
  expect(found.text, what).to.equal(wanted.text);
  expect(found.seconds.length, what).to.equal(wanted.seconds.length);
  found.seconds.forEach((seconds, index) => {
    expect(seconds, what).to.be.closeTo(wanted.seconds[index] ?? Number.NaN, APART);
  });
}

const flags = ({ answer, state }: Outcome): unknown =>
  answer.status === 200 ? { modified: state.modified, accessed: state.accessed } : null;

const MAX_AGE = /Max-Age=(-?\d+(?:\.\d+)?)/;

/** Set-Cookie lines without what must differ: the key itself, and the seconds of Max-Age. */
function shape(lines: readonly string[]): Told {
  const own = lines.map((line) => line.trim()).filter((line) => line.startsWith('sessionid='));
  const texts = own.map((line) =>
    line
      .replace(/^sessionid=[a-z0-9]+/, 'sessionid=KEY')
      .replace(/expires=(?!Thu, 01 Jan 1970)[^;]+/, 'expires=SOON')
      .replace(MAX_AGE, 'Max-Age=AGE'),
  );
  return { text: texts.join('\n'), seconds: own.flatMap((line) => MAX_AGE.exec(line)?.slice(1).map(Number) ?? []) };
}

async function play(pair: Pair, steps: readonly Step[], user?: { username: string; password: string }): Promise<void> {
  const [shared, alone] = [new Browser(), new Browser()];
  if (user !== undefined) {
    const { username, password } = user;
    for (const [browser, side] of [
      [shared, steps[0]?.side ?? 'koa'],
      [alone, 'django'],
    ] as const) {
      const { status, text } = await login(pair, side, browser, username, password);
      expect(status, `login at ${side}: ${text.slice(0, 1500)}`).to.equal(302);
    }
    const [ours, theirs] = await Promise.all([
      tryOps(pair, 'koa', shared, ...LOOK),
      tryOps(pair, 'django', alone, ...LOOK),
    ]);
    expectSame(told(ours, LOOK), told(theirs, LOOK), 'after the login');
  }
  for (const { side, ops: drawn } of steps) {
    // Our server asks for the user before the handler runs; Django is lazy. Looked at first, both have loaded the row.
    const ops: readonly Op[] = [['has_key', 'a'], ...drawn];
    const keyBefore = [shared.jar.get('sessionid'), alone.jar.get('sessionid')];
    const [mixed, model] = await Promise.all([
      tryOps(pair, side, shared, ...ops),
      tryOps(pair, 'django', alone, ...ops),
    ]);
    const what = `after ${printJson(ops)} at ${side}`;
    expectSame(told(mixed, ops), told(model, ops), what);
    expectSame(shape(mixed.answer.set_cookie), shape(model.answer.set_cookie), what);
    const changed = [shared, alone].map((browser, index) => browser.jar.get('sessionid') !== keyBefore[index]);
    expect(changed[0], `new key ${what}`).to.equal(changed[1]);

    const [django, koa, expected] = await Promise.all([
      tryOps(pair, 'django', shared, ...LOOK),
      tryOps(pair, 'koa', shared, ...LOOK),
      tryOps(pair, 'django', alone, ...LOOK),
    ]);
    expectSame(told(koa, LOOK), told(django, LOOK), `koa ${what}`);
    expectSame(told(django, LOOK), told(expected, LOOK), `django ${what}`);
    expect(koa.state.session_key, `key ${what}`).to.equal(django.state.session_key);
    expect(koa.state.session_key !== null, `a key ${what}`).to.equal(expected.state.session_key !== null);
  }
}

await eachSite((django, pair, site) => {
  const compare = async (both: Pair, numRuns: number, user?: { username: string; password: string }): Promise<void> => {
    const property = fc.asyncProperty(sequences(since(django, 4, 1)), (steps) => play(both, steps, user));
    await fc.assert(property, { numRuns, ...(SEED === undefined ? {} : { seed: Number(SEED) }) });
  };
  const count = site.name === '' ? SEQUENCES : Math.ceil(SEQUENCES / 30);

  it(`${count} sequences of operations by two sides`, async function () {
    this.timeout(60_000 + count * 5_000);
    const both = await pair();
    await compare(both, count, site.name === '' ? undefined : await makeUser(both));
  });

  if (site.name !== '') return;
  it('a third as many with the session engine of django-engine at Django', async function () {
    this.timeout(60_000 + SEQUENCES * 2_000);
    const project = await engineProject();
    try {
      await compare(await pairOf(django, project.values), Math.ceil(SEQUENCES / 3));
    } finally {
      await project.remove();
    }
  });
});
