/** Signers: what they accept, refuse and promise. */
import { expect } from 'chai';
import fc from 'fast-check';
import { BadSignature, SignatureExpired, ValueError } from '../../server/errors.js';
import { signCookie, unsignCookie } from '../../server/signing/cookie_signer.js';
import { dumps, loads } from '../../server/signing/objects.js';
import { Signer, TimestampSigner } from '../../server/signing/signer.js';

const key = 'a key for tests';
const NOW = 1_767_225_600;
const at = (time: number) => (): number => time;

describe('Signer', () => {
  const signer = new Signer({ key });

  it('gives back any text that it signed', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (value) => {
        expect(signer.unsign(signer.sign(value))).to.equal(value);
      }),
    );
  });

  it('refuses a signed text in which one character was changed', () => {
    const signed = signer.sign('value:with:colons é');
    fc.assert(
      fc.property(
        fc.nat(signed.length - 1),
        fc.string({ minLength: 1, maxLength: 1, unit: 'binary' }),
        (place, other) => {
          const changed = signed.slice(0, place) + other + signed.slice(place + 1);
          if (changed !== signed) expect(signer.verify(changed)).to.equal(null);
        },
      ),
      { numRuns: 1000 },
    );
  });

  it('says what is wrong in Django words', () => {
    expect(() => signer.unsign('abc')).to.throw(BadSignature, 'No ":" found in value');
    expect(() => signer.unsign('abc:def')).to.throw(BadSignature, 'Signature "def" does not match');
  });

  it('does not take half a surrogate pair for U+FFFD', () => {
    const signed = signer.sign('\ufffd');
    expect(signer.verify(signed.replace('\ufffd', '\ud800'))).to.equal(null);
    expect(() => signer.sign('\ud800')).to.throw(ValueError);
  });

  it('verifies under fallback keys, and says which, but signs under its own', () => {
    const both = new Signer({ key: 'new', fallback_keys: ['x', key] });
    expect(both.verify(signer.sign('a'))).to.deep.equal({ value: 'a', fallback: 1 });
    expect(both.sign('a')).to.equal(new Signer({ key: 'new' }).sign('a'));
    expect(both.signature('a', key)).to.equal(signer.signature('a'));
  });

  it('keeps salts apart', () => {
    expect(new Signer({ key, salt: 'other' }).verify(signer.sign('a'))).to.equal(null);
  });

  it('takes another separator, unless it could be part of a signature', () => {
    const other = new Signer({ key, sep: '/*' });
    expect(other.unsign(other.sign('a/*b'))).to.equal('a/*b');
    for (const sep of ['', 'a', '-', '_', '=', '0', 'a=', '^', '[']) {
      expect(() => new Signer({ key, sep }), sep).to.throw(ValueError, 'Unsafe Signer separator');
    }
  });
});

describe('TimestampSigner', () => {
  const signed = new TimestampSigner({ key, now: at(NOW) }).sign('hello');
  const later = (seconds: number): TimestampSigner => new TimestampSigner({ key, now: at(NOW + seconds) });

  it('accepts a text of exactly max_age', () => {
    expect(later(10).unsign(signed, { max_age: 10 })).to.equal('hello');
    expect(later(1e9).unsign(signed)).to.equal('hello');
  });

  it('refuses an older one as expired', () => {
    expect(() => later(10.5).unsign(signed, { max_age: 10 })).to.throw(
      SignatureExpired,
      'Signature age 10.5 > 10 seconds',
    );
  });

  it('accepts one from the future, as Django does', () => {
    expect(later(-100).unsign(signed, { max_age: 0 })).to.equal('hello');
  });

  it('cuts fractions of the time', () => {
    expect(new TimestampSigner({ key, now: at(NOW + 0.999) }).sign('hello')).to.equal(signed);
  });

  it('refuses a right signature over a broken time', () => {
    const bare = new Signer({ key, salt: 'django.core.signing.TimestampSigner' });
    for (const stamped of ['hello', 'hello:', 'hello:!!', 'hello:é']) {
      expect(() => later(0).unsign(bare.sign(stamped)), stamped).to.throw(BadSignature, 'no timestamp');
    }
    expect(later(0).unsign(bare.sign('hello:-zz'))).to.equal('hello');
    expect(() => later(0).unsign(bare.sign('hello:-zzzzzzzzzzzzzzzzzzzz'), { max_age: 1 })).to.throw(SignatureExpired);
  });
});

describe('dumps and loads', () => {
  const options = { key, now: at(NOW) };

  it('give back what JSON can hold, compressed or not', () => {
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false }), fc.boolean(), (value, compress) => {
        const expected: unknown = JSON.parse(JSON.stringify(value));
        expect(loads(dumps(expected, { ...options, compress }), options)).to.deep.equal(expected);
      }),
    );
  });

  it('refuse another salt, another key, and what is too old', () => {
    const text = dumps({ a: 1 }, options);
    expect(() => loads(text, { ...options, salt: 'other' })).to.throw(BadSignature);
    expect(() => loads(text, { ...options, key: 'other' })).to.throw(BadSignature);
    expect(loads(text, { ...options, key: 'other', fallback_keys: [key] })).to.deep.equal({ a: 1 });
    expect(() => loads(text, { key, now: at(NOW + 11), max_age: 10 })).to.throw(SignatureExpired);
  });

  it('do not inflate beyond maxBytes', () => {
    const bomb = dumps('a'.repeat(3_000_000), { ...options, compress: true });
    expect(bomb.length).to.be.lessThan(10_000);
    expect(() => loads(bomb, { ...options, maxBytes: 100_000 })).to.throw(ValueError);
    expect(loads(bomb, options)).to.have.length(3_000_000);
  });
});

describe('signed cookies', () => {
  const settings = {
    SECRET_KEY: key,
    SECRET_KEY_FALLBACKS: [],
    SIGNED_COOKIE_SALT_VERSION: 2,
    SIGNED_COOKIE_LEGACY_SALT_FALLBACK: true,
  } as const;
  const older = { ...settings, SIGNED_COOKIE_SALT_VERSION: 1 } as const;

  it('are bound to their name and salt, which cannot be shifted into one another', () => {
    const signed = signCookie('a', 'v', { settings, salt: 'bc' });
    expect(unsignCookie('a', signed, { settings, salt: 'bc' })).to.equal('v');
    expect(() => unsignCookie('ab', signed, { settings, salt: 'c' })).to.throw(BadSignature);
  });

  it('count the salt in code points', () => {
    const signed = signCookie('c', 'v', { settings, salt: '😀' });
    const salted = new TimestampSigner({ key: `django.http.cookies${key}`, salt: 'django.http.cookies.v2:1:😀c' });
    expect(salted.unsign(signed)).to.equal('v');
  });

  it('of the older scheme are read while the fallback is on, or that scheme is written', () => {
    const signed = signCookie('c', 'v', { settings: older });
    expect(unsignCookie('c', signed, { settings })).to.equal('v');
    const strict = { SIGNED_COOKIE_LEGACY_SALT_FALLBACK: false };
    expect(() => unsignCookie('c', signed, { settings: { ...settings, ...strict } })).to.throw(BadSignature);
    expect(unsignCookie('c', signed, { settings: { ...older, ...strict } })).to.equal('v');
  });
});
