/** scrypt: `scrypt$16384$salt$8$5$base64` (N, salt, r, p, hash). */
import { type BinaryLike, type ScryptOptions, scrypt as scryptCallback } from 'node:crypto';
import { promisify } from 'node:util';
import { constant_time_compare } from '../../signing/crypto.js';
import { checkArguments, inPool, LIMITS, newSalt, type PasswordHasher, positiveInteger } from './hasher.js';

const scrypt = promisify<BinaryLike, BinaryLike, number, ScryptOptions, Buffer>(scryptCallback);

/** Django 6.0's ScryptPasswordHasher: N, r and p of RFC 7914 (p was 1 until Django 5.0). */
export interface ScryptParameters {
  readonly work_factor: number;
  readonly block_size: number;
  readonly parallelism: number;
}

const DEFAULTS: ScryptParameters = { work_factor: 2 ** 14, block_size: 8, parallelism: 5 };

/**
 * Django's ScryptPasswordHasher, with Django's parameters (N = 2^14, r = 8, p = 5).
 *
 * ```ts
 * const encoded = await make_password('secret', { hasher: new ScryptPasswordHasher() }); // scrypt$16384$…
 * ```
 */
export class ScryptPasswordHasher implements PasswordHasher {
  readonly algorithm = 'scrypt';
  readonly #parameters: ScryptParameters;

  constructor(parameters: Partial<ScryptParameters> = {}) {
    this.#parameters = { ...DEFAULTS, ...parameters };
  }

  salt(): string {
    return newSalt();
  }

  async encode(password: string, salt: string, parameters = this.#parameters): Promise<string> {
    checkArguments(password, salt);
    const { work_factor: N, block_size: r, parallelism: p } = parameters;
    const maxmem = LIMITS.scryptMemory + 2 * 1024 * 1024;
    const hash = await inPool(() => scrypt(password, salt, 64, { N, r, p, maxmem }));
    return `scrypt$${N}$${salt}$${r}$${p}$${hash.toString('base64')}`;
  }

  #decode(encoded: string): (ScryptParameters & { readonly salt: string }) | null {
    const parts = encoded.split('$');
    if (parts.length !== 6 || parts[0] !== this.algorithm) return null;
    const [, n, salt, r, p] = parts;
    const work_factor = positiveInteger(n);
    const block_size = positiveInteger(r);
    const parallelism = positiveInteger(p);
    if (work_factor === null || block_size === null || parallelism === null) return null;
    if (salt === undefined || salt === '') return null;
    // RFC 7914 section 6: N is a power of two above 1. OpenSSL refuses others with an error.
    if (work_factor < 2 || !Number.isInteger(Math.log2(work_factor))) return null;
    if (128 * work_factor * block_size > LIMITS.scryptMemory) return null;
    // p·r alone also takes memory: 128·r·p bytes; the limit on work covers it, because N is at least 2.
    if (work_factor * block_size * parallelism > LIMITS.scryptWork) return null;
    if (128 * block_size * parallelism > LIMITS.scryptMemory / 8) return null;
    return { work_factor, block_size, parallelism, salt };
  }

  understands(encoded: string): boolean {
    return this.#decode(encoded) !== null;
  }

  /** Whether it is this password; also false for a stored text that is malformed or beyond LIMITS. */
  async verify(password: string, encoded: string): Promise<boolean> {
    const decoded = this.#decode(encoded);
    if (decoded === null) return false;
    return constant_time_compare(encoded, await this.encode(password, decoded.salt, decoded));
  }

  must_update(encoded: string): boolean {
    const decoded = this.#decode(encoded);
    const { work_factor, block_size, parallelism } = this.#parameters;
    return (
      decoded?.work_factor !== work_factor || decoded.block_size !== block_size || decoded.parallelism !== parallelism
    );
  }

  /** Django does nothing here either: the parameters do not add up to one number. */
  async harden_runtime(): Promise<void> {}
}
