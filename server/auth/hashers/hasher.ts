/** The interface of a password hasher, the limits on the cost of a stored hash, and shared helpers. */
import { availableParallelism } from 'node:os';
import { ValueError } from '../../errors.js';
import { get_random_string, isWellFormed } from '../../signing/crypto.js';

/**
 * One algorithm in Django's encoded format (django.contrib.auth.hashers.BasePasswordHasher). `verify`, `must_update`
 * and `harden_runtime` never throw because of the text: a text of another algorithm, or one beyond the limits, does not
 * verify. (Django answers some of these with a 500.)
 */
export interface PasswordHasher {
  /** The first part of the encoded text. */
  readonly algorithm: string;
  /** A new random salt. */
  salt(): string;
  /**
   * The text for the password column.
   * @throws ValueError for an invalid password or salt
   */
  encode(password: string, salt: string): Promise<string>;
  /** Whether this text is well-formed and within the limits. Cheap. */
  understands(encoded: string): boolean;
  /** Whether it is this password; also false for a stored text that is malformed or beyond LIMITS. */
  verify(password: string, encoded: string): Promise<boolean>;
  /** Whether this text has other parameters than a new one. */
  must_update(encoded: string): boolean;
  /** Do the work by which `encoded` is weaker than a new hash, so that a failed login takes the same time. */
  harden_runtime(password: string, encoded: string): Promise<void>;
  /** Do the work of one new hash, minus `seconds` that were already spent. Absent if the work cannot be split. */
  fillRuntime?(seconds: number): Promise<void>;
}

/**
 * The maximum cost of a stored hash. A row is untrusted: a trillion iterations must not block a thread for a week, nor
 * 4 GiB of memory kill the process. Each limit is several times Django's current default (in brackets).
 */
export const LIMITS = {
  /** [1,200,000; Django's main branch 1,800,000] */
  pbkdf2Iterations: 10_000_000,
  /** Memory of scrypt, 128·N·r bytes [16 MiB]. */
  scryptMemory: 128 * 1024 * 1024,
  /** Work of scrypt, N·r·p [655,360]. */
  scryptWork: 8_388_608,
  /** Memory of argon2 in KiB [102,400]. */
  argon2Memory: 262_144,
  /** Work of argon2, memory·passes [204,800]. */
  argon2Work: 2_097_152,
  /** log2 of bcrypt's rounds [12]. */
  bcryptRounds: 15,
} as const;

/**
 * The number of concurrent hashes. They run in libuv's pool, which has four threads by default. One thread stays free
 * for files, zlib and DNS, and one core for the event loop: hashes on all cores would delay all other pages. With two
 * processes on two busy cores and eight users logging in, the median page took 9 ms with one hash per process, 64 ms
 * with three.
 */
const AT_ONCE = Math.min(3, Math.max(1, availableParallelism() - 1));
let running = 0;
const waiting: (() => void)[] = [];

/** Run one hash computation, after at most `AT_ONCE` others; first come, first served. */
export async function inPool<T>(work: () => Promise<T>): Promise<T> {
  if (running >= AT_ONCE) await new Promise<void>((turn) => waiting.push(turn));
  else running += 1;
  try {
    return await work();
  } finally {
    // The slot is passed directly to the next waiting task.
    const next = waiting.shift();
    if (next === undefined) running -= 1;
    else next();
  }
}

/** ceil(128 bits / log2 of 62 letters): Django's salt_entropy. */
const SALT_LENGTH = 22;
export const newSalt = (): string => get_random_string(SALT_LENGTH);

/** Django's must_update_salt: less than 128 bits, counted by length. */
export const saltIsShort = (salt: string): boolean => [...salt].length < SALT_LENGTH;

/** @throws ValueError as BasePasswordHasher._check_encode_args does, and for text that is not valid Unicode */
export function checkArguments(password: string, salt: string): void {
  if (salt === '' || salt.includes('$')) throw new ValueError('A salt must not be empty or contain "$".');
  if (!isWellFormed(password) || !isWellFormed(salt)) {
    throw new ValueError('A password or salt must be text that UTF-8 can hold: it has half of a surrogate pair.');
  }
}

/**
 * A positive whole number exactly as "%d" prints it. Django parses with int(), which accepts "+1", " 1" and "1_0" too,
 * but compares the printed result, so that those never verify in Django either.
 */
export function positiveInteger(text: string | undefined): number | null {
  if (text === undefined || !/^[1-9][0-9]{0,14}$/.test(text)) return null;
  return Number(text);
}
