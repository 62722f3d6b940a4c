/** Whole numbers in base 62, as the timestamps of signed texts (django.core.signing.b62_encode). */
import { ValueError } from '../errors.js';

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/** The most digits that always fit a safe integer: 62^8 < 2^53. */
const SAFE_DIGITS = 8;

/**
 * A whole number → base 62, with a `-` in front of a negative one.
 *
 * ```ts
 * b62_encode(61); // 'z'
 * ```
 *
 * @throws ValueError for a number with a fraction, or one too large to be exact: use a bigint
 */
export function b62_encode(n: number | bigint): string {
  if (typeof n === 'number' && !Number.isSafeInteger(n)) {
    throw new ValueError('Only whole numbers up to 2^53 - 1 and bigints can be written in base 62.');
  }
  if (n < 0) return `-${b62_encode(-n)}`;
  if (typeof n === 'bigint' && n > Number.MAX_SAFE_INTEGER) {
    let text = '';
    for (let rest = n; rest > 0n; rest /= 62n) text = ALPHABET.charAt(Number(rest % 62n)) + text;
    return text;
  }
  let rest = Number(n);
  let text = '';
  do {
    text = ALPHABET.charAt(rest % 62) + text;
    rest = Math.floor(rest / 62);
  } while (rest > 0);
  return text;
}

/**
 * Base 62 → the number; a bigint where a number would not be exact. A lone `-` is 0, as in Django.
 *
 * ```ts
 * b62_decode('1uQowS'); // 1750000000
 * ```
 *
 * @throws ValueError when the text is empty or has another character
 */
export function b62_decode(text: string): number | bigint {
  const negative = text.startsWith('-');
  const digits = negative ? text.slice(1) : text;
  if (text === '' || !isAlphanumeric(digits)) throw new ValueError('The text is no number in base 62.');
  if (digits.length <= SAFE_DIGITS) {
    let n = 0;
    for (const digit of digits) n = n * 62 + ALPHABET.indexOf(digit);
    return negative && n > 0 ? -n : n;
  }
  let n = 0n;
  for (const digit of digits) n = n * 62n + BigInt(ALPHABET.indexOf(digit));
  if (negative) n = -n;
  const number = Number(n);
  return Number.isSafeInteger(number) ? number : n;
}

/** Whether every character is a digit of base 62. True for the empty text. */
export function isAlphanumeric(text: string): boolean {
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    const known = (code >= 48 && code <= 57) || (code >= 65 && code <= 90) || (code >= 97 && code <= 122);
    if (!known) return false;
  }
  return true;
}
