/** What a Cookie header means, compared with Django on hostile and odd ones. */
import { expect } from 'chai';
import { parse_cookie } from '../../server/http/cookie_header.js';
import { decodeHeader } from '../../server/http/header_bytes.js';
import { expectLinear } from '../support/growth.js';
import { type VectorEntry, vectorSuite } from '../support/vectors.js';

interface ParseVector extends VectorEntry {
  readonly header: string;
  readonly result: readonly (readonly [string, string])[];
}

vectorSuite<ParseVector>(
  'parse_cookie',
  ({ header, result }) => {
    expect([...parse_cookie(header)]).to.deep.equal(result);
  },
  { name: ({ header }) => JSON.stringify(header) },
);

/** The bytes of a header as Latin-1, and `list(request.COOKIES.items())` of Django 6.0 on WSGI. */
const HOSTILE: readonly (readonly [header: string, cookies: readonly (readonly string[])[]])[] = [
  ['a=b', [['a', 'b']]],
  ['', []],
  [';', []],
  ['=', []],
  ['==', [['', '=']]],
  ['a==b', [['a', '=b']]],
  [' a = b ', [['a', 'b']]],
  ['a=b;a=c', [['a', 'c']]],
  ['a="b";a=c', [['a', 'c']]],
  ['a="', [['a', '"']]],
  ['a="""', [['a', '"']]],
  ['a="\\"', [['a', '\\']]],
  ['a="\\\\"', [['a', '\\']]],
  ['a="\\0"', [['a', '0']]],
  ['a="\\400"', [['a', '400']]],
  ['a="\\1011"', [['a', 'A1']]],
  ['a="x\\\ty"', [['a', 'x\ty']]],
  [
    '\u00e6\u00b8\u0085=1; a=\u00e6\u00b8\u0085',
    [
      ['\u6e05', '1'],
      ['a', '\u6e05'],
    ],
  ],
  ['a=\u00ff\u00fe', [['a', '\ufffd\ufffd']]],
  ['a=\u00ed\u00a0\u0080', [['a', '\ufffd\ufffd\ufffd']]],
  ['a=\u00f0\u009f\u0098', [['a', '\ufffd']]],
  ['a=\u00c2\u0085x\u00c2\u0085', [['a', 'x']]],
  ['a=\u00ef\u00bb\u00bfb', [['a', '\ufeffb']]],
  ['a=\u00a0b', [['a', '\ufffdb']]],
  ['\u00c2\u00a0a=b\u00e3\u0080\u0080', [['a', 'b']]],
  [
    '__proto__=1; constructor=2; toString=3',
    [
      ['__proto__', '1'],
      ['constructor', '2'],
      ['toString', '3'],
    ],
  ],
  ['a=1, b=2', [['a', '1, b=2']]],
  ['a b=c d', [['a b', 'c d']]],
  ['a=%00', [['a', '%00']]],
  ['a="\\303\\251"', [['a', '\u00c3\u00a9']]],
  [
    'a=b; Path=/; Secure',
    [
      ['a', 'b'],
      ['Path', '/'],
      ['', 'Secure'],
    ],
  ],
  [
    '$Version=1; a=b',
    [
      ['$Version', '1'],
      ['a', 'b'],
    ],
  ],
  [
    'sessionid=; sessionid',
    [
      ['sessionid', ''],
      ['', 'sessionid'],
    ],
  ],
  ['a=\\054', [['a', '\\054']]],
  ['a="b', [['a', '"b']]],
  ['a=b"', [['a', 'b"']]],
  [
    'a=1;;;b=2',
    [
      ['a', '1'],
      ['b', '2'],
    ],
  ],
  ['a=(b)[c]{d}<e>@', [['a', '(b)[c]{d}<e>@']]],
  [
    "a='b;c'",
    [
      ['a', "'b"],
      ['', "c'"],
    ],
  ],
  ['a="b\\', [['a', '"b\\']]],
  ['a\tb=c', [['a\tb', 'c']]],
  ['a="\\"\\\\\\"', [['a', '"\\\\']]],
  ['a="\\\\\\054"', [['a', '\\,']]],
  [
    'x=1; x="2"; X=3',
    [
      ['x', '2'],
      ['X', '3'],
    ],
  ],
];

describe('Cookie header', () => {
  describe('read as Django reads it', () => {
    for (const [header, cookies] of HOSTILE) {
      it(JSON.stringify(header), () => {
        expect([...parse_cookie(decodeHeader(header))]).to.deep.equal(cookies);
      });
    }

    for (const part of ['\\', '"', ' ', ';', '=', 'a="\\', '\u00a0', '__Host-a=;', ' __Host-a\u2000', '\xe2\x80']) {
      it(`takes linear time over ${JSON.stringify(part)}`, async () => {
        for (const [before, after] of [
          ['a="', '"'],
          ['a=', 'b'],
          ['', 'b=c'],
          ['', '__Host-a=b'],
        ] as const) {
          await expectLinear(
            (size) => `${before}${part.repeat(size)}${after}`,
            (header) => parse_cookie(decodeHeader(header)),
          );
        }
      });
    }
  });

  describe('with names that promise who has set them', () => {
    const read = (header: string): readonly (readonly [string, string])[] => [...parse_cookie(header)];

    for (const space of ['\u2000', '\u00a0', '\u0085', '\u3000', '\u1680', '\u2028', '\ufeff', '\u001c', '\u000b']) {
      it(`takes ${JSON.stringify(space)} before a prefix for another name, as browsers do`, () => {
        for (const name of ['__Host-sessionid', '__Secure-sessionid', '__hOST-sessionid']) {
          for (const odd of [`${space}${name}`, `${name}${space}`, `${space}${name}${space}`]) {
            expect(read(`${odd}=planted`)).to.deep.equal([[odd, 'planted']]);
            expect(read(`${name}=own; ${odd}=planted`)).to.deep.equal([
              [name, 'own'],
              [odd, 'planted'],
            ]);
          }
        }
      });
    }

    it('strips spaces and tabs from them, and values as ever', () => {
      expect(read(' \t__Host-a \t= \u2000b ')).to.deep.equal([['__Host-a', 'b']]);
    });

    it('takes none of two', () => {
      for (const name of ['__Host-a', '__Secure-a', '__host-a']) {
        expect(read(`${name}=1; b=2; ${name}=3`)).to.deep.equal([['b', '2']]);
        expect(read(`${name}=1; \t${name} =1;${name}=1`)).to.deep.equal([]);
        expect(read(`${name}=1; ${name.toUpperCase()}=2`)).to.have.lengthOf(2);
      }
    });

    it('changes nothing for others', () => {
      expect(read('\u2000sessionid=a; sessionid=b; __Hosta=1; __Hosta=2; \u00a0_Host-a=3')).to.deep.equal([
        ['sessionid', 'b'],
        ['__Hosta', '2'],
        ['_Host-a', '3'],
      ]);
    });
  });

  it('takes bytes that are no UTF-8 for U+FFFD', () => {
    expect(decodeHeader('a=\xe6\xb8\x85\xff')).to.equal('a=清\ufffd');
  });
});
