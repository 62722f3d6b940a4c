/** What is sent in a Set-Cookie header, and what is refused. */
import { expect } from 'chai';
import { CookieError } from '../../server/errors.js';
import { parse_cookie } from '../../server/http/cookie_header.js';
import { decodeHeader, encodeHeader } from '../../server/http/header_bytes.js';
import { type Morsel, printSetCookie } from '../../server/http/set_cookie_header.js';

const morsel = (changes: Partial<Morsel>): Morsel => ({
  key: 'c',
  value: 'v',
  expires: '',
  path: '/',
  domain: '',
  max_age: '',
  secure: false,
  httponly: false,
  samesite: '',
  ...changes,
});

describe('Set-Cookie header', () => {
  it('comes back as it was sent, whatever a value holds', () => {
    const every = String.fromCharCode(...Array.from({ length: 256 }, (_, code) => code));
    for (const value of [every, '清', '😀', 'é', '"', '\\', '\\"', '\\054', '\n', '', ' ', 'a;b', '清é\u0000']) {
      const line = encodeHeader(printSetCookie(morsel({ value })));
      const sent = line.slice(0, line.indexOf('; Path='));
      expect([...parse_cookie(decodeHeader(sent))]).to.deep.equal([['c', value]]);
    }
  });

  for (const name of ['path', 'domain', 'expires', 'samesite'] as const) {
    it(`refuses control characters and ";" in ${name}`, () => {
      for (const character of ['\r', '\n', '\r\nSet-Cookie: x=y', '\0', ';', '\x1b', '\x7f', '\t']) {
        expect(() => printSetCookie(morsel({ [name]: `/a${character}b` })), JSON.stringify(character)).to.throw(
          CookieError,
        );
      }
    });
  }

  it('refuses names that Python refuses', () => {
    for (const key of [
      '',
      ' ',
      'a b',
      'a=b',
      'a;b',
      'a,b',
      'a\r\nb',
      'é',
      '清',
      'a\0',
      'a"',
      '(',
      'Expires',
      'MAX-AGE',
    ]) {
      expect(() => printSetCookie(morsel({ key })), JSON.stringify(key)).to.throw(CookieError);
    }
  });

  it('takes __proto__ for a name like any other', () => {
    expect(printSetCookie(morsel({ key: '__proto__' }))).to.equal('__proto__=v; Path=/');
  });

  it('refuses a line of more than 4096 bytes, as browsers drop it', () => {
    const fits = 4096 - 'c=; Path=/'.length;
    expect(printSetCookie(morsel({ value: 'x'.repeat(fits) }))).to.have.length(4096);
    expect(() => printSetCookie(morsel({ value: 'x'.repeat(fits + 1) }))).to.throw(CookieError, '4097 bytes');
    expect(() => printSetCookie(morsel({ value: '清'.repeat(1400) }))).to.throw(CookieError, 'bytes');
  });

  it('refuses half a surrogate pair', () => {
    expect(() => printSetCookie(morsel({ value: '\ud800' }))).to.throw(CookieError);
  });

  it('tells no value in its errors', () => {
    expect(() => printSetCookie(morsel({ value: `secret${'x'.repeat(5000)}` }))).to.throw(/^((?!secret).)*$/);
  });
});
