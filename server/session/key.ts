/** Session keys: checks a cookie's value, and generates new keys. */
import { get_random_string, isWellFormed } from '../signing/crypto.js';

/** The minimum length of a key (SessionBase._validate_session_key). */
const LEAST_CHARACTERS = 8;

/** Django's VALID_KEY_CHARS: no capitals, for stores that cannot tell them apart. */
const KEY_CHARACTERS = 'abcdefghijklmnopqrstuvwxyz0123456789';
const KEY_LENGTH = 32;

/**
 * A cookie's value as a session key; null if it is treated like a missing cookie.
 *
 * As in Django, any text of 8 characters or more is accepted; the first access finds whether a row has that key.
 * Django also accepts NUL and half surrogate pairs, which PostgreSQL refuses, and answers 500: here they count as no cookie.
 *
 * ```ts
 * validSessionKey('short'); // null
 * ```
 */
export function validSessionKey(value: string | undefined | null): string | null {
  if (value === undefined || value === null) return null;
  // Python counts code points, of which each takes one or two UTF-16 units.
  const characters = value.length >= 2 * LEAST_CHARACTERS ? LEAST_CHARACTERS : [...value].length;
  return characters >= LEAST_CHARACTERS && !value.includes('\0') && isWellFormed(value) ? value : null;
}

/**
 * A new key: 32 characters of a-z and 0-9, 165 random bits.
 *
 * ```ts
 * newSessionKey().length; // 32
 * ```
 */
export function newSessionKey(): string {
  return get_random_string(KEY_LENGTH, KEY_CHARACTERS);
}

/** PostgreSQL's text holds every character but NUL, so no row can have such a key. */
export const isStorable = (session_key: string): boolean => !session_key.includes('\0');
