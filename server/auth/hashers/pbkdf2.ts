/** pbkdf2_sha256 (Django's default) and pbkdf2_sha1: `pbkdf2_sha256$1200000$salt$base64`. */
import { pbkdf2 as pbkdf2Callback } from 'node:crypto';
import { promisify } from 'node:util';
import { markClasses } from '../../errors/copies.js';
import { constant_time_compare } from '../../signing/crypto.js';
import {
  checkArguments,
  inPool,
  LIMITS,
  newSalt,
  type PasswordHasher,
  positiveInteger,
  saltIsShort,
} from './hasher.js';

const pbkdf2 = promisify(pbkdf2Callback);

/** Django 6.0's PBKDF2PasswordHasher.iterations. */
export const PBKDF2_ITERATIONS = 1_200_000;

const ALGORITHMS = {
  pbkdf2_sha256: { digest: 'sha256', length: 32 },
  pbkdf2_sha1: { digest: 'sha1', length: 20 },
} as const;

interface Decoded {
  readonly iterations: number;
  readonly salt: string;
}

/**
 * Django's PBKDF2PasswordHasher. `iterations` is for new hashes; stored hashes contain their own.
 *
 * ```ts
 * const encoded = await make_password('secret', { hasher: new PBKDF2PasswordHasher({ iterations: 1_800_000 }) });
 * ```
 */
export class PBKDF2PasswordHasher implements PasswordHasher {
  readonly algorithm: keyof typeof ALGORITHMS = 'pbkdf2_sha256';
  readonly iterations: number;
  /** Seconds per iteration, as last measured. */
  #pace: number | null = null;

  constructor({ iterations = PBKDF2_ITERATIONS }: { readonly iterations?: number } = {}) {
    this.iterations = iterations;
  }

  salt(): string {
    return newSalt();
  }

  async encode(password: string, salt: string, iterations = this.iterations): Promise<string> {
    checkArguments(password, salt);
    const { digest, length } = ALGORITHMS[this.algorithm];
    const hash = await inPool(async () => {
      const start = performance.now();
      const result = await pbkdf2(password, salt, iterations, length, digest);
      // Short runs measure the thread pool more than the hash.
      if (iterations >= 10_000) this.#pace = (performance.now() - start) / 1000 / iterations;
      return result;
    });
    return `${this.algorithm}$${iterations}$${salt}$${hash.toString('base64')}`;
  }

  #decode(encoded: string): Decoded | null {
    const [algorithm, count, salt, hash] = encoded.split('$');
    const iterations = positiveInteger(count);
    if (algorithm !== this.algorithm || iterations === null || iterations > LIMITS.pbkdf2Iterations) return null;
    if (salt === undefined || salt === '' || hash === undefined) return null;
    return { iterations, salt };
  }

  understands(encoded: string): boolean {
    return this.#decode(encoded) !== null;
  }

  /** Whether it is this password; also false for a stored text that is malformed or beyond LIMITS. */
  async verify(password: string, encoded: string): Promise<boolean> {
    const decoded = this.#decode(encoded);
    if (decoded === null) return false;
    return constant_time_compare(encoded, await this.encode(password, decoded.salt, decoded.iterations));
  }

  must_update(encoded: string): boolean {
    const decoded = this.#decode(encoded);
    return decoded === null || decoded.iterations !== this.iterations || saltIsShort(decoded.salt);
  }

  async harden_runtime(password: string, encoded: string): Promise<void> {
    const decoded = this.#decode(encoded);
    if (decoded === null) return;
    const extra = this.iterations - decoded.iterations;
    if (extra > 0) await this.encode(password, decoded.salt, extra);
  }

  async fillRuntime(seconds: number): Promise<void> {
    let left = this.iterations;
    if (this.#pace === null) {
      const trial = Math.min(50_000, left);
      await this.encode('', 'trial', trial);
      left -= trial;
    }
    left -= this.#pace === null ? 0 : Math.round(seconds / this.#pace);
    if (left > 0) await this.encode('', 'rest', left);
  }
}

markClasses({ PBKDF2PasswordHasher });

/**
 * Django's PBKDF2SHA1PasswordHasher, for hashes of other programs.
 *
 * ```ts
 * const encoded = await make_password('secret', { hasher: new PBKDF2SHA1PasswordHasher() }); // pbkdf2_sha1$1200000$…
 * ```
 */
export class PBKDF2SHA1PasswordHasher extends PBKDF2PasswordHasher {
  override readonly algorithm = 'pbkdf2_sha1';
}
