/** Session keys: which cookie values may be one, and new ones. */
import { get_random_string, isWellFormed } from '../signing/crypto.js';

/** A shorter value is nothing that Django or this server ever made (SessionBase._validate_session_key). */
const LEAST_CHARACTERS = 8;

/** Django's VALID_KEY_CHARS: no capitals, for stores that cannot tell them apart. */
const KEY_CHARACTERS = 'abcdefghijklmnopqrstuvwxyz0123456789';
const KEY_LENGTH = 32;

/**
 * A cookie's value as a session key, or null where it counts as no cookie at all.
 *
 * As in Django every text of 8 characters or more is a key, and that no row has it shows at the first access; a key of
 * more than 40 characters is one that no row can have. Django also takes NUL and halves of surrogate pairs, which
 * PostgreSQL refuses, and answers 500: we take them for no cookie.
 *
 * ```ts
 * validSessionKey('short'); // null
 * ```
 */
export function validSessionKey(value: string | undefined | null): string | null {
  if (value === undefined || value === null) return null;
  // Python counts code points; 16 units are at least 8 of them.
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
