/**
 * HMAC (RFC 2104) computed with two calls of `crypto.hash`. `createHmac` makes a native object for each text, which is half
 * of its CPU on texts of a few kilobytes.
 */
import { createHmac, hash } from 'node:crypto';
import type { HashAlgorithm } from './crypto.js';

/** The block of SHA-1 and SHA-256, in bytes. */
const BLOCK = 64;

/** Bytes of UTF-8 up to which a text is hashed here. Beyond, createHmac's native object costs little beside the hash. */
const LONGEST = 65_536;

/** Input of the first hash: the inner pad, then the text. One buffer for all calls: they are synchronous. */
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
  /** Input of the second hash: the outer pad, then the result of the first. */
  readonly #outer: Buffer;

  /** @param key at most 64 bytes; Django's keys are hashes */
  constructor(key: Buffer, algorithm: HashAlgorithm) {
    if (key.length > BLOCK) throw new RangeError(`A key of ${key.length} bytes must be hashed first.`);
    this.#algorithm = algorithm;
    this.#key = key;
    this.#innerPad = pad(key, 0x36);
    this.#outer = Buffer.concat([pad(key, 0x5c), Buffer.alloc(algorithm === 'sha1' ? 20 : 32)]);
  }

  /** The hash of a text's UTF-8. */
  sign(text: string, encoding: 'base64url' | 'hex' = 'base64url'): string {
    const algorithm = this.#algorithm;
    // A UTF-16 code unit takes at most three bytes of UTF-8.
    if (text.length * 3 > LONGEST) return createHmac(algorithm, this.#key).update(text, 'utf8').digest(encoding);
    inner.set(this.#innerPad);
    const length = inner.write(text, BLOCK, 'utf8');
    this.#outer.set(hash(algorithm, inner.subarray(0, BLOCK + length), 'buffer'), BLOCK);
    return hash(algorithm, this.#outer, encoding);
  }
}
