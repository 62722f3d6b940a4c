/**
 * Session keys in the table koa_user_sessions: found by a hash, and encrypted under SECRET_KEY.
 *
 * A session key gives access to a login. django_session has plain keys, but people who dump, replicate or share tables
 * know that. This table has a user beside each key, so a copy with plain keys would be even more valuable to an
 * attacker.
 */
import { createCipheriv, createDecipheriv, createHash, type KeyObject, randomBytes } from 'node:crypto';
import type { Settings } from '../../settings.js';
import { saltedKey } from '../../signing/crypto.js';

const SALT = 'koa_django_session.user_sessions';
const CIPHER = 'aes-256-gcm';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** The length of an id in hexadecimal digits: 128 bits. */
const ID_LENGTH = 32;

/**
 * An id for a session that gives no access. An unkeyed hash is enough, because the 165 random bits of a session key
 * cannot be guessed.
 */
export function idOf(session_key: string): string {
  return createHash('sha256').update(`${SALT}:${session_key}`).digest('hex').slice(0, ID_LENGTH);
}

/**
 * Writes and reads `sealed_key`: base64 of nonce, ciphertext and tag. The id is authenticated too, so that values
 * cannot be swapped between rows.
 */
export class KeySeal {
  readonly #keys: readonly [KeyObject, ...KeyObject[]];

  constructor({ SECRET_KEY, SECRET_KEY_FALLBACKS }: Pick<Settings, 'SECRET_KEY' | 'SECRET_KEY_FALLBACKS'>) {
    this.#keys = [saltedKey(SALT, SECRET_KEY), ...SECRET_KEY_FALLBACKS.map((key) => saltedKey(SALT, key))];
  }

  seal(session_key: string): string {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(CIPHER, this.#keys[0], nonce);
    cipher.setAAD(Buffer.from(idOf(session_key)));
    const sealed = [nonce, cipher.update(session_key, 'utf8'), cipher.final(), cipher.getAuthTag()];
    return Buffer.concat(sealed).toString('base64');
  }

  /** null if no key of the settings has encrypted it. */
  open(sealed: string, id: string): string | null {
    const bytes = Buffer.from(sealed, 'base64');
    if (bytes.length < NONCE_BYTES + TAG_BYTES) return null;
    for (const key of this.#keys) {
      const decipher = createDecipheriv(CIPHER, key, bytes.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
      decipher.setAAD(Buffer.from(id)).setAuthTag(bytes.subarray(-TAG_BYTES));
      try {
        const text = decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES));
        return Buffer.concat([text, decipher.final()]).toString('utf8');
      } catch {
        // Encrypted under another key.
      }
    }
    return null;
  }
}
