/** Keyed hashes, constant-time comparison and random texts (django.utils.crypto). */
import {
  createHash,
  createHmac,
  createSecretKey,
  type Hmac,
  type KeyObject,
  randomBytes,
  timingSafeEqual,
} from 'node:crypto';
import { ValueError } from '../errors.js';

/** A SECRET_KEY: bytes, or text that is encoded as UTF-8. */
export type SigningKey = string | Buffer;

/** The hash functions of Django's signers: sha256, and sha1 before Django 3.1. */
export type HashAlgorithm = 'sha256' | 'sha1';

/**
 * The HMAC key of `salted_hmac`: a hash of salt and secret together. Derive it once to sign many values with one salt.
 */
export function saltedKey(key_salt: SigningKey, secret: SigningKey, algorithm: HashAlgorithm = 'sha256'): KeyObject {
  return createSecretKey(createHash(algorithm).update(key_salt).update(secret).digest());
}

/**
 * A keyed hash of a value, for one purpose that the salt names (django.utils.crypto.salted_hmac).
 * Django's own default is sha1; ours is what its signers use.
 *
 * ```ts
 * const digest = salted_hmac('shop.unsubscribe', 'ann@example.com', settings.SECRET_KEY).digest('hex');
 * ```
 */
export function salted_hmac(
  key_salt: SigningKey,
  value: SigningKey,
  secret: SigningKey,
  algorithm: HashAlgorithm = 'sha256',
): Hmac {
  return createHmac(algorithm, saltedKey(key_salt, secret, algorithm)).update(value);
}

/**
 * Compares two texts in a time that does not depend on where they differ. It may depend on their lengths.
 *
 * ```ts
 * if (!constant_time_compare(ctx.get('X-Api-Key'), key)) ctx.throw(403);
 * ```
 */
export function constant_time_compare(a: string, b: string): boolean {
  const left = Buffer.from(a, 'utf8');
  const right = Buffer.from(b, 'utf8');
  return left.length === right.length && timingSafeEqual(left, right);
}

const LETTERS_AND_DIGITS = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789';

/**
 * A random text of `length` characters, each equally likely (django.utils.crypto.get_random_string).
 *
 * ```ts
 * const code = get_random_string(8, 'ACDEFHJKLMNPRTUVWXY3479');
 * ```
 *
 * @throws ValueError when there are no characters to choose from, or more than 256, and for a length that is no whole number
 */
export function get_random_string(length: number, allowed_chars: string = LETTERS_AND_DIGITS): string {
  const { length: choices } = allowed_chars;
  if (!Number.isSafeInteger(length) || length < 0)
    throw new ValueError('The length of a random text is a whole number.');
  if (choices === 0 || choices > 256) throw new ValueError('allowed_chars must hold 1 to 256 characters.');
  // Bytes at or above the limit are skipped: modulo `choices`, they would make the first characters more likely.
  const limit = 256 - (256 % choices);
  let text = '';
  while (text.length < length) {
    for (const byte of randomBytes(length - text.length)) {
      if (byte < limit) text += allowed_chars.charAt(byte % choices);
    }
  }
  return text;
}

/**
 * Whether a text can be encoded as UTF-8. Half a surrogate pair cannot: Python refuses it, and Node writes U+FFFD in its
 * place, which would give two different texts the same signature.
 */
export function isWellFormed(text: string): boolean {
  return text.isWellFormed();
}
