/** Django's four password validators (django.contrib.auth.password_validation), with identical results. */
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { ValidationError, type ValidationProblem, ValueError } from '../errors.js';
import { len, strip } from '../http/python_text.js';
import { checkOptions } from '../settings/given.js';

/** Its code is `password_too_short`, `_too_similar`, `_too_common`, `password_entirely_numeric`, or a validator's own. */
export type PasswordProblem = ValidationProblem;

/** A rule for new passwords; applications can add their own. */
export interface PasswordValidator {
  /** What is wrong, or null. */
  validate(password: string, user?: object): PasswordProblem | null | Promise<PasswordProblem | null>;
}

/**
 * At least so many characters, 8 by default (MinimumLengthValidator); code points are counted, as in Python.
 *
 * ```ts
 * await validate_password(password, { validators: [new MinimumLengthValidator({ min_length: 15 })] });
 * ```
 */
export class MinimumLengthValidator implements PasswordValidator {
  readonly #min_length: number;

  constructor({ min_length = 8 }: { readonly min_length?: number } = {}) {
    this.#min_length = min_length;
  }

  validate(password: string): PasswordProblem | null {
    const min_length = this.#min_length;
    if (len(password) >= min_length) return null;
    const message = `This password is too short. It must contain at least ${min_length} ${min_length === 1 ? 'character' : 'characters'}.`;
    return { code: 'password_too_short', message, params: { min_length } };
  }
}

/**
 * The fields of the user to compare with, whole and by word. Missing fields are skipped.
 *
 * ```ts
 * const similar = new UserAttributeSimilarityValidator({ user_attributes: ['username', 'email'], max_similarity: 0.6 });
 * await validate_password(password, { user, validators: [similar] });
 * ```
 */
export class UserAttributeSimilarityValidator implements PasswordValidator {
  readonly #attributes: readonly string[];
  readonly #max_similarity: number;

  /** @throws ValueError for a `max_similarity` below 0.1 */
  constructor(options: { readonly user_attributes?: readonly string[]; readonly max_similarity?: number } = {}) {
    const { user_attributes = ['username', 'first_name', 'last_name', 'email'], max_similarity = 0.7 } = options;
    if (max_similarity < 0.1) throw new ValueError('max_similarity must be at least 0.1');
    this.#attributes = user_attributes;
    this.#max_similarity = max_similarity;
  }

  validate(password: string, user?: object): PasswordProblem | null {
    if (user === undefined) return null;
    const lower = password.toLowerCase();
    const attribute = this.#attributes.find((name) => this.#isSimilar(lower, (user as Record<string, unknown>)[name]));
    if (attribute === undefined) return null;
    const verbose_name = attribute === 'email' ? 'email address' : attribute.replaceAll('_', ' ');
    const message = `The password is too similar to the ${verbose_name}.`;
    return { code: 'password_too_similar', message, params: { verbose_name } };
  }

  #isSimilar(password: string, value: unknown): boolean {
    if (typeof value !== 'string' || value === '') return false;
    const lower = value.toLowerCase();
    // Python's \W.
    const parts = [...lower.split(/[^\p{L}\p{N}_]+/u), lower];
    return parts.some(
      (part) => !this.#isTooShort(password, part) && quickRatio(password, part) >= this.#max_similarity,
    );
  }

  /** A text of a tenth of the password's length cannot be similar to it (exceeds_maximum_length_ratio). */
  #isTooShort(password: string, part: string): boolean {
    const [whole, short] = [len(password), len(part)];
    return whole >= 10 * short && short < (this.#max_similarity / 2) * whole;
  }
}

/** Python's `difflib.SequenceMatcher(a=a, b=b).quick_ratio()`: the share of common characters, in any order. */
function quickRatio(a: string, b: string): number {
  const left = new Map<string, number>();
  for (const character of b) left.set(character, (left.get(character) ?? 0) + 1);
  let matches = 0;
  for (const character of a) {
    const count = left.get(character) ?? 0;
    if (count > 0) matches += 1;
    left.set(character, count - 1);
  }
  const length = len(a) + len(b);
  return length === 0 ? 1 : (2 * matches) / length;
}

/**
 * Refuses common passwords: Django's list of 20,000, by Royce Williams. Read at first use.
 *
 * ```ts
 * await validate_password(password, { validators: [new CommonPasswordValidator()] });
 * ```
 */
export class CommonPasswordValidator implements PasswordValidator {
  async validate(password: string): Promise<PasswordProblem | null> {
    if (!(await commonPasswords()).has(strip(password.toLowerCase()))) return null;
    return { code: 'password_too_common', message: 'This password is too common.', params: {} };
  }
}

let common: Promise<ReadonlySet<string>> | undefined;

function commonPasswords(): Promise<ReadonlySet<string>> {
  common ??= readCommonPasswords();
  return common;
}

async function readCommonPasswords(): Promise<ReadonlySet<string>> {
  // 75 kB that most applications do not need.
  const { COMMON_PASSWORDS } = await import('./common_passwords.js');
  const text = await promisify(gunzip)(Buffer.from(COMMON_PASSWORDS, 'base64'));
  // The last line ends, too.
  return new Set(text.toString('utf8').trimEnd().split('\n'));
}

// Python's str.isdigit(): decimal digits of every script, superscripts, circled digits and so on.
const DIGITS =
  /^[\p{Nd}²³¹፩-፱᧚⁰⁴-⁹₀-₉①-⑨⑴-⑼⒈-⒐⓪⓵-⓽⓿❶-❾➀-➈➊-➒\u{10A40}-\u{10A43}\u{10E60}-\u{10E68}\u{11052}-\u{1105A}\u{1F100}-\u{1F10A}]+$/u;

/**
 * Refuses passwords of digits only, of any script (NumericPasswordValidator).
 *
 * ```ts
 * await validate_password(password, { validators: [new NumericPasswordValidator()] });
 * ```
 */
export class NumericPasswordValidator implements PasswordValidator {
  validate(password: string): PasswordProblem | null {
    if (!DIGITS.test(password)) return null;
    return { code: 'password_entirely_numeric', message: 'This password is entirely numeric.', params: {} };
  }
}

/** The validators of Django's project template, with its options. */
export const AUTH_PASSWORD_VALIDATORS: readonly PasswordValidator[] = [
  new UserAttributeSimilarityValidator(),
  new MinimumLengthValidator(),
  new CommonPasswordValidator(),
  new NumericPasswordValidator(),
];

/** The user of the password, and the validators. */
export interface ValidatePasswordOptions {
  /** The user of the new password. */
  readonly user?: object;
  /** Default: `AUTH_PASSWORD_VALIDATORS`. */
  readonly validators?: readonly PasswordValidator[];
}

/**
 * Check a new password.
 *
 * ```ts
 * await validate_password(password, { user: ctx.user }); // throws a ValidationError
 * ```
 *
 * @param password limit its length: each validator reads all of it
 * @throws ValidationError with all problems, in `problems`
 */
export async function validate_password(password: string, options: ValidatePasswordOptions = {}): Promise<void> {
  if (typeof password !== 'string') throw new ValueError('validate_password() needs the password as text.');
  checkOptions('validate_password()', options);
  // Django takes the user by position. Taken for options, it would not be compared with the password.
  if ('is_authenticated' in options || options instanceof Promise) {
    throw new ValueError('validate_password() takes the user by name: { user: ctx.user }.');
  }
  const { user, validators = AUTH_PASSWORD_VALIDATORS } = options;
  const problems: PasswordProblem[] = [];
  for (const validator of validators) {
    const problem = await validator.validate(password, user ?? undefined);
    if (problem !== null) problems.push(problem);
  }
  if (problems.length > 0) throw new ValidationError(problems);
}
