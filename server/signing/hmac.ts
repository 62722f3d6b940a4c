/**
 * HMAC (RFC 2104) from one-shot hashes. `createHmac` makes an object with a native half for each text; on texts of a few
 * kilobytes that is half of its cost.
 */
import { createHmac, hash } from 'node:crypto';
import type { HashAlgorithm } from './crypto.js';

/** The block of SHA-1 and SHA-256, in bytes. */
const BLOCK = 64;

/** The longest text that is hashed here, in UTF-8; longer ones are createHmac's, for which they are nothing special. */
const LONGEST = 65_536;

/** What is hashed first: the inner pad, then the text. One for all, as nothing waits between writing and hashing. */
const inner = Buffer.allocUnsafeSlow(BLOCK + LONGEST);

const pad = (key: Buffer, value: number): Buffer => {
  const block = Buffer.alloc(BLOCK, value);
  for (const [index, byte] of key.entries()) block[index] = byte ^ value;
  return block;
};

/** Signs texts with one key. */
export class HmacKey {
  readonly #algorithm: HashAlgorithm;
  readonly #key: Buffer;
  readonly #innerPad: Buffer;
  /** The outer pad, and room for the inner hash. */
  readonly #outer: Buffer;

  /** @param key no longer than a block; Django's keys are hashes */
  constructor(key: Buffer, algorithm: HashAlgorithm) {
    if (key.length > BLOCK) throw new RangeError(`A key of ${key.length} bytes must be hashed first.`);
    this.#algorithm = algorithm;
    this.#key = key;
    this.#innerPad = pad(key, 0x36);
    this.#outer = Buffer.concat([pad(key, 0x5c), Buffer.alloc(algorithm === 'sha1' ? 20 : 32)]);
  }

  /** The hash of a text's UTF-8, in base64url. */
  sign(text: string): string {
    const algorithm = this.#algorithm;
    // A unit of UTF-16 has three bytes at most.
    if (text.length * 3 > LONGEST) return createHmac(algorithm, this.#key).update(text, 'utf8').digest('base64url');
    inner.set(this.#innerPad);
    const length = inner.write(text, BLOCK, 'utf8');
    this.#outer.set(hash(algorithm, inner.subarray(0, BLOCK + length), 'buffer'), BLOCK);
    return hash(algorithm, this.#outer, 'base64url');
  }
}
