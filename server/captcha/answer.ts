/** The captcha's solution: stored in the session as a keyed hash, valid once, for ten minutes. */

import { checkSettings } from '../settings/given.js';
import type { Settings } from '../settings.js';
import { constant_time_compare, salted_hmac } from '../signing/crypto.js';
import { checkNow } from './now.js';
import { type CaptchaSession, takeOut } from './once.js';
import { randomText } from './random.js';

/** The session key of the solution: `{"hash": "64 hex digits", "expires": 1767225600.5}`. */
export const CAPTCHA_SESSION_KEY = 'captcha';
/** Seconds for which a solution is valid. */
export const CAPTCHA_AGE = 600;
/** Characters of an answer. */
export const CAPTCHA_LENGTH = 6;
/**
 * Only characters that people can distinguish when bent. Excluded, because they look like an included one (in
 * brackets): O, 0, D, Q, G (C, 6), I, J, 1 (L), Z (2), S (5), 8, B (3), V (U), 4, R, F (A, P), N, W, Y, K, X (M, H), 7
 * (T). 14^6 texts: 7.5 million, with one guess per picture.
 */
export const CAPTCHA_ALPHABET = 'ACEHLMPTU23569';

/**
 * Characters that people confuse with those of the alphabet. The keys are not in the alphabet, so an attacker gains no
 * guess.
 */
const READ_AS: Readonly<Record<string, string>> = { s: '5', z: '2', g: '6', '7': 't', v: 'u', '1': 'l', i: 'l' };

const KEY_SALT = 'koa_django_session.captcha';
// The accepted input: a full-width A is not an A, and an empty text is wrong.
const TYPED = /^[0-9A-Za-z]{1,32}$/;

/** The settings that the captcha depends on. */
export type CaptchaSettings = Pick<Settings, 'SECRET_KEY'>;

/**
 * A text for a picture: CAPTCHA_LENGTH characters of CAPTCHA_ALPHABET, from node:crypto.
 *
 * ```ts
 * newCaptchaText().length; // 6
 * ```
 */
export function newCaptchaText(): string {
  return randomText(CAPTCHA_LENGTH, CAPTCHA_ALPHABET);
}

/**
 * Hex of Django's `salted_hmac("koa_django_session.captcha", answer.lower(), algorithm="sha256")`. A test that knows
 * SECRET_KEY can store a solution with it.
 *
 * ```ts
 * session['captcha'] = { hash: captchaHash('ACE235', settings), expires: now() + CAPTCHA_AGE };
 * ```
 */
export function captchaHash(answer: string, { SECRET_KEY }: CaptchaSettings): string {
  return salted_hmac(KEY_SALT, answer.toLowerCase(), SECRET_KEY, 'sha256').digest('hex');
}

/**
 * Store the picture's solution, replacing an earlier one. `now` is Unix seconds.
 *
 * ```ts
 * const text = newCaptchaText();
 * keepCaptcha(ctx.session, text, { settings, now: now() });
 * ctx.type = 'png';
 * ctx.body = await drawCaptcha(text);
 * ```
 */
export function keepCaptcha(
  session: CaptchaSession,
  answer: string,
  options: { readonly settings: CaptchaSettings; readonly now: number },
): void {
  checkNow('keepCaptcha', options);
  checkSettings('keepCaptcha', options.settings, 'SECRET_KEY');
  const { settings, now } = options;
  session.set(CAPTCHA_SESSION_KEY, { hash: captchaHash(answer, settings), expires: now + CAPTCHA_AGE });
}

/**
 * Whether `typed` is the solution of this session's picture. The solution is used up in any case: it is removed from
 * the row at once, so that of concurrent copies of a request one is accepted. Case and surrounding blanks are ignored,
 * and S is accepted for 5, Z for 2, G for 6, 7 for T, V for U, 1 or I for L.
 *
 * Without a picture or session, and for an expired or malformed solution: false, no error. Rejects with
 * StoreUnavailable if the store is unavailable, with ImproperlyConfigured without settings or time.
 *
 * ```ts
 * if (!(await acceptCaptcha(ctx.session, typed, { settings, now: now() }))) ctx.throw(400, 'Another picture, please.');
 * ```
 */
export async function acceptCaptcha(
  session: CaptchaSession,
  typed: string,
  options: { readonly settings: CaptchaSettings; readonly now: number },
): Promise<boolean> {
  checkNow('acceptCaptcha', options);
  checkSettings('acceptCaptcha', options.settings, 'SECRET_KEY');
  const { settings, now } = options;
  const kept = await takeOut(session, CAPTCHA_SESSION_KEY);
  const answer = typeof typed === 'string' ? typed.trim() : '';
  if (!TYPED.test(answer) || !isKept(kept) || kept.expires <= now) return false;
  const plain = answer.toLowerCase().replace(/[szg7v1i]/g, (character) => READ_AS[character] ?? character);
  // Also unchanged: an application may store solutions of another alphabet.
  return [answer, plain].some((text) => constant_time_compare(kept.hash, captchaHash(text, settings)));
}

/** Rows are untrusted: another program with the key may have written anything. */
function isKept(value: unknown): value is { readonly hash: string; readonly expires: number } {
  if (typeof value !== 'object' || value === null) return false;
  const { hash, expires } = value as { hash?: unknown; expires?: unknown };
  return typeof hash === 'string' && /^[0-9a-f]{64}$/.test(hash) && Number.isFinite(expires);
}
