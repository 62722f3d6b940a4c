/** HMAC from one-shot hashes, held against node:crypto's. */
import { createHmac, randomBytes } from 'node:crypto';
import { expect } from 'chai';
import fc from 'fast-check';
import { HmacKey } from '../../server/signing/hmac.js';

describe('HMAC', () => {
  for (const algorithm of ['sha256', 'sha1'] as const) {
    it(`signs with ${algorithm} as createHmac does, whatever the key and the text`, () => {
      const text = fc.string({ unit: 'binary', maxLength: 300 }).map((given) => given.toWellFormed());
      fc.assert(
        fc.property(
          fc.uint8Array({ maxLength: 64 }),
          fc.array(text, { minLength: 1, maxLength: 3 }),
          (bytes, texts) => {
            const key = new HmacKey(Buffer.from(bytes), algorithm);
            for (const one of texts) {
              expect(key.sign(one)).to.equal(createHmac(algorithm, bytes).update(one, 'utf8').digest('base64url'));
            }
          },
        ),
      );
    });

    it(`signs with ${algorithm} texts of every length, also when keys take turns`, () => {
      const keys = [randomBytes(32), randomBytes(32)].map((bytes) => ({ bytes, key: new HmacKey(bytes, algorithm) }));
      for (const length of [0, 1, 55, 56, 63, 64, 65, 2000, 21_844, 21_845, 21_846, 65_536, 65_537, 200_000]) {
        for (const character of ['a', 'é', '中', '😀']) {
          const text = character.repeat(Math.ceil(length / character.length));
          for (const { bytes, key } of keys) {
            expect(key.sign(text)).to.equal(createHmac(algorithm, bytes).update(text, 'utf8').digest('base64url'));
          }
        }
      }
    });
  }

  it('refuses a key that is longer than a block', () => {
    expect(() => new HmacKey(Buffer.alloc(65), 'sha256')).to.throw(RangeError);
  });
});
