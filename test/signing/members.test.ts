import { expect } from 'chai';
import fc from 'fast-check';
import { Members } from '../../server/signing/members.js';
import { printJson, splitMembers } from '../../server/signing/python_json.js';
import { splitBytes } from '../../server/signing/split_bytes.js';

/** What is asked of a Map; `all` asks for everything at once. */
const question = fc.oneof(
  fc.record({ ask: fc.constantFrom('get', 'has'), key: fc.constantFrom('a', 'b', 'ab', 'é', '', 'a"', '__proto__') }),
  fc.constant({ ask: 'all', key: '' }),
);

describe('Members', () => {
  it('answer as the Map of all members does, in whatever order they are asked', () => {
    const keys = fc.constantFrom('a', 'b', 'ab', 'é', '', 'a"', '__proto__', 'a":1,"b');
    const pairs = fc.array(fc.tuple(keys, fc.constantFrom('1', '"a"', '[{"a":1}]', 'null', '{}')), { maxLength: 8 });
    fc.assert(
      fc.property(pairs, fc.array(question), (members, questions) => {
        const json = `{${members.map(([key, text]) => `${printJson(key)}:${text}`).join(',')}}`;
        const expected = splitMembers(json) ?? new Map<string, string>();
        const found = splitBytes(Buffer.from(json, 'latin1'));
        if (found === null) throw new Error(`not split: ${json}`);
        expect(found).to.be.instanceOf(Members);
        for (const { ask, key } of questions) {
          if (ask === 'get') expect(found.get(key), json).to.equal(expected.get(key));
          else if (ask === 'has') expect(found.has(key), json).to.equal(expected.has(key));
          else {
            expect([...found], json).to.deep.equal([...expected]);
            expect([...found.keys()], json).to.deep.equal([...expected.keys()]);
            expect([...found.values()], json).to.deep.equal([...expected.values()]);
            expect(found.size, json).to.equal(expected.size);
            const each: [string, string][] = [];
            found.forEach((text, name) => {
              each.push([name, text]);
            });
            expect(each, json).to.deep.equal([...expected]);
          }
        }
      }),
      { numRuns: 2000 },
    );
  });
});
