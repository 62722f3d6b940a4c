/** JSON as Python prints and reads it. */
import { expect } from 'chai';
import fc from 'fast-check';
import { ValueError } from '../../server/errors.js';
import { splitMembers } from '../../server/signing/members.js';
import { joinMembers, parseJson, printJson } from '../../server/signing/python_json.js';
import { expectNoDearer } from '../support/growth.js';

const deep = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels);

describe('printJson', () => {
  const numbers: [number | bigint, string][] = [
    [0, '0'],
    [-0, '-0.0'],
    [1, '1'],
    [-1.5, '-1.5'],
    [0.1, '0.1'],
    [1e-4, '0.0001'],
    [1e-5, '1e-05'],
    [1.5e-7, '1.5e-07'],
    [5e-324, '5e-324'],
    [1.7976931348623157e308, '1.7976931348623157e+308'],
    [9007199254740991, '9007199254740991'],
    [9007199254740992, '9007199254740992.0'],
    [1e16, '1e+16'],
    [123456789012345680000, '1.2345678901234568e+20'],
    [1e22, '1e+22'],
    [-1e23, '-1e+23'],
    [Number.NaN, 'NaN'],
    [Number.POSITIVE_INFINITY, 'Infinity'],
    [Number.NEGATIVE_INFINITY, '-Infinity'],
    [12345678901234567890n, '12345678901234567890'],
    [-5n, '-5'],
  ];
  for (const [value, text] of numbers) {
    it(`prints ${typeof value} ${Object.is(value, -0) ? '-0' : value} as ${text}`, () => {
      expect(printJson(value)).to.equal(text);
    });
  }

  it('escapes all but printable ASCII, each half of a surrogate pair, and DEL', () => {
    expect(printJson('é\u007f\u0080\u2028😀\ud800"\\/\b\f\n\r\t\u000b')).to.equal(
      '"\\u00e9\\u007f\\u0080\\u2028\\ud83d\\ude00\\ud800\\"\\\\/\\b\\f\\n\\r\\t\\u000b"',
    );
  });

  it('prints Maps and plain objects alike, prototype names as any other', () => {
    const object = JSON.parse('{"__proto__":1,"constructor":2,"":3,"toString":4}') as unknown;
    expect(printJson(object)).to.equal('{"__proto__":1,"constructor":2,"":3,"toString":4}');
    expect(
      printJson(
        new Map([
          ['2', 1],
          ['1', 2],
        ]),
      ),
    ).to.equal('{"2":1,"1":2}');
    expect(printJson(Object.assign(Object.create(null) as object, { a: [] }))).to.equal('{"a":[]}');
  });

  const cycle: unknown[] = [];
  cycle.push({ a: cycle });
  const refused: [string, unknown][] = [
    ['undefined', undefined],
    ['a function', () => 1],
    ['a symbol', Symbol('a')],
    ['a Date', new Date(0)],
    ['a Set', new Set()],
    ['a Buffer', Buffer.from('a')],
    ['a boxed string', new String('a')],
    ['undefined in an object', { a: undefined }],
    ['a hole in an array', new Array(1)],
    ['a Map with a number as its key', new Map([[1, 1]])],
    ['a cycle', cycle],
  ];
  for (const [name, value] of refused) {
    it(`refuses ${name} and says what is allowed`, () => {
      expect(() => printJson(value)).to.throw(TypeError, /Allowed are null, booleans, numbers, bigints/);
    });
  }

  const nest = (levels: number, wrap: (inner: unknown) => unknown = (inner) => [inner]): unknown => {
    let value: unknown = [];
    for (let level = 1; level < levels; level += 1) value = wrap(value);
    return value;
  };

  it('goes 10,000 levels deep and no further, without overflowing the stack', () => {
    expect(printJson(nest(10_000))).to.equal(deep(10_000));
    expect(() => printJson(nest(10_001))).to.throw(ValueError, /10000 deep/);
    expect(() => printJson(nest(1_000_000))).to.throw(ValueError, /10000 deep/);
  });

  it('goes as deep as it is told', () => {
    expect(printJson(nest(3), 3)).to.equal('[[[]]]');
    for (const levels of [4, 1000]) expect(() => printJson(nest(levels), 3)).to.throw(ValueError, /more than 3 deep/);
    expect(() => printJson(nest(701), 700)).to.throw(ValueError, /more than 700 deep/);
  });

  it('prints what lies deep as what does not', () => {
    const inner = { b: [], a: [1.5, { '\u00e9': null }, 'x', 2n ** 64n, {}], m: new Map([['k', [[], true]]]) };
    const wraps = [(value: unknown) => [1, value, 'z'], (value: unknown) => ({ q: 0, v: value, z: Number.NaN })];
    for (const wrap of wraps) {
      let value: unknown = inner;
      let text = printJson(inner);
      const [before = '', after = ''] = printJson(wrap(null)).split('null');
      for (let level = 1; level < 3000; level += 1) {
        value = wrap(value);
        text = before + text + after;
      }
      expect(printJson(value) === text).to.equal(true);
    }
  });

  it('refuses deep down what it refuses elsewhere', () => {
    const deepCycle: unknown[] = [];
    deepCycle.push(nest(600, (inner) => (Array.isArray(inner) && inner.length === 0 ? [deepCycle] : [inner])));
    for (const value of [undefined, new Date(0), new Map([[1, 1]]), deepCycle]) {
      const wrapped = nest(1000, (inner) => (Array.isArray(inner) && inner.length === 0 ? [value] : [inner]));
      expect(() => printJson(wrapped)).to.throw(TypeError, /Allowed are/);
    }
  });

  it('takes a time in proportion to the text, however deep it lies', async () => {
    const lists = Array.from({ length: 20_000 }, () => []);
    const around = (levels: number): unknown => {
      let isFirst = true;
      return nest(levels, (inner) => {
        const value = isFirst ? lists : [inner];
        isFirst = false;
        return value;
      });
    };
    // The plain one may be printed by compiled code and the deep one by V8's interpreter, whatever ran before in this
    // process: 45 times as dear. Work that grows with the depth would be 200 times as dear at the last of them.
    for (const levels of [39, 40, 41, 42, 499, 500, 501, 502, 5000]) {
      await expectNoDearer(
        async () => printJson(around(2)),
        async () => printJson(around(levels)),
        100,
      );
    }
  });

  it('finds a cycle before it has printed a large text over and over', () => {
    const cycle: unknown[] = ['x'.repeat(1_000_000)];
    for (let inner = cycle, level = 0; level < 60; level += 1) {
      const next: unknown[] = level === 59 ? [cycle] : [];
      inner.push(next);
      inner = next;
    }
    expect(() => printJson(cycle)).to.throw(TypeError, /contains itself/);
  });

  it('prints one object twice where it is no cycle', () => {
    const shared = { a: 1 };
    expect(printJson([shared, shared])).to.equal('[{"a":1},{"a":1}]');
  });
});

describe('parseJson', () => {
  it('refuses integers of more than 4300 digits, as Python does, and takes floats of any length', () => {
    const digits = '9'.repeat(4300);
    for (const text of [digits, `-${digits}`]) expect(parseJson(text) === BigInt(text)).to.equal(true);
    for (const text of [`${digits}9`, `-${digits}9`]) {
      expect(() => parseJson(text)).to.throw(ValueError);
      expect(() => splitMembers(`{"a":${text}}`)).to.throw(ValueError);
    }
    expect(parseJson(`${digits}9.0e-4300`)).to.be.closeTo(10, 0.1);
  });

  const same: [string, unknown][] = [
    ['NaN', Number.NaN],
    ['[Infinity,-Infinity]', [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]],
    ['1e400', Number.POSITIVE_INFINITY],
    ['9007199254740991', 9007199254740991],
    ['9007199254740993', 9007199254740993n],
    ['[-12345678901234567890]', [-12345678901234567890n]],
    ['{"a":18446744073709551616}', { a: 18446744073709551616n }],
    [' \t\r\n{ "a" : [ 1 , 2.5e0 ] } \n', { a: [1, 2.5] }],
    ['{"a":1,"b":2,"a":3}', { a: 3, b: 2 }],
    ['"\\u00e9\\ud83d\\ude00\\/\\ud800"', 'é😀/\ud800'],
    ['["NaN","-0","1234567890123456789"]', ['NaN', '-0', '1234567890123456789']],
    ['{"NaN":true,"n":null}', { NaN: true, n: null }],
    [`"${'\u007f\u0080ÿ'}"`, '\u007f\u0080ÿ'],
  ];
  for (const [text, value] of same) {
    it(`reads ${JSON.stringify(text)}`, () => {
      expect(parseJson(text)).to.deep.equal(value);
    });
  }

  it('tells the int -0, which is 0, from the float', () => {
    const [int, float, exponent] = parseJson('[-0,-0.0,-0e1]') as number[];
    expect([Object.is(int, 0), Object.is(float, -0), Object.is(exponent, -0)]).to.deep.equal([true, true, true]);
    expect(Object.is(parseJson('-0'), 0)).to.equal(true);
  });

  it('keeps the order of the first of equal keys', () => {
    expect(Object.keys(parseJson('{"a":NaN,"b":2,"a":3}') as object)).to.deep.equal(['a', 'b']);
  });

  for (const text of ['{"__proto__":{"x":1},"a":1}', '{"__proto__":{"x":1},"a":NaN}']) {
    it(`takes __proto__ in ${text} for a key as any other`, () => {
      const value = parseJson(text) as Record<string, unknown>;
      expect(Object.keys(value)).to.deep.equal(['__proto__', 'a']);
      expect(Object.getPrototypeOf(value)).to.equal(Object.prototype);
      expect('x' in value).to.equal(false);
    });
  }

  const broken = [
    '',
    ' ',
    '{',
    '}',
    '[1,]',
    '{"a":1,}',
    '{,}',
    '[1 2]',
    '{"a" 1}',
    '{a:1}',
    "{'a':1}",
    '01',
    '-',
    '+1',
    '.5',
    '1.',
    '1e',
    '1e+',
    '0x1',
    '--1',
    'nan',
    'NaNN',
    '-NaN',
    'infinity',
    '+Infinity',
    'Tru',
    'truee',
    '"',
    '"\\',
    '"\\x"',
    '"\\u12g4"',
    '"\\u12',
    '"a\nb"',
    '"\t"',
    '{"a":1}x',
    '\ufeff{}',
    '\u00a0{}',
    '"a" "b"',
    '{"a":}',
    '[NaN,]',
    '{"a":NaN',
    '١',
    '[1,"',
    '{"a":"\\"}',
  ];
  for (const text of broken) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      expect(() => parseJson(text)).to.throw(ValueError);
      expect(() => parseJson(`[NaN,${text}`)).to.throw(ValueError);
      expect(() => splitMembers(text)).to.throw(ValueError);
      expect(() => splitMembers(`{"NaN":${text}`)).to.throw(ValueError);
    });
  }

  it('refuses what follows a whole value', () => {
    for (const text of ['[1]]', '[NaN]]', '{}{}', '1 2']) expect(() => parseJson(text), text).to.throw(ValueError);
  });

  it('goes 10,000 levels deep and no further, without overflowing the stack', () => {
    expect(printJson(parseJson(deep(10_000)))).to.equal(deep(10_000));
    // NaN and spaces are read by the reader, one by one.
    expect(printJson(parseJson(`[NaN,${deep(9_999)}]`))).to.equal(`[NaN,${deep(9_999)}]`);
    const spaced = `{ "b" : ${'{"a": [ '.repeat(4_999)}NaN${' ]}'.repeat(4_999)} }`;
    expect(printJson(parseJson(spaced))).to.equal(spaced.replaceAll(' ', ''));
    expect([...(splitMembers(spaced) ?? [])]).to.deep.equal([['b', spaced.slice(8, -2)]]);
    for (const text of [
      deep(10_001),
      deep(1_000_000),
      '['.repeat(100_000),
      '{"a":'.repeat(100_000),
      `[NaN,${deep(10_000)}]`,
    ]) {
      expect(() => parseJson(text)).to.throw(ValueError, /10000 deep/);
      expect(() => splitMembers(text)).to.throw(ValueError, /10000 deep/);
    }
  });

  it('never shows what the text holds in an error', () => {
    expect(() => parseJson('{"password":"hunter2"')).to.throw(ValueError, /position 21\.$/);
  });
});

describe('splitMembers', () => {
  it('keeps each value as it was written', () => {
    const text = ' { "a" : 1.0 , "b":12345678901234567890,"c":[ NaN , {"x" :-0.0} ],"\\u00e9":"\\u0041\\/" } ';
    expect([...(splitMembers(text) ?? [])]).to.deep.equal([
      ['a', '1.0'],
      ['b', '12345678901234567890'],
      ['c', '[ NaN , {"x" :-0.0} ]'],
      ['é', '"\\u0041\\/"'],
    ]);
  });

  it('takes the last of equal keys at the place of the first, however they are escaped', () => {
    expect([...(splitMembers('{"a":1,"b":2,"\\u0061":3}') ?? [])]).to.deep.equal([
      ['a', '3'],
      ['b', '2'],
    ]);
  });

  it('keeps the order of keys that look like indices, and prototype names', () => {
    const text = '{"b":1,"10":2,"2":3,"__proto__":4,"":5}';
    expect([...(splitMembers(text)?.keys() ?? [])]).to.deep.equal(['b', '10', '2', '__proto__', '']);
    expect(joinMembers(splitMembers(text) ?? [])).to.equal(text);
  });

  it('is null for what is JSON but no object', () => {
    for (const text of ['[]', '[{"a":1}]', 'null', '1', '"{}"', 'NaN', ' true ']) {
      expect(splitMembers(text)).to.equal(null);
    }
  });

  it('takes a time in proportion to the text', () => {
    const many = (count: number): string =>
      `{${Array.from({ length: count }, (_, n) => `"k${n}":"\\u00e9\\n"`).join(',')}}`;
    expect(splitMembers(many(100_000))?.size).to.equal(100_000);
    expect(splitMembers(`{"a":"${'\\"'.repeat(500_000)}"}`)?.size).to.equal(1);
    expect(() => splitMembers(`{"a":"${'\\"'.repeat(500_000)}`)).to.throw(ValueError);
    expect(() => splitMembers(`{${'"a":1,'.repeat(200_000)}`)).to.throw(ValueError);
  });
});

describe('JSON of any value', () => {
  /** What Python's JSON can hold and JavaScript can tell apart. */
  const { value: anyValue } = fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 4, withCrossShrink: true },
      fc.constantFrom(null, true, false, Number.NaN, -0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY),
      fc.string({ unit: 'binary' }),
      fc.double().filter((n) => !Number.isInteger(n) || Number.isSafeInteger(n)),
      fc.maxSafeInteger(),
      fc.bigInt().filter((n) => n > 2n ** 53n || n < -(2n ** 53n)),
      fc.array(tie('value')),
      fc.dictionary(fc.string({ unit: 'binary' }), tie('value')),
    ),
  }));
  const keys = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom('__proto__', 'constructor', 'toString', '', '1', '0', '-1', 'length', 'hasOwnProperty', '\ud800'),
  );

  it('survives printing and reading', () => {
    fc.assert(
      fc.property(anyValue, (value) => {
        const text = printJson(value);
        expect(text).to.match(/^[ -~]*$/);
        expect(parseJson(text)).to.deep.equal(fc.cloneIfNeeded(normal(value)));
        expect(printJson(parseJson(text))).to.equal(text);
      }),
      { numRuns: 500 },
    );
  });

  it('survives in a dictionary of any keys, in order, member by member', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(keys, anyValue)), (pairs) => {
        const members = new Map(pairs);
        const text = printJson(members);
        const texts = splitMembers(text);
        expect([...(texts?.keys() ?? [])]).to.deep.equal([...members.keys()]);
        for (const [key, value] of members) expect(texts?.get(key)).to.equal(printJson(value));
        expect(joinMembers(texts ?? [])).to.equal(text);
      }),
      { numRuns: 500 },
    );
  });

  it('is valid for JSON.parse, the reader and the scanner alike, or for none', () => {
    const pieces = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '"',
      '\\',
      'a',
      '1',
      '0',
      '-',
      '.',
      'e',
      'null',
      ' ',
      '\n',
      '"a"',
      '\\u00e9',
      'true',
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 12 }), (parts) => {
        const text = parts.join('');
        const native = accepts(() => JSON.parse(text) as unknown);
        expect(accepts(() => parseJson(text))).to.equal(native);
        // NaN beside it: the reader reads it, not JSON.parse.
        expect(accepts(() => parseJson(`[NaN,${text}]`))).to.equal(accepts(() => JSON.parse(`[1,${text}]`) as unknown));
        expect(accepts(() => splitMembers(text))).to.equal(native);
      }),
      { numRuns: 5000 },
    );
  });
});

/** fast-check's dictionaries have no prototype; what is read has the ordinary one. */
const normal = (value: unknown): unknown =>
  typeof value !== 'object' || value === null
    ? value
    : Array.isArray(value)
      ? value.map(normal)
      : Object.fromEntries(Object.entries(value).map(([key, member]) => [key, normal(member)]));

function accepts(run: () => unknown): boolean {
  try {
    run();
    return true;
  } catch {
    return false;
  }
}
