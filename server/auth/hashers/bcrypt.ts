/** bcrypt_sha256 and bcrypt: `bcrypt_sha256$$2b$12$` + 22 characters of salt + 31 of hash. */
import { createHash, randomBytes } from 'node:crypto';
import { ValueError } from '../../errors.js';
import { optionalPackage } from '../../optional_package.js';
import { constant_time_compare, isWellFormed } from '../../signing/crypto.js';
import { inPool, LIMITS, type PasswordHasher } from './hasher.js';

/** Django 6.0's BCryptSHA256PasswordHasher.rounds: log2 of the rounds. */
export const BCRYPT_ROUNDS = 12;

const BCRYPT = { what: 'Passwords hashed by bcrypt', packages: ['@node-rs/bcrypt'] };

/** The length after which bcrypt ignores a password's bytes. */
const MOST_BYTES = 72;

// algorithm "$" "$2" variant "$" rounds "$" salt and hash in bcrypt's own base64. 22 characters hold 132 bits, the salt
// 128: the last character has four bits that must be 0 (one of ".Oeu"), as Python's bcrypt asks too.
const SALT = /^\$2[abxy]\$([0-9]{2})\$[./A-Za-z0-9]{21}[.Oeu]$/;
const FORM = /^(\w+)\$(\$2[abxy]\$[0-9]{2}\$[./A-Za-z0-9]{21}[.Oeu])[./A-Za-z0-9]{31}$/;
const BCRYPT64 = './ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/**
 * Django's BCryptSHA256PasswordHasher: bcrypt over the hex of SHA-256, so that it has no length limit.
 *
 * ```ts
 * const encoded = await make_password('secret', { hasher: new BCryptSHA256PasswordHasher() }); // bcrypt_sha256$$2b$12$…
 * ```
 */
export class BCryptSHA256PasswordHasher implements PasswordHasher {
  readonly algorithm: 'bcrypt_sha256' | 'bcrypt' = 'bcrypt_sha256';
  readonly rounds: number;

  constructor({ rounds = BCRYPT_ROUNDS }: { readonly rounds?: number } = {}) {
    this.rounds = rounds;
  }

  /** With prefix and rounds, as Python's bcrypt.gensalt: `$2b$12$` and 22 characters. */
  salt(): string {
    const bits = randomBytes(16).toString('base64').slice(0, 22);
    const text = [...bits].map((letter) => BCRYPT64.charAt(BASE64.indexOf(letter))).join('');
    return `$2b$${String(this.rounds).padStart(2, '0')}$${text}`;
  }

  async encode(password: string, salt: string): Promise<string> {
    if (!isWellFormed(password)) throw new ValueError('A password must be text that UTF-8 can hold.');
    const rounds = SALT.exec(salt)?.[1];
    if (rounds === undefined || Number(rounds) < 4 || Number(rounds) > 31) {
      throw new ValueError('A salt for bcrypt must look like "$2b$12$" and 22 characters of ./A-Za-z0-9.');
    }
    const bytes = this.prepare(password);
    if (bytes.length > MOST_BYTES) {
      throw new ValueError(`bcrypt reads ${MOST_BYTES} bytes of a password. Use bcrypt_sha256 for longer ones.`);
    }
    return this.#hash(bytes, salt);
  }

  /** The input of bcrypt, in bytes. */
  protected prepare(password: string): Buffer {
    return Buffer.from(createHash('sha256').update(password).digest('hex'));
  }

  /** The package writes its own variant; 2a, 2b, 2x and 2y give the same result. */
  async #hash(bytes: Buffer, salt: string): Promise<string> {
    const { hash } = await optionalPackage(BCRYPT, () => import('@node-rs/bcrypt'));
    const prefix = salt.slice(0, 4);
    const text = await inPool(() => hash(bytes, Number(salt.slice(4, 6)), saltBytes(salt.slice(7))));
    return `${this.algorithm}$${prefix}${text.slice(4)}`;
  }

  #decode(encoded: string): { readonly rounds: number; readonly salt: string } | null {
    const match = FORM.exec(encoded);
    const salt = match?.[2];
    if (match?.[1] !== this.algorithm || salt === undefined) return null;
    const rounds = Number(salt.slice(4, 6));
    return rounds >= 4 && rounds <= LIMITS.bcryptRounds ? { rounds, salt } : null;
  }

  understands(encoded: string): boolean {
    return this.#decode(encoded) !== null;
  }

  /**
   * Passwords longer than 72 bytes are truncated for a stored plain `bcrypt`, as by every bcrypt when the hash was
   * made. Python's bcrypt 5 raises an error, and Django answers 500.
   */
  async verify(password: string, encoded: string): Promise<boolean> {
    const decoded = this.#decode(encoded);
    if (decoded === null) return false;
    return constant_time_compare(
      encoded,
      await this.#hash(this.prepare(password).subarray(0, MOST_BYTES), decoded.salt),
    );
  }

  must_update(encoded: string): boolean {
    return this.#decode(encoded)?.rounds !== this.rounds;
  }

  async harden_runtime(password: string, encoded: string): Promise<void> {
    const decoded = this.#decode(encoded);
    if (decoded === null) return;
    const bytes = this.prepare(password).subarray(0, MOST_BYTES);
    // Hardening from 2^10 to 2^12 rounds needs 2^10 + 2^11. Django runs 2^10 three times, which is the same work.
    for (let rounds = decoded.rounds; rounds < this.rounds; rounds += 1) {
      await this.#hash(bytes, `$2b$${String(rounds).padStart(2, '0')}$${decoded.salt.slice(7)}`);
    }
  }
}

/**
 * Django's BCryptPasswordHasher: plain bcrypt, which uses only the first 72 bytes of a password.
 *
 * ```ts
 * const encoded = await make_password('secret', { hasher: new BCryptPasswordHasher() }); // bcrypt$$2b$12$…
 * ```
 */
export class BCryptPasswordHasher extends BCryptSHA256PasswordHasher {
  override readonly algorithm = 'bcrypt';

  protected override prepare(password: string): Buffer {
    return Buffer.from(password);
  }
}

/** Decodes 22 characters of bcrypt's base64 to 16 bytes. */
function saltBytes(text: string): Buffer {
  return Buffer.from([...text].map((letter) => BASE64.charAt(BCRYPT64.indexOf(letter))).join(''), 'base64');
}
