import { expect } from 'chai';
import { SessionCodec, Unreadable } from '../../server/session/codec.js';
import type { MemberTexts } from '../../server/session/document.js';
import { VerifiedTexts } from '../../server/session/verified.js';
import { defineSettings } from '../../server/settings.js';

/** The members of a text that can be read. */
function readable(texts: MemberTexts | Unreadable): MemberTexts {
  if (texts instanceof Unreadable) throw new Error(texts.reason);
  return texts;
}

describe('VerifiedTexts', () => {
  let reported: number;
  let codec: SessionCodec;

  beforeEach(() => {
    reported = 0;
    codec = new SessionCodec(defineSettings({ SECRET_KEY: 'verified-texts' }), {
      onSuspicious: () => {
        reported += 1;
      },
    });
  });

  /** Reads until the text is remembered. */
  const warm = (verified: VerifiedTexts, session_data: string): unknown => {
    verified.read(session_data);
    verified.read(session_data);
    return verified.read(session_data);
  };

  it('gives the members of a text, however often it is read', () => {
    const verified = new VerifiedTexts(codec, 1_000_000);
    const session_data = codec.encode('{"a":1,"b":[2.0]}');
    const expected = [
      ['a', '1'],
      ['b', '[2.0]'],
    ];
    for (let time = 0; time < 5; time += 1) expect([...readable(verified.read(session_data))]).to.deep.equal(expected);
  });

  it('does its work once for a text that is read often', () => {
    const verified = new VerifiedTexts(codec, 1_000_000);
    const session_data = codec.encode('{"a":1}');
    expect(warm(verified, session_data)).to.equal(verified.read(session_data));
  });

  it('never takes another payload for a remembered one that ends in the same signature', () => {
    const verified = new VerifiedTexts(codec, 1_000_000);
    const session_data = codec.encode('{"role":"guest"}');
    warm(verified, session_data);
    const [payload = '', time = '', signature = ''] = session_data.split(':');
    for (const forged of [
      `${Buffer.from('{"role":"admin"}').toString('base64url')}:${time}:${signature}`,
      `${payload}:1AAAAA:${signature}`,
      ` ${session_data}`,
    ]) {
      reported = 0;
      expect(readable(verified.read(forged)).size, forged).to.equal(0);
      expect(reported).to.equal(1);
    }
    expect([...readable(verified.read(session_data))]).to.deep.equal([['role', '"guest"']]);
  });

  it('reports a wrong signature each time, and never remembers it', () => {
    const verified = new VerifiedTexts(codec, 1_000_000);
    for (let time = 1; time <= 4; time += 1) {
      expect(readable(verified.read('eyJhIjoxfQ:1vb66i:forged')).size).to.equal(0);
      expect(reported).to.equal(time);
    }
  });

  it('remembers also that a text cannot be read', () => {
    const verified = new VerifiedTexts(codec, 1_000_000);
    const list = codec.encode('[1]');
    expect(warm(verified, list)).to.be.instanceOf(Unreadable).and.equal(verified.read(list));
    expect(reported).to.equal(0);
  });

  it('keeps within its bytes: what was read long ago is forgotten', () => {
    const verified = new VerifiedTexts(codec, 64 * 1024);
    const first = codec.encode('{"n":-1}');
    const remembered = warm(verified, first);
    for (let n = 0; n < 1000; n += 1) warm(verified, codec.encode(`{"n":${n},"text":"${'x'.repeat(50)}"}`));
    expect(verified.read(first)).to.not.equal(remembered);
    expect([...readable(verified.read(first))]).to.deep.equal([['n', '-1']]);
  });

  it('forgets what came first and was not read since it was remembered', () => {
    const verified = new VerifiedTexts(codec, 64 * 1024);
    /** Remembered at its second reading. */
    const keep = (session_data: string): unknown => [verified.read(session_data), verified.read(session_data)][1];
    const [busy, idle] = [codec.encode('{"n":-1}'), codec.encode('{"n":-2}')];
    const [kept, forgotten] = [keep(busy), keep(idle)];
    for (let n = 0; n < 1000; n += 1) {
      keep(codec.encode(`{"n":${n},"text":"${'x'.repeat(50)}"}`));
      expect(verified.read(busy)).to.equal(kept);
    }
    expect(verified.read(idle)).to.not.equal(forgotten);
  });

  it('keeps within its bytes also when everything was read again', () => {
    const verified = new VerifiedTexts(codec, 64 * 1024);
    const texts = Array.from({ length: 1000 }, (_, n) => codec.encode(`{"n":${n}}`));
    const remembered = texts.map((text) => warm(verified, text));
    // From the last one back, so that looking drives out nothing that is still to be looked at.
    const lost = texts.findLastIndex((text, n) => verified.read(text) !== remembered[n]);
    // An entry counts 400 bytes at the least.
    expect(texts.length - 1 - lost).to.be.within(1, 160);
  });

  it('remembers nothing that is large beside its bytes', () => {
    const verified = new VerifiedTexts(codec, 64 * 1024);
    // Texts that do not shrink.
    const noise = Array.from({ length: 1500 }, (_, n) => ((n * 7919 * (n + 13)) % 2_147_483_647).toString(36)).join('');
    const large = codec.encode(JSON.stringify({ noise }));
    expect(warm(verified, large)).to.not.equal(verified.read(large));
  });
});
