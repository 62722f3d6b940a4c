/** argon2: `argon2$argon2id$v=19$m=102400,t=2,p=8$salt$hash`, base64 without padding. */
import { timingSafeEqual } from 'node:crypto';
import { ValueError } from '../../errors.js';
import { optionalPackage } from '../../optional_package.js';
import {
  checkArguments,
  inPool,
  LIMITS,
  newSalt,
  type PasswordHasher,
  positiveInteger,
  saltIsShort,
} from './hasher.js';

/** Django 6.0's Argon2PasswordHasher; `memory_cost` in KiB. */
export interface Argon2Parameters {
  readonly time_cost: number;
  readonly memory_cost: number;
  readonly parallelism: number;
}

const DEFAULTS: Argon2Parameters = { time_cost: 2, memory_cost: 102_400, parallelism: 8 };
const HASH_LENGTH = 32;
const ARGON2 = { what: 'Passwords hashed by Argon2', packages: ['@node-rs/argon2'] };

// The package's enums are `const enum`s, which verbatimModuleSyntax does not allow.
const VARIETIES = { argon2d: 0, argon2i: 1, argon2id: 2 } as const;
const VERSIONS = { '16': 0, '19': 1 } as const;

interface Decoded extends Argon2Parameters {
  readonly variety: keyof typeof VARIETIES;
  readonly version: keyof typeof VERSIONS;
  readonly salt: Buffer;
  readonly hash: Buffer;
}

// libargon2's decode_string: "$" variety ["$v=" version] "$m=" m ",t=" t ",p=" p "$" salt "$" hash. Without v it is 16.
const FORM =
  /^argon2\$(argon2(?:id|i|d))(?:\$v=(16|19))?\$m=([0-9]+),t=([0-9]+),p=([0-9]+)\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/;

const unpadded = (bytes: Buffer): string => bytes.toString('base64').replace(/={1,2}$/, '');

/** Base64 without padding and with zero trailing bits, as libargon2 requires. */
function bytesOf(text: string): Buffer | null {
  const bytes = Buffer.from(text, 'base64');
  return unpadded(bytes) === text ? bytes : null;
}

/**
 * Django's Argon2PasswordHasher, argon2id with Django's parameters. Needs the package @node-rs/argon2 at its first use.
 *
 * ```ts
 * const encoded = await make_password('secret', { hasher: new Argon2PasswordHasher() }); // argon2$argon2id$v=19$m=102400,…
 * ```
 */
export class Argon2PasswordHasher implements PasswordHasher {
  readonly algorithm = 'argon2';
  readonly #parameters: Argon2Parameters;

  constructor(parameters: Partial<Argon2Parameters> = {}) {
    this.#parameters = { ...DEFAULTS, ...parameters };
  }

  salt(): string {
    return newSalt();
  }

  async encode(password: string, salt: string): Promise<string> {
    checkArguments(password, salt);
    const bytes = Buffer.from(salt);
    // RFC 9106 section 3.1 allows less; libargon2 does not.
    if (bytes.length < 8) throw new ValueError('A salt for argon2 must have 8 bytes or more.');
    const { time_cost, memory_cost, parallelism } = this.#parameters;
    const hash = await this.#hash(password, {
      ...this.#parameters,
      variety: 'argon2id',
      version: '19',
      salt: bytes,
      hash: Buffer.alloc(HASH_LENGTH),
    });
    return `argon2$argon2id$v=19$m=${memory_cost},t=${time_cost},p=${parallelism}$${unpadded(bytes)}$${unpadded(hash)}`;
  }

  /** hashRaw instead of verify: the package's parser (PHC) is stricter than libargon2's. */
  async #hash(password: string, decoded: Decoded): Promise<Buffer> {
    const { hashRaw } = await optionalPackage(ARGON2, () => import('@node-rs/argon2'));
    return inPool(() =>
      hashRaw(password, {
        algorithm: VARIETIES[decoded.variety],
        version: VERSIONS[decoded.version],
        memoryCost: decoded.memory_cost,
        timeCost: decoded.time_cost,
        parallelism: decoded.parallelism,
        outputLen: decoded.hash.length,
        salt: decoded.salt,
      }),
    );
  }

  #decode(encoded: string): Decoded | null {
    const match = FORM.exec(encoded);
    if (match === null) return null;
    const [, variety, version = '16', m, t, p, salt64 = '', hash64 = ''] = match;
    const memory_cost = positiveInteger(m);
    const time_cost = positiveInteger(t);
    const parallelism = positiveInteger(p);
    const salt = bytesOf(salt64);
    const hash = bytesOf(hash64);
    if (memory_cost === null || time_cost === null || parallelism === null || salt === null || hash === null)
      return null;
    if (parallelism > 255 || memory_cost < 8 * parallelism || salt.length < 8) return null;
    if (hash.length < 4 || hash.length > 128) return null;
    if (memory_cost > LIMITS.argon2Memory || memory_cost * time_cost > LIMITS.argon2Work) return null;
    return {
      variety: variety as keyof typeof VARIETIES,
      version: version as keyof typeof VERSIONS,
      memory_cost,
      time_cost,
      parallelism,
      salt,
      hash,
    };
  }

  understands(encoded: string): boolean {
    return this.#decode(encoded) !== null;
  }

  /** Whether it is this password; also false for a stored text that is malformed or beyond LIMITS. */
  async verify(password: string, encoded: string): Promise<boolean> {
    const decoded = this.#decode(encoded);
    if (decoded === null) return false;
    return timingSafeEqual(await this.#hash(password, decoded), decoded.hash);
  }

  must_update(encoded: string): boolean {
    const decoded = this.#decode(encoded);
    const { time_cost, memory_cost, parallelism } = this.#parameters;
    return (
      decoded?.variety !== 'argon2id' ||
      decoded.version !== '19' ||
      decoded.time_cost !== time_cost ||
      decoded.memory_cost !== memory_cost ||
      decoded.parallelism !== parallelism ||
      decoded.hash.length !== HASH_LENGTH ||
      saltIsShort(decoded.salt.toString('latin1'))
    );
  }

  /** Django does nothing here either: the parameters do not add up to one number. */
  async harden_runtime(): Promise<void> {}
}
