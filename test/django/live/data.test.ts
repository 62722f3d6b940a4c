/** What one side writes the other reads, changes and hands back, and what nobody touched keeps its bytes. */
import { expect } from 'chai';
import { SessionCodec } from '../../../server/session/codec.js';
import { defineSettings } from '../../../server/settings.js';
import { splitMembers } from '../../../server/signing/members.js';
import { parseJson, printJson } from '../../../server/signing/python_json.js';
import { Browser } from '../browser.js';
import { eachDjango, ops, other, type Pair, raw, row, SECRET_KEY, SIDES } from '../pairs.js';

const codec = new SessionCodec(defineSettings({ SECRET_KEY }));

/** Name → value as JSON text: every kind that JSON has, and those where two languages like to differ. */
const KINDS: Readonly<Record<string, string>> = {
  null: 'null',
  true: 'true',
  false: 'false',
  'empty text': '""',
  text: '"caf\\u00e9 \\u4e2d \\ud83d\\ude00 \\"quoted\\" \\\\ \\n\\t\\u0000\\u007f"',
  'a lone surrogate': '"\\ud800"',
  zero: '0',
  negative: '-17',
  'beyond 2^53': '9007199254740993',
  'beyond 2^64': '-123456789012345678901234567890',
  fraction: '0.1',
  'a float that is whole': '1.0',
  'negative zero': '-0.0',
  tiny: '5e-324',
  large: '1.7976931348623157e+308',
  'sixteen digits': '1e+16',
  'seven places': '1e-07',
  NaN: 'NaN',
  Infinity: 'Infinity',
  '-Infinity': '-Infinity',
  'empty list': '[]',
  'empty object': '{}',
  nested: '[{"a":[1,[2,[3.0,{"b":null}]]]},"x"]',
  'prototype names': '{"__proto__":{"x":1},"constructor":2,"toString":3,"":4,"1":5}',
};

/** The members of the browser's row as the text that stands there. */
async function members(pair: Pair, browser: Browser): Promise<ReadonlyMap<string, string>> {
  const stored = await row(pair, browser);
  const text = codec.decode(stored?.session_data ?? '');
  const split = text === null ? null : splitMembers(text);
  if (split === null) throw new Error(`the row does not verify: ${JSON.stringify(stored)}`);
  return split;
}

await eachDjango((_django, pair) => {
  it('a value of every kind that Django wrote keeps its text while our side changes its neighbours', async () => {
    const both = await pair();
    const browser = new Browser();
    await ops(
      both,
      'django',
      browser,
      ...Object.entries(KINDS).map(([name, text]) => ['set', name, raw(text)] as const),
    );
    const before = await members(both, browser);
    expect([...before.keys()]).to.deep.equal(Object.keys(KINDS));
    await ops(both, 'koa', browser, ['set', 'neighbour', 1], ['delitem', 'zero'], ['set', 'fraction', 0.2]);
    const after = await members(both, browser);
    for (const [name, text] of before) {
      if (name === 'zero') expect(after.has(name)).to.equal(false);
      else expect(after.get(name), name).to.equal(name === 'fraction' ? '0.2' : text);
    }
    expect(after.get('neighbour')).to.equal('1');
    expect([...after.keys()]).to.deep.equal([...Object.keys(KINDS).filter((name) => name !== 'zero'), 'neighbour']);
    // Django has read and written it all once more: its own text is what stood there.
    await ops(both, 'django', browser, ['set', 'neighbour', 2]);
    const finally_ = await members(both, browser);
    for (const [name, text] of after) expect(finally_.get(name), name).to.equal(name === 'neighbour' ? '2' : text);
  });

  for (const side of SIDES) {
    for (const [name, text] of Object.entries(KINDS)) {
      it(`${name} written by ${side} is read by ${other(side)}, changed there, and read again`, async () => {
        const both = await pair();
        const browser = new Browser();
        await ops(both, side, browser, ['set', 'v', raw(text)], ['set', 'w', null]);
        // 1.0 and 1 are one number in JavaScript, so that a float that is whole becomes an integer when we write it anew.
        const written = side === 'django' ? text : printJson(parseJson(text));
        expect((await members(both, browser)).get('v')).to.equal(written);
        const there = await ops(both, other(side), browser, ['get', 'v'], ['set', 'w', [side]]);
        const back = await ops(both, side, browser, ['get', 'v'], ['get', 'w']);
        expect(printJson(there.results[0])).to.equal(printJson(parseJson(text)));
        expect(printJson(back.results[0])).to.equal(printJson(parseJson(text)));
        expect(back.results[1]).to.deep.equal([side]);
        expect((await members(both, browser)).get('v')).to.equal(written);
      });
    }

    it(`a session over the compression limit written by ${side} is read by ${other(side)}`, async () => {
      const both = await pair();
      const browser = new Browser();
      const long = Array.from({ length: 300 }, (_, index) => ({ goods: index, name: 'a cup of tea' }));
      await ops(both, side, browser, ['set', 'long', long]);
      expect((await row(both, browser))?.session_data).to.match(/^\./);
      const there = await ops(both, other(side), browser, ['get', 'long'], ['set', 'short', 1]);
      expect(there.results[0]).to.deep.equal(long);
      expect((await ops(both, side, browser, ['get', 'short'])).results).to.deep.equal([1]);
    });

    it(`an empty session saved by ${side} is empty at ${other(side)}`, async () => {
      const both = await pair();
      const browser = new Browser();
      await ops(both, side, browser, ['set', 'a', 1], ['clear']);
      for (const at of SIDES) expect((await ops(both, at, browser, ['keys'])).results).to.deep.equal([[]]);
    });
  }

  it('a message left at Django survives our writes and is shown there once', async () => {
    const both = await pair();
    const browser = new Browser();
    await browser.get(`${both.urls.django}/django/messages/?add=Saved%20%E2%9C%94`);
    const before = (await members(both, browser)).get('_messages');
    await ops(both, 'koa', browser, ['set', 'a', 1], ['cycle_key']);
    expect((await members(both, browser)).get('_messages')).to.equal(before);
    const shown = await browser.get(`${both.urls.django}/django/messages/`);
    expect(shown.json).to.deep.equal([[25, 'Saved \u2714', 'kept']]);
    expect((await browser.get(`${both.urls.django}/django/messages/`)).json).to.deep.equal([]);
  });
});
