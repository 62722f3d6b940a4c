/**
 * CSRF secrets and tokens as django.middleware.csrf: a secret is 32 letters and digits; a token is a random mask of 32
 * characters and the secret shifted by it, so that each page contains a different text (BREACH). Django up to 4.0
 * stored masked secrets in the cookie.
 */
import { len } from '../http/python_text.js';
import { constant_time_compare, get_random_string } from '../signing/crypto.js';

export const CSRF_ALLOWED_CHARS = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789';
export const CSRF_SECRET_LENGTH = 32;
export const CSRF_TOKEN_LENGTH = 64;

/** Returns 32 random letters and digits. */
export type NewCsrfSecret = () => string;

/**
 * A new CSRF secret: 32 letters and digits.
 *
 * ```ts
 * newCsrfSecret().length; // 32
 * ```
 */
export const newCsrfSecret: NewCsrfSecret = () => get_random_string(CSRF_SECRET_LENGTH, CSRF_ALLOWED_CHARS);

/**
 * `has incorrect length` or `has invalid characters`, or null for a valid format of a secret or a token.
 *
 * ```ts
 * check_token_format('short'); // 'has incorrect length'
 * ```
 */
export function check_token_format(token: string): string | null {
  const length = len(token);
  if (length !== CSRF_TOKEN_LENGTH && length !== CSRF_SECRET_LENGTH) return 'has incorrect length';
  return /[^a-zA-Z0-9]/.test(token) ? 'has invalid characters' : null;
}

/**
 * A token for a page. Both parameters are 32 letters and digits.
 *
 * ```ts
 * unmask_token(mask_secret('a'.repeat(32))) === 'a'.repeat(32); // true
 * ```
 */
export function mask_secret(secret: string, mask: string = newCsrfSecret()): string {
  return mask + shift(secret, mask, 1);
}

/**
 * The secret of a token with a valid format; a text of 32 characters is the secret itself.
 *
 * ```ts
 * unmask_token('a'.repeat(32)) === 'a'.repeat(32); // true
 * ```
 */
export function unmask_token(token: string): string {
  if (token.length !== CSRF_TOKEN_LENGTH) return token;
  return shift(token.slice(CSRF_SECRET_LENGTH), token.slice(0, CSRF_SECRET_LENGTH), -1);
}

function shift(text: string, mask: string, direction: 1 | -1): string {
  const { length } = CSRF_ALLOWED_CHARS;
  let result = '';
  for (let index = 0; index < text.length; index += 1) {
    const position = CSRF_ALLOWED_CHARS.indexOf(text.charAt(index));
    const by = direction * CSRF_ALLOWED_CHARS.indexOf(mask.charAt(index));
    result += CSRF_ALLOWED_CHARS.charAt((position + by + length) % length);
  }
  return result;
}

/**
 * Whether a token, masked or not, matches the secret. The token must have a valid format. Compares in constant time.
 *
 * ```ts
 * const secret = newCsrfSecret();
 * does_token_match(mask_secret(secret), secret); // true
 * ```
 */
export function does_token_match(token: string, secret: string): boolean {
  return constant_time_compare(unmask_token(token), secret);
}
