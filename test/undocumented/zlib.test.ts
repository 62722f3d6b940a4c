/** zlib by one engine for all texts, held against node:zlib's public functions. */
import { randomBytes } from 'node:crypto';
import { deflateRawSync, deflateSync, gzipSync, inflateSync } from 'node:zlib';
import { expect } from 'chai';
import fc from 'fast-check';
import { deflate, HAS_ENGINES, inflate } from '../../server/undocumented/zlib.js';

const MOST = 4_194_304;

/** What a function gives, or that it throws. */
const outcome = (work: () => Buffer): string => {
  try {
    return work().toString('hex');
  } catch {
    return 'throws';
  }
};

const sizes = [0, 1, 2, 100, 2000, 16_384, 65_535, 65_536, 65_537, 300_000];

describe('zlib', () => {
  it('has engines on this Node', () => {
    expect(HAS_ENGINES).to.equal(true);
  });

  for (const size of sizes) {
    it(`gives back ${size} bytes, that compress and that do not`, () => {
      for (const data of [Buffer.alloc(size, 'abc'), randomBytes(size)]) {
        const stream = Buffer.from(deflate(data));
        expect(inflateSync(stream).equals(data)).to.equal(true);
        expect(stream.equals(deflateSync(data))).to.equal(true);
        expect(inflate(stream, MOST).equals(data)).to.equal(true);
      }
    });
  }

  it('reads one stream after another, also after one that was broken', () => {
    const good = deflateSync('a good one');
    for (const bad of [Buffer.from('no stream'), good.subarray(0, 5), deflateRawSync('raw')]) {
      expect(() => inflate(bad, MOST)).to.throw();
      expect(inflate(good, MOST).toString()).to.equal('a good one');
    }
  });

  it('refuses what is larger than it may be, at every size', () => {
    for (const size of [1000, 70_000]) {
      const stream = deflateSync(Buffer.alloc(size));
      expect(inflate(stream, size).length).to.equal(size);
      if (size > 65_536) expect(() => inflate(stream, size - 1)).to.throw(RangeError);
    }
  });

  it('reads and refuses what zlib.inflateSync reads and refuses', () => {
    const kinds = fc.constantFrom(deflateSync, deflateRawSync, gzipSync);
    const damage = fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { maxLength: 2 });
    const cases = fc.tuple(
      fc.uint8Array({ maxLength: 400 }),
      kinds,
      damage,
      fc.nat(3),
      fc.uint8Array({ maxLength: 3 }),
    );
    fc.assert(
      fc.property(cases, ([data, compress, changes, cut, more]) => {
        const stream = compress(data);
        for (const [at, value] of changes) if (at < stream.length) stream[at] = value;
        const input = Buffer.concat([stream.subarray(0, stream.length - cut), more]);
        expect(outcome(() => inflate(input, MOST))).to.equal(outcome(() => inflateSync(input)));
      }),
      { numRuns: 3000 },
    );
  });
});
