/** session_data: every tampered, broken or hostile row reads as nothing. */
import { randomBytes } from 'node:crypto';
import { deflateSync } from 'node:zlib';
import { expect } from 'chai';
import fc from 'fast-check';
import { ValueError } from '../../server/errors.js';
import { type CodecSettings, SessionCodec, Unreadable } from '../../server/session/codec.js';
import type { MemberTexts } from '../../server/session/document.js';
import { salted_hmac } from '../../server/signing/crypto.js';
import { printJson } from '../../server/signing/python_json.js';
import { Signer, TimestampSigner } from '../../server/signing/signer.js';

const KEY = 'a key for tests';
const SALT = 'django.contrib.sessions.SessionStore';
const NOW = 1_767_225_600;

function codecWith(settings: Partial<CodecSettings> = {}): { codec: SessionCodec; heard: string[] } {
  const heard: string[] = [];
  const codec = new SessionCodec(
    {
      SECRET_KEY: KEY,
      SECRET_KEY_FALLBACKS: [],
      SESSION_KEY_SALT: SALT,
      SESSION_READ_LEGACY: false,
      SESSION_MAX_BYTES: 4_194_304,
      ...settings,
    },
    { now: () => NOW, onSuspicious: (message) => heard.push(message) },
  );
  return { codec, heard };
}

const { codec } = codecWith();

/** What somebody who has the key can sign. */
const signed = (payload: string): string => new TimestampSigner({ key: KEY, salt: SALT, now: () => NOW }).sign(payload);
const compressed = (data: string | Buffer): string =>
  signed(`.${deflateSync(data, { level: 1 }).toString('base64url')}`);

/** The older format, as Django 2.2 wrote it. */
function legacy(json: string, key = KEY): string {
  const hex = salted_hmac('django.contrib.sessionsSessionStore', json, key, 'sha1').digest('hex');
  return Buffer.from(`${hex}:${json}`).toString('base64');
}

/** The members of a text that can be read. */
function membersOf(text: string, by = codec): MemberTexts {
  const members = by.members(text);
  if (members === null || members instanceof Unreadable) throw new Error('the text cannot be read');
  return members;
}

describe('SessionCodec', () => {
  it('gives back any dictionary of any keys', () => {
    const keys = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom('__proto__', 'constructor', '', '1', '\ud800'),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(keys, fc.jsonValue()), { maxLength: 8 }), (pairs) => {
        const members = new Map(pairs);
        const json = printJson(members);
        const text = codec.encode(json);
        expect(codec.decode(text)).to.equal(json);
        expect([...membersOf(text).keys()]).to.deep.equal([...members.keys()]);
      }),
    );
  });

  for (const [name, json] of [
    ['a short', '{"foo":"bar"}'],
    ['a compressed', printJson({ a: 'x'.repeat(200) })],
  ] as const) {
    it(`verifies ${name} row after no change of one character`, () => {
      const text = codec.encode(json);
      // Every place, with its neighbours in base64, which may stand for the same bytes, and others.
      for (let place = 0; place <= text.length; place += 1) {
        for (const other of ['', 'A', 'E', 'F', 'g', '-', '_', '=', ':', '.', '\0', 'é', '\ud800', '\n']) {
          for (const changed of [
            text.slice(0, place) + other + text.slice(place + 1),
            text.slice(0, place) + other + text.slice(place),
          ]) {
            if (changed !== text) expect(codec.verify(changed).key, JSON.stringify(changed)).to.equal(null);
          }
        }
      }
    });

    it(`verifies ${name} row of the older format after no change of one character`, () => {
      const reading = codecWith({ SESSION_READ_LEGACY: true }).codec;
      const text = legacy(json);
      expect(reading.decode(text)).to.equal(json);
      fc.assert(
        fc.property(fc.nat(text.length - 1), fc.constantFrom(...'ABCDwxyz0189+/=-_\n '), (place, other) => {
          const changed = text.slice(0, place) + other + text.slice(place + 1);
          if (changed !== text) expect(reading.decode(changed)).to.equal(null);
        }),
        { numRuns: 1000 },
      );
    });
  }

  it('does not take another base64 text for the same bytes in the older format', () => {
    const reading = codecWith({ SESSION_READ_LEGACY: true }).codec;
    const text = legacy('{"a":12}');
    expect(text).to.match(/fQ==$/);
    expect(reading.decode(text)).to.equal('{"a":12}');
    for (const end of ['fR==', 'fQ=', 'fQ', 'fQ===', 'fQ== ', 'fQ==\n']) {
      const other = text.replace(/fQ==$/, end);
      expect(Buffer.from(other, 'base64').equals(Buffer.from(text, 'base64'))).to.equal(true);
      expect(reading.decode(other)).to.equal(null);
    }
  });

  it('reports each wrong signature once, in words that hold nothing of the row', () => {
    const { codec: strict, heard } = codecWith({ SESSION_READ_LEGACY: true });
    for (const text of [
      '',
      ':',
      '::',
      'a',
      'a:b:c',
      `${codec.encode('{}')}x`,
      '\0',
      randomBytes(100).toString('base64'),
    ]) {
      heard.length = 0;
      expect(strict.decode(text)).to.equal(null);
      expect(heard).to.deep.equal(['Session data corrupted']);
    }
  });

  it('reads what was signed and cannot be unpacked as nothing, without a report', () => {
    const { codec: strict, heard } = codecWith();
    const bare = new Signer({ key: KEY, salt: SALT });
    const broken = [
      signed('.'),
      signed('A'),
      signed('.QUJD'),
      signed('.AAAA'),
      bare.sign('eyJhIjoxfQ'),
      bare.sign('e30:!'),
      bare.sign(':'),
    ];
    for (const text of broken) expect(strict.decode(text), text).to.equal(null);
    expect(heard).to.deep.equal([]);
  });

  const unreadable: Readonly<Record<string, () => [text: string, reason: string]>> = {
    'a list': () => [compressed('[]'), 'It holds no dictionary.'],
    null: () => [compressed('null'), 'It holds no dictionary.'],
    'a number': () => [compressed('1'), 'It holds no dictionary.'],
    'a text': () => [compressed('"a"'), 'It holds no dictionary.'],
    'broken JSON': () => [compressed('{'), 'The text is no JSON: unexpected character or end at position 1.'],
    nothing: () => [signed(''), 'The text is no JSON: unexpected character or end at position 0.'],
    'an integer of more digits than Python reads': () => [
      compressed(`{"a":${'9'.repeat(4301)}}`),
      'The text is no JSON: unexpected character or end at position 5.',
    ],
    'what is nested deeper than any Python reads': () => [
      compressed(`{"a":${'['.repeat(10_000)}${']'.repeat(10_000)}}`),
      'Arrays and objects lie in one another more than 10000 deep.',
    ],
    'more than SESSION_MAX_BYTES': () => [
      signed(Buffer.alloc(4_194_305, 32).toString('base64url')),
      'The payload is larger than 4194304 bytes.',
    ],
    'a zlib bomb': () => [compressed(Buffer.alloc(8_000_000, 32)), 'The payload is larger than 4194304 bytes.'],
    'no zlib stream': () => [signed('.QUJD'), 'The payload is no zlib stream.'],
    'no base64': () => [signed('A'), 'The text is no base64: its characters do not make whole bytes.'],
    'no time': () => [new Signer({ key: KEY, salt: SALT }).sign('e30'), 'It has no time.'],
  };
  for (const [name, make] of Object.entries(unreadable)) {
    it(`says why it does not read ${name} with a good signature, and logs nothing itself`, () => {
      const { codec: strict, heard } = codecWith();
      const [text, reason] = make();
      expect(strict.members(text)).to.deep.equal(new Unreadable(reason));
      expect(heard).to.deep.equal([]);
    });
  }

  it('says why it does not read an older text with a good signature', () => {
    const { codec: small } = codecWith({ SESSION_MAX_BYTES: 1024, SESSION_READ_LEGACY: true });
    expect(small.members(legacy('[]'))).to.be.instanceOf(Unreadable);
    expect(small.members(legacy(printJson({ a: 'x'.repeat(1024) })))).to.deep.equal(
      new Unreadable('The payload is larger than 1024 bytes.'),
    );
  });

  it('reads as deep as any Python, whatever lies there', () => {
    const deep = `${'['.repeat(9_997)}${']'.repeat(9_997)}`;
    for (const json of [`{"a":${deep}}`, `{"a": ${deep}}`]) expect(membersOf(compressed(json)).get('a')).to.equal(deep);
    expect([...membersOf(compressed('{"a":NaN,"__proto__":1.0}'))]).to.deep.equal([
      ['a', 'NaN'],
      ['__proto__', '1.0'],
    ]);
    const many = `{${Array.from({ length: 100_000 }, (_, n) => `"${n}":0`).join(',')}}`;
    expect(membersOf(compressed(many)).size).to.equal(100_000);
  });

  it('bounds what a zlib bomb with a good signature may take', () => {
    const bomb = compressed(Buffer.alloc(200_000_000, 32));
    const before = process.memoryUsage().arrayBuffers;
    expect(codec.decode(bomb)).to.equal(null);
    expect(process.memoryUsage().arrayBuffers - before).to.be.lessThan(50_000_000);
  });

  it('neither reads nor writes more than SESSION_MAX_BYTES', () => {
    const { codec: small } = codecWith({ SESSION_MAX_BYTES: 1024, SESSION_READ_LEGACY: true });
    const fits = printJson({ a: 'x'.repeat(1024 - 8) });
    const larger = printJson({ a: 'x'.repeat(1024 - 7) });
    expect(fits).to.have.length(1024);
    for (const write of [compressed, (json: string) => signed(Buffer.from(json).toString('base64url')), legacy]) {
      expect(small.decode(write(fits))).to.equal(fits);
      expect(small.decode(write(larger))).to.equal(null);
    }
    expect(small.decode(small.encode(fits))).to.equal(fits);
    expect(() => small.encode(larger)).to.throw(ValueError, 'SESSION_MAX_BYTES is 1024');
  });

  it('says which key signed a row, and in which format', () => {
    const { codec: rotated, heard } = codecWith({
      SECRET_KEY: 'new',
      SECRET_KEY_FALLBACKS: ['x', KEY],
      SESSION_READ_LEGACY: true,
    });
    expect(rotated.verify(codec.encode('{}'))).to.deep.equal({ key: 1, legacy: false });
    expect(rotated.verify(rotated.encode('{}'))).to.deep.equal({ key: 'current', legacy: false });
    expect(rotated.verify(legacy('{}'))).to.deep.equal({ key: 1, legacy: true });
    expect(rotated.verify(legacy('{}', 'new'))).to.deep.equal({ key: 'current', legacy: true });
    expect(rotated.verify('a:b:c')).to.deep.equal({ key: null, legacy: false });
    expect(codec.verify(legacy('{}'))).to.deep.equal({ key: null, legacy: false });
    expect(heard).to.deep.equal([]);
  });

  it('is bound to its salt', () => {
    const other = codecWith({ SESSION_KEY_SALT: 'django.contrib.sessions.backends.signed_cookies' }).codec;
    expect(other.verify(codec.encode('{}')).key).to.equal(null);
  });
});
