/** Passwords: make_password and check_password over Django's hashers, in Django's encoded formats. */
import { ValueError } from '../errors.js';
import { get_random_string, isWellFormed } from '../signing/crypto.js';
import { Argon2PasswordHasher } from './hashers/argon2.js';
import { BCryptPasswordHasher, BCryptSHA256PasswordHasher } from './hashers/bcrypt.js';
import type { PasswordHasher } from './hashers/hasher.js';
import { PBKDF2PasswordHasher, PBKDF2SHA1PasswordHasher } from './hashers/pbkdf2.js';
import { ScryptPasswordHasher } from './hashers/scrypt.js';

export { type Argon2Parameters, Argon2PasswordHasher } from './hashers/argon2.js';
export { BCRYPT_ROUNDS, BCryptPasswordHasher, BCryptSHA256PasswordHasher } from './hashers/bcrypt.js';
export { LIMITS, type PasswordHasher } from './hashers/hasher.js';
export { MD5PasswordHasher } from './hashers/md5.js';
export { PBKDF2_ITERATIONS, PBKDF2PasswordHasher, PBKDF2SHA1PasswordHasher } from './hashers/pbkdf2.js';
export { type ScryptParameters, ScryptPasswordHasher } from './hashers/scrypt.js';

const UNUSABLE_PASSWORD_PREFIX = '!';
const UNUSABLE_PASSWORD_SUFFIX_LENGTH = 40;

/** The accepted hashers; the first one makes new hashes (Django's PASSWORD_HASHERS). */
export type PasswordHashers = readonly [PasswordHasher, ...PasswordHasher[]];

/**
 * Django 6.0's default PASSWORD_HASHERS, and plain bcrypt after them, so that hashes of both defaults verify. argon2
 * and bcrypt load their native code at first use.
 */
export const PASSWORD_HASHERS: PasswordHashers = [
  new PBKDF2PasswordHasher(),
  new PBKDF2SHA1PasswordHasher(),
  new Argon2PasswordHasher(),
  new BCryptSHA256PasswordHasher(),
  new ScryptPasswordHasher(),
  new BCryptPasswordHasher(),
];

/** The accepted hashers: the first one makes new hashes, all of them verify. */
export interface HasherOptions {
  /** Default: `PASSWORD_HASHERS`. */
  readonly hashers?: PasswordHashers;
}

/**
 * The hasher with this name; without a name, the first one.
 *
 * ```ts
 * get_hasher().algorithm; // 'pbkdf2_sha256'
 * ```
 */
export function get_hasher(algorithm = 'default', { hashers = PASSWORD_HASHERS }: HasherOptions = {}): PasswordHasher {
  if (algorithm === 'default') return hashers[0];
  const found = hashers.find((hasher) => hasher.algorithm === algorithm);
  if (found === undefined) {
    const known = hashers.map((hasher) => hasher.algorithm).join(', ');
    throw new ValueError(`There is no password hasher "${algorithm}". Known: ${known}.`);
  }
  return found;
}

/**
 * The hasher of a stored password, by its first part.
 *
 * ```ts
 * identify_hasher('pbkdf2_sha256$1200000$salt$aGFzaA==').algorithm; // 'pbkdf2_sha256'
 * ```
 *
 * @throws ValueError for an unusable or malformed text, or an algorithm that is not in `hashers`
 */
export function identify_hasher(encoded: string, { hashers = PASSWORD_HASHERS }: HasherOptions = {}): PasswordHasher {
  const found = hashers.find((hasher) => encoded.startsWith(`${hasher.algorithm}$`));
  // The message must not contain the text: it may be a password stored in plain.
  if (found === undefined) throw new ValueError('No password hasher can read this stored password.');
  return found;
}

/**
 * False for what make_password(null) made; such an account cannot log in with a password.
 *
 * ```ts
 * is_password_usable(await make_password(null)); // false
 * ```
 */
export function is_password_usable(encoded: string | null): boolean {
  return encoded === null || !encoded.startsWith(UNUSABLE_PASSWORD_PREFIX);
}

/** How `make_password` hashes. */
export interface MakePasswordOptions extends HasherOptions {
  /** A hasher, or the name of one in `hashers`; default: the first. */
  readonly hasher?: string | PasswordHasher;
  /** Default: a random one. Set it only in tests. */
  readonly salt?: string;
  /** For the pbkdf2 hashers. */
  readonly iterations?: number;
}

/**
 * The text for auth_user.password; for null a text that no password matches.
 *
 * ```ts
 * const encoded = await make_password(password); // pbkdf2_sha256$1200000$…
 * await users.set_password(user.id, encoded);
 * ```
 *
 * @throws ValueError for an unknown hasher, or an invalid salt or password
 */
export async function make_password(password: string | null, options: MakePasswordOptions = {}): Promise<string> {
  if (password !== null && typeof password !== 'string') {
    throw new ValueError('make_password() needs the password as text, or null for none.');
  }
  if (password === null) return UNUSABLE_PASSWORD_PREFIX + get_random_string(UNUSABLE_PASSWORD_SUFFIX_LENGTH);
  const { hasher: wanted = 'default', iterations } = options;
  const hasher = typeof wanted === 'string' ? get_hasher(wanted, options) : wanted;
  const salt = options.salt ?? hasher.salt();
  if (iterations === undefined) return hasher.encode(password, salt);
  if (!(hasher instanceof PBKDF2PasswordHasher)) {
    throw new ValueError(`${hasher.algorithm} has no iterations. Give them with a pbkdf2 hasher only.`);
  }
  return hasher.encode(password, salt, iterations);
}

/** Options of `check_password`. */
export interface CheckPasswordOptions extends HasherOptions {
  /**
   * Called with a correct password whose hash has other parameters than a new one. There is no default on purpose: the
   * session's hash covers the stored text, so a re-hash logs this user out everywhere.
   */
  readonly setter?: (password: string) => Promise<void>;
}

/**
 * Whether this is the password. An unverifiable text and a weaker hash take the time of a new hash
 * (django.contrib.auth.hashers.verify_password); a stronger hash takes its own time. Never throws because of the stored
 * or typed text: unusable, malformed, unknown, or beyond LIMITS is false. Await it: the promise counts as true.
 *
 * ```ts
 * if (await check_password(password, user.password)) await login(ctx, user);
 * ```
 */
export async function check_password(
  password: string | null,
  encoded: string,
  options: CheckPasswordOptions = {},
): Promise<boolean> {
  const { hashers = PASSWORD_HASHERS, setter } = options;
  const preferred = hashers[0];
  // A caller may have no row to read it from.
  const text = typeof encoded === 'string' ? encoded : '';
  const hasher = hashers.find((known) => text.startsWith(`${known.algorithm}$`) && known.understands(text));
  if (typeof password !== 'string' || !isWellFormed(password) || hasher === undefined) {
    await spendRuntime(options);
    return false;
  }
  const start = performance.now();
  const correct = await hasher.verify(password, encoded);
  if (!correct) {
    await bridge(preferred, hasher, password, encoded, start);
  } else if (setter !== undefined && (hasher !== preferred || preferred.must_update(encoded))) {
    await setter(password);
  }
  return correct;
}

/**
 * Takes the time of one check, for an account that does not exist (Django's ticket 20760).
 *
 * ```ts
 * const found = await users.get_by_natural_key(username);
 * if (found === null) await spendRuntime(); // as long as a wrong password takes
 * ```
 */
export async function spendRuntime({ hashers = PASSWORD_HASHERS }: HasherOptions = {}): Promise<void> {
  await hashers[0].encode(get_random_string(UNUSABLE_PASSWORD_SUFFIX_LENGTH), hashers[0].salt());
}

/**
 * For a correct password of an inactive account: does the work by which its hash is weaker than a new one. Django does
 * not, so the time reveals an inactive account with an old hash.
 *
 * ```ts
 * if (await check_password(password, user.password)) await harden_runtime(password, user.password); // and refuse
 * ```
 */
export async function harden_runtime(password: string, encoded: string, options: HasherOptions = {}): Promise<void> {
  const { hashers = PASSWORD_HASHERS } = options;
  const hasher = hashers.find((known) => encoded.startsWith(`${known.algorithm}$`));
  if (hasher === hashers[0]) await hasher.harden_runtime(password, encoded);
}

/** Django compensates only within one algorithm; this also compensates for a faster algorithm. */
async function bridge(
  preferred: PasswordHasher,
  hasher: PasswordHasher,
  password: string,
  encoded: string,
  start: number,
): Promise<void> {
  if (hasher === preferred) await hasher.harden_runtime(password, encoded);
  else await preferred.fillRuntime?.((performance.now() - start) / 1000);
}
