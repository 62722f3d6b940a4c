/** Base 62, base64, comparison and random texts. */
import { deflateSync } from 'node:zlib';
import { expect } from 'chai';
import fc from 'fast-check';
import { ValueError } from '../../server/errors.js';
import { b62_decode, b62_encode } from '../../server/signing/base62.js';
import { b64url_decode, b64url_encode } from '../../server/signing/base64url.js';
import { constant_time_compare, get_random_string, salted_hmac } from '../../server/signing/crypto.js';
import { pack, unpack } from '../../server/signing/payload.js';

describe('base 62', () => {
  it('gives back every whole number', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 80n), max: 2n ** 80n }), (n) => {
        expect(BigInt(b62_decode(b62_encode(n)))).to.equal(n);
      }),
    );
    fc.assert(
      fc.property(fc.maxSafeInteger(), (n) => {
        expect(b62_decode(b62_encode(n))).to.equal(n);
      }),
    );
  });

  it('refuses what is no whole number', () => {
    for (const n of [0.5, Number.NaN, 2 ** 53]) expect(() => b62_encode(n)).to.throw(ValueError);
    for (const text of ['', 'a b', '--1', '1-', 'é', '1_', ' 1'])
      expect(() => b62_decode(text), text).to.throw(ValueError);
    expect(b62_decode('-')).to.equal(0);
  });
});

describe('base64 for URLs', () => {
  it('gives back all bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        const text = b64url_encode(Buffer.from(bytes));
        expect(text).to.match(/^[\w-]*$/);
        expect(b64url_decode(text).equals(bytes)).to.equal(true);
      }),
    );
  });

  // Each as django.core.signing.b64_decode answered, on Python 3.11 and 3.12; null where it raised.
  const lenient: [string, string | null][] = [
    ['', ''],
    ['YQ', 'a'],
    ['YQ==', 'a'],
    ['YR', 'a'],
    ['YQ==YQ==', 'a'],
    ['YQ==a', 'a'],
    ['YWI=YQ', 'ab'],
    ['YQ=aa', 'a\x06\x9a'],
    ['a=b=c=d=', 'i\xb7'],
    ['+/-_', '\xfb\xff\xbf'],
    ['=', ''],
    ['====', ''],
    ['é', ''],
    ['Y', null],
    ['YWJjZ', null],
    ['Y\nQ', null],
    ['Y.Q', null],
    ['YQ.', null],
    ['éYQ', null],
    ['=YQ', null],
    ['Y=Q=', null],
    ['YQ=a', null],
    ['eyJh:x', null],
  ];
  for (const [text, bytes] of lenient) {
    it(`reads ${JSON.stringify(text)} as Python does`, () => {
      if (bytes === null) expect(() => b64url_decode(text)).to.throw(ValueError);
      else expect(b64url_decode(text).toString('latin1')).to.equal(bytes);
    });
  }
});

describe('pack', () => {
  it('compresses only what gets shorter by more than the dot', () => {
    expect(pack('{"a":1}', true)).to.equal('eyJhIjoxfQ');
    expect(pack('a'.repeat(100), true)).to.match(/^\.eJ/);
    expect(pack('a'.repeat(100), false)).to.match(/^YWFh/);
  });

  it('leaves a text as it is that would save no more than the dot costs', () => {
    const texts = Array.from({ length: 40 }, (_, n) => 'a'.repeat(n)).concat('{"a":"bcbcbcbcbcbcb"}', 'abababababab');
    const saved = new Map(texts.map((text) => [text.length - deflateSync(text).length, text]));
    for (const bytes of [0, 1, 2]) {
      expect(saved.has(bytes), `a text that gets ${bytes} bytes shorter`).to.equal(true);
      expect(pack(saved.get(bytes) ?? '', true).startsWith('.')).to.equal(bytes > 1);
    }
  });

  it('refuses what Latin-1 cannot hold instead of changing it', () => {
    expect(() => pack('"清"', true)).to.throw(ValueError);
    expect(unpack(pack('"é"', true))).to.equal('"é"');
  });
});

describe('constant_time_compare', () => {
  it('compares the texts, not what they may stand for', () => {
    expect(constant_time_compare('abc', 'abc')).to.equal(true);
    expect(constant_time_compare('é', 'é')).to.equal(true);
    for (const other of ['', 'ab', 'abd', 'abc ', 'ABC', 'abcabc'])
      expect(constant_time_compare('abc', other)).to.equal(false);
  });
});

describe('salted_hmac', () => {
  it('takes text and bytes alike', () => {
    const digest = salted_hmac('salt', 'value', 'secret').digest('hex');
    expect(salted_hmac(Buffer.from('salt'), Buffer.from('value'), Buffer.from('secret')).digest('hex')).to.equal(
      digest,
    );
    expect(salted_hmac('salt', 'value', 'secret', 'sha1').digest('hex')).to.have.length(40);
  });
});

describe('get_random_string', () => {
  it('has the length and the characters asked for', () => {
    expect(get_random_string(0)).to.equal('');
    expect(get_random_string(500)).to.match(/^[A-Za-z0-9]{500}$/);
    expect(get_random_string(200, 'ab')).to.match(/^(?=.*a)(?=.*b)[ab]{200}$/);
    expect(() => get_random_string(1, '')).to.throw(ValueError);
  });
});
