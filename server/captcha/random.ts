/** Chance from node:crypto, for the captcha's text and for every bend of its picture. */
import { randomBytes, randomInt } from 'node:crypto';

const POOL = 4096;
let pool = Buffer.alloc(0);
let used = 0;

/** A number in [0, 1) with 32 random bits. Bytes are fetched in bulk: a picture needs a few hundred. */
export function chance(): number {
  if (used + 4 > pool.length) {
    pool = randomBytes(POOL);
    used = 0;
  }
  const number = pool.readUInt32LE(used) / 2 ** 32;
  used += 4;
  return number;
}

export function between(least: number, most: number): number {
  return least + (most - least) * chance();
}

export function either(): 1 | -1 {
  return chance() < 0.5 ? -1 : 1;
}

/** `length` characters of `alphabet`, each as likely as the others. */
export function randomText(length: number, alphabet: string): string {
  return Array.from({ length }, () => alphabet.charAt(randomInt(alphabet.length))).join('');
}
