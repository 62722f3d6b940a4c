/** md5: `md5$salt$hex`, for tests and old tables. Not secure, and not used by default. */
import { createHash } from 'node:crypto';
import { constant_time_compare } from '../../signing/crypto.js';
import { checkArguments, newSalt, type PasswordHasher, saltIsShort } from './hasher.js';

/**
 * Django's MD5PasswordHasher, which is not in Django's default PASSWORD_HASHERS either.
 *
 * ```ts
 * await check_password('secret', encoded, { hashers: [...PASSWORD_HASHERS, new MD5PasswordHasher()] });
 * ```
 */
export class MD5PasswordHasher implements PasswordHasher {
  readonly algorithm = 'md5';

  salt(): string {
    return newSalt();
  }

  async encode(password: string, salt: string): Promise<string> {
    checkArguments(password, salt);
    return `md5$${salt}$${createHash('md5').update(salt).update(password).digest('hex')}`;
  }

  #salt(encoded: string): string | null {
    const [algorithm, salt, hash] = encoded.split('$');
    return algorithm !== this.algorithm || salt === undefined || salt === '' || hash === undefined ? null : salt;
  }

  understands(encoded: string): boolean {
    return this.#salt(encoded) !== null;
  }

  /** Whether it is this password; also false for a malformed stored text. */
  async verify(password: string, encoded: string): Promise<boolean> {
    const salt = this.#salt(encoded);
    return salt !== null && constant_time_compare(encoded, await this.encode(password, salt));
  }

  must_update(encoded: string): boolean {
    const salt = this.#salt(encoded);
    return salt === null || saltIsShort(salt);
  }

  async harden_runtime(): Promise<void> {}
}
