import { expect } from 'chai';
import fc from 'fast-check';
import { ValueError } from '../../server/errors.js';
import { Members, splitBytes, splitMembers } from '../../server/signing/members.js';
import { printJson } from '../../server/signing/python_json.js';

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');

function accepts(run: () => unknown): boolean {
  try {
    run();
    return true;
  } catch {
    return false;
  }
}

function refuses(text: string): void {
  expect(() => splitBytes(bytes(text)), text).to.throw(ValueError);
}

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
        const expected = new Map(members);
        const found = splitBytes(bytes(json));
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

describe('splitBytes', () => {
  it('splits whatever Python writes', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue()), (document) => {
        const expected = Object.entries(document).map(([key, value]) => [key, printJson(value)]);
        expect([...(splitBytes(bytes(printJson(document))) ?? [])]).to.deep.equal(expected);
      }),
    );
  });

  it('accepts what JSON.parse accepts and nothing else, whichever byte is changed', () => {
    const texts = ['{"a":1}', '{"a\\u00e9":[1,-2.5,{"b":"\\n\\""}],"c":null,"d":true,"e":false,"f":{}}', '{}'];
    fc.assert(
      fc.property(fc.constantFrom(...texts), fc.nat(), fc.integer({ min: 0, max: 255 }), (text, place, code) => {
        const at = place % text.length;
        const changed = text.slice(0, at) + String.fromCharCode(code) + text.slice(at + 1);
        expect(accepts(() => splitBytes(bytes(changed)))).to.equal(accepts(() => JSON.parse(changed) as unknown));
      }),
      { numRuns: 3000 },
    );
  });

  it('accepts no text that stops early or goes on', () => {
    const text = '{"a":["b",{"c":"d"}],"e":12}';
    for (let end = 0; end < text.length; end += 1) refuses(text.slice(0, end));
    for (const more of ['}', ',', '0', '{}']) refuses(text + more);
  });

  it('accepts brackets and commas inside a value only where they belong', () => {
    const deepest = `${'['.repeat(9_999)}${']'.repeat(9_999)}`;
    for (const value of ['[]', '{}', '[[],{}]', '{"b":[{"c":[]},1],"d":{}}', '[[[1]],[2]]', deepest]) {
      expect([...(splitBytes(bytes(`{"a":${value}}`)) ?? [])], value).to.deep.equal([['a', value]]);
    }
    const wrong = ['[1,]', '[,]', '[,1]', '{"b":1,}', '{,}', '[}', '{]', '[1}', '{"b":1]', '[{"b":1]}', '{"b":[1}]'];
    for (const value of [...wrong, '{"b"}', '{"b":}', '{1:2}', '[1 2]', '[1,,2]', '[[1]', '[1]]', '["b":1]']) {
      refuses(`{"a":${value}}`);
    }
  });

  it('refuses numbers that JSON does not know', () => {
    for (const number of ['01', '-', '1.', '.5', '+1', '1e', '0x1']) refuses(`{"a":${number}}`);
  });

  it('goes 10,000 levels deep, without the stack', () => {
    const deep = (levels: number): string => `{"a":${'['.repeat(levels)}${']'.repeat(levels)}}`;
    expect(splitBytes(bytes(deep(9_999)))?.get('a')).to.have.length(2 * 9_999);
    for (const levels of [10_000, 100_000]) {
      expect(() => splitBytes(bytes(deep(levels)))).to.throw(/10000 deep/);
      expect(() => splitMembers(deep(levels))).to.throw(/10000 deep/);
    }
  });

  it('keeps the last of equal keys at the place of the first', () => {
    expect([...(splitBytes(bytes('{"a":1,"b":2,"\\u0061":3}')) ?? [])]).to.deep.equal([
      ['a', '3'],
      ['b', '2'],
    ]);
  });
});
