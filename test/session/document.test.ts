/** The session's document: what is read, printed and compared, and what that costs. */
import { expect } from 'chai';
import { Document } from '../../server/session/document.js';
import { splitMembers } from '../../server/signing/members.js';
import { printJson } from '../../server/signing/python_json.js';
import { expectNoDearer } from '../support/growth.js';

const loaded = (json: string): ReadonlyMap<string, string> => splitMembers(json) ?? new Map();

describe('Document', () => {
  it('tells that nothing was changed inside for the price of one print', async () => {
    const texts = loaded(`{"d":[${Array.from({ length: 30_000 }, (_, n) => `{"id":${n},"a":[]}`).join(',')}]}`);
    const value = Document.fromTexts(texts).get('d');
    const document = Document.fromTexts(texts);
    document.get('d');
    // Warm, so that the first measurement is not one of compiling.
    for (let time = 0; time < 5; time += 1) printJson(value);
    await expectNoDearer(
      async () => printJson(value),
      async () => document.changedInside(texts),
      1.8,
    );
    expect(document.changedInside(texts)).to.deep.equal([]);
  });

  it('keeps a text that prints otherwise here, and changes in it, however often it is asked', () => {
    const texts = loaded('{"d":[1.0,{"a": 1e5}],"e":[1.0]}');
    const document = Document.fromTexts(texts);
    const value = document.get('d') as unknown[];
    document.get('e');
    for (let time = 0; time < 2; time += 1) expect([...document.texts()]).to.deep.equal([...texts]);
    value.push(2);
    expect(document.changedInside(texts)).to.deep.equal(['d']);
    expect([...document.texts()]).to.deep.equal([
      ['d', '[1,{"a":100000},2]'],
      ['e', '[1.0]'],
    ]);
    value.pop();
    expect(document.changedInside(texts)).to.deep.equal([]);
  });

  it('writes nothing that lies too deep to be read again', () => {
    const levels = 9_999;
    const document = Document.fromTexts(loaded(`{"d":${'['.repeat(levels)}${']'.repeat(levels)}}`));
    let inner = document.get('d') as unknown[];
    expect(document.texts().get('d')).to.have.lengthOf(2 * levels);
    while (inner[0] !== undefined) inner = inner[0] as unknown[];
    inner.push([]);
    expect(() => document.texts()).to.throw(/lie in one another more than 9999 deep/);
  });
});
