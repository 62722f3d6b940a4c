import { expect } from 'chai';
import fc from 'fast-check';
import { print_json, split_members } from '../../server/signing/python_json.js';
import { split_bytes } from '../../server/signing/split_bytes.js';

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');

/** What split_members makes of a text; undefined where it throws. */
function reference(text: string): Map<string, string> | null | undefined {
  try {
    return split_members(text);
  } catch {
    return undefined;
  }
}

describe('split_bytes', () => {
  it('splits whatever Python writes as split_members does', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue()), (document) => {
        const text = print_json(document);
        const split = split_bytes(bytes(text));
        // Exponents are left to the scanner.
        if (split === null) expect(text).to.match(/[eE][+-]?\d/);
        else expect([...split]).to.deep.equal([...(split_members(text) ?? [])]);
      }),
    );
  });

  it('accepts nothing that split_members refuses, whichever byte is changed', () => {
    const texts = ['{"a":1}', '{"a\\u00e9":[1,-2.5,{"b":"\\n\\""}],"c":null,"d":true,"e":false,"f":{}}', '{}'];
    fc.assert(
      fc.property(fc.constantFrom(...texts), fc.nat(), fc.integer({ min: 0, max: 255 }), (text, place, code) => {
        const at = place % text.length;
        const changed = text.slice(0, at) + String.fromCharCode(code) + text.slice(at + 1);
        const split = split_bytes(bytes(changed));
        if (split !== null) expect([...split]).to.deep.equal([...(reference(changed) ?? ['refused'])]);
      }),
      { numRuns: 3000 },
    );
  });

  it('accepts no text that stops early or goes on', () => {
    const text = '{"a":["b",{"c":"d"}],"e":12}';
    for (let end = 0; end < text.length; end += 1) expect(split_bytes(bytes(text.slice(0, end)))).to.equal(null);
    for (const more of ['}', ',', ' ', '0', '{}']) expect(split_bytes(bytes(text + more))).to.equal(null);
  });

  it('accepts brackets and commas inside a value only where they belong', () => {
    const deepest = `${'['.repeat(9_999)}${']'.repeat(9_999)}`;
    for (const value of ['[]', '{}', '[[],{}]', '{"b":[{"c":[]},1],"d":{}}', '[[[1]],[2]]', deepest]) {
      expect([...(split_bytes(bytes(`{"a":${value}}`)) ?? [])], value).to.deep.equal([['a', value]]);
    }
    const wrong = ['[1,]', '[,]', '[,1]', '{"b":1,}', '{,}', '[}', '{]', '[1}', '{"b":1]', '[{"b":1]}', '{"b":[1}]'];
    for (const value of [...wrong, '{"b"}', '{"b":}', '{1:2}', '[1 2]', '[1,,2]', '[[1]', '[1]]', '["b":1]']) {
      expect(split_bytes(bytes(`{"a":${value}}`)), value).to.equal(null);
    }
  });

  it('leaves numbers that JSON does not know to the scanner', () => {
    for (const number of ['01', '-', '1.', '.5', '+1', '1e5', '0x1']) {
      expect(split_bytes(bytes(`{"a":${number}}`)), number).to.equal(null);
    }
  });

  it('goes as deep as the scanner, without the stack', () => {
    const deep = (levels: number): string => `{"a":${'['.repeat(levels)}${']'.repeat(levels)}}`;
    expect(split_bytes(bytes(deep(9_999)))?.get('a')).to.have.length(2 * 9_999);
    for (const levels of [10_000, 100_000]) {
      expect(split_bytes(bytes(deep(levels)))).to.equal(null);
      expect(() => split_members(deep(levels))).to.throw(/10000 deep/);
    }
  });

  it('keeps the last of equal keys at the place of the first', () => {
    expect([...(split_bytes(bytes('{"a":1,"b":2,"\\u0061":3}')) ?? [])]).to.deep.equal([
      ['a', '3'],
      ['b', '2'],
    ]);
  });
});
