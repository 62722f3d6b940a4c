/** Every part of vectors.json has a suite: what Django gave is never passed over in silence. */
import { readdirSync, readFileSync } from 'node:fs';
import { expect } from 'chai';
import { vectors } from './support/vectors.js';

/** Parts that are prose for the reader of the file, and hold no value to check. */
const PROSE = ['_meta', 'http_scenarios_note'];

/** Folders that `npm test` does not run: a suite there would not count (.mocharc.json, "ignore"). */
const NOT_RUN = /^(?:browser|bench|django\/live)\//;

/** The lists that the test files name, found in their text, so that the answer is the same when this file runs alone. */
function listsWithSuite(): Set<string> {
  const here = new URL('.', import.meta.url);
  const files = readdirSync(here, { recursive: true, encoding: 'utf8' });
  const lists = new Set<string>();
  for (const file of files) {
    const path = file.replaceAll('\\', '/');
    if (!path.endsWith('.test.ts') || NOT_RUN.test(path)) continue;
    const text = readFileSync(new URL(path, here), 'utf8');
    // vectorSuite, perhaps <Type>, then the list's name as a literal.
    for (const match of text.matchAll(/\bvectorSuite(?:<[^('"]*>)?\(\s*'(\w+)'/g)) lists.add(match[1] ?? '');
  }
  return lists;
}

describe('vectors.json', () => {
  const covered = listsWithSuite();

  for (const list of Object.keys(vectors)) {
    if (PROSE.includes(list)) continue;
    it(`${list} has a suite`, () => {
      expect(covered.has(list), `no test file says vectorSuite('${list}', …)`).to.equal(true);
    });
  }

  it('is where every suite finds its list', () => {
    expect([...covered].filter((list) => !(list in vectors))).to.deep.equal([]);
  });
});
