import { expect } from 'chai';
import fc from 'fast-check';
import { printJson, splitMembers } from '../../server/signing/python_json.js';
import { splitBytes } from '../../server/signing/split_bytes.js';

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');

/** What splitMembers makes of a text; undefined where it throws. */
function reference(text: string): Map<string, string> | null | undefined {
  try {
    return splitMembers(text);
  } catch {
    return undefined;
  }
}

describe('splitBytes', () => {
  it('splits whatever Python writes as splitMembers does', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue()), (document) => {
        const text = printJson(document);
        const split = splitBytes(bytes(text));
        // Exponents are left to the scanner.
        if (split === null) expect(text).to.match(/[eE][+-]?\d/);
        else expect([...split]).to.deep.equal([...(splitMembers(text) ?? [])]);
      }),
    );
  });

  it('accepts nothing that splitMembers refuses, whichever byte is changed', () => {
    const texts = ['{"a":1}', '{"a\\u00e9":[1,-2.5,{"b":"\\n\\""}],"c":null,"d":true,"e":false,"f":{}}', '{}'];
    fc.assert(
      fc.property(fc.constantFrom(...texts), fc.nat(), fc.integer({ min: 0, max: 255 }), (text, place, code) => {
        const at = place % text.length;
        const changed = text.slice(0, at) + String.fromCharCode(code) + text.slice(at + 1);
        const split = splitBytes(bytes(changed));
        if (split !== null) expect([...split]).to.deep.equal([...(reference(changed) ?? ['refused'])]);
      }),
      { numRuns: 3000 },
    );
  });

  it('accepts no text that stops early or goes on', () => {
    const text = '{"a":["b",{"c":"d"}],"e":12}';
    for (let end = 0; end < text.length; end += 1) expect(splitBytes(bytes(text.slice(0, end)))).to.equal(null);
    for (const more of ['}', ',', ' ', '0', '{}']) expect(splitBytes(bytes(text + more))).to.equal(null);
  });

  it('accepts brackets and commas inside a value only where they belong', () => {
    const deepest = `${'['.repeat(9_999)}${']'.repeat(9_999)}`;
    for (const value of ['[]', '{}', '[[],{}]', '{"b":[{"c":[]},1],"d":{}}', '[[[1]],[2]]', deepest]) {
      expect([...(splitBytes(bytes(`{"a":${value}}`)) ?? [])], value).to.deep.equal([['a', value]]);
    }
    const wrong = ['[1,]', '[,]', '[,1]', '{"b":1,}', '{,}', '[}', '{]', '[1}', '{"b":1]', '[{"b":1]}', '{"b":[1}]'];
    for (const value of [...wrong, '{"b"}', '{"b":}', '{1:2}', '[1 2]', '[1,,2]', '[[1]', '[1]]', '["b":1]']) {
      expect(splitBytes(bytes(`{"a":${value}}`)), value).to.equal(null);
    }
  });

  it('leaves numbers that JSON does not know to the scanner', () => {
    for (const number of ['01', '-', '1.', '.5', '+1', '1e5', '0x1']) {
      expect(splitBytes(bytes(`{"a":${number}}`)), number).to.equal(null);
    }
  });

  it('goes as deep as the scanner, without the stack', () => {
    const deep = (levels: number): string => `{"a":${'['.repeat(levels)}${']'.repeat(levels)}}`;
    expect(splitBytes(bytes(deep(9_999)))?.get('a')).to.have.length(2 * 9_999);
    for (const levels of [10_000, 100_000]) {
      expect(splitBytes(bytes(deep(levels)))).to.equal(null);
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
