/**
 * Session keys in the table koa_user_sessions: found by a hash, readable with SECRET_KEY only.
 *
 * A session key is a login. django_session has keys in plain, but who dumps, replicates or lends out tables knows what
 * that one is. This one has names of users beside each key, so that a copy of it would be the better one to steal.
 */
import { createCipheriv, createDecipheriv, createHash, type KeyObject, randomBytes } from 'node:crypto';
import type { Settings } from '../../settings.js';
import { saltedKey } from '../../signing/crypto.js';

const SALT = 'koa_django_session.user_sessions';
const CIPHER = 'aes-256-gcm';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** Hexadecimal digits of an id: 128 bits. */
const ID_LENGTH = 32;

export type SealSettings = Pick<Settings, 'SECRET_KEY' | 'SECRET_KEY_FALLBACKS'>;

/** A name for a session that opens nothing. Needs no key: nobody can guess the 165 random bits of a session key. */
export function idOf(session_key: string): string {
  return createHash('sha256').update(`${SALT}:${session_key}`).digest('hex').slice(0, ID_LENGTH);
}

/** Writes and reads `sealed_key`: base64 of nonce, ciphertext and tag. The id is sealed along: no row fits another's. */
export class KeySeal {
  readonly #keys: readonly [KeyObject, ...KeyObject[]];

  constructor({ SECRET_KEY, SECRET_KEY_FALLBACKS }: SealSettings) {
    this.#keys = [saltedKey(SALT, SECRET_KEY), ...SECRET_KEY_FALLBACKS.map((key) => saltedKey(SALT, key))];
  }

  seal(session_key: string): string {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(CIPHER, this.#keys[0], nonce);
    cipher.setAAD(Buffer.from(idOf(session_key)));
    const sealed = [nonce, cipher.update(session_key, 'utf8'), cipher.final(), cipher.getAuthTag()];
    return Buffer.concat(sealed).toString('base64');
  }

  /** null for what no key of the settings has sealed. */
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
        // Sealed under another key.
      }
    }
    return null;
  }
}
