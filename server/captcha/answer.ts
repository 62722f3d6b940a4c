/** The captcha's answer: kept in the session as a keyed hash, accepted once, for ten minutes. */
import type { Settings } from '../settings.js';
import { constant_time_compare, salted_hmac } from '../signing/crypto.js';
import { type CaptchaSession, takeOut } from './once.js';
import { randomText } from './random.js';

/** The session key of the answer: `{"hash": "64 hex digits", "expires": 1767225600.5}`. */
export const CAPTCHA_SESSION_KEY = 'captcha';
/** Seconds for which an answer counts. */
export const CAPTCHA_AGE = 600;
/** Characters of an answer. */
export const CAPTCHA_LENGTH = 6;
/**
 * Only characters that people tell apart when bent. Left out, because they look like one that is there: O, 0, D, Q, G
 * (C, 6), I, J, 1 (L), Z (2), S (5), 8, B (3), V (U), 4, R, F (A, P), N, W, Y, K, X (M, H), 7 (T).
 * 14^6 texts: 7.5 million, of which each picture allows one guess.
 */
export const CAPTCHA_ALPHABET = 'ACEHLMPTU23569';

/** What people take these for who do not know the alphabet. None of the keys is in it, so that no guess is gained. */
const READ_AS: Readonly<Record<string, string>> = { s: '5', z: '2', g: '6', '7': 't', v: 'u', '1': 'l', i: 'l' };

const KEY_SALT = 'koa_django_session.captcha';
// What is compared at all: a full-width A is no A, and an empty answer is no answer.
const TYPED = /^[0-9A-Za-z]{1,32}$/;

type KeySettings = Pick<Settings, 'SECRET_KEY'>;

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
 * SECRET_KEY can plant an answer with it.
 *
 * ```ts
 * session['captcha'] = { hash: captchaHash('ACE235', settings), expires: now() + CAPTCHA_AGE };
 * ```
 */
export function captchaHash(answer: string, { SECRET_KEY }: KeySettings): string {
  return salted_hmac(KEY_SALT, answer.toLowerCase(), SECRET_KEY, 'sha256').digest('hex');
}

/**
 * Remember what the picture shows, instead of what an earlier picture showed. `now` is Unix seconds.
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
  { settings, now }: { readonly settings: KeySettings; readonly now: number },
): void {
  session.set(CAPTCHA_SESSION_KEY, { hash: captchaHash(answer, settings), expires: now + CAPTCHA_AGE });
}

/**
 * Whether `typed` is what this session's picture shows. Either way the answer is used up: it is taken out under the
 * row's lock, so that of fifty copies of one request one is accepted. Letter case and blanks around do not count, and
 * neither does S for 5, Z for 2, G for 6, 7 for T, V for U, 1 or I for L.
 *
 * A session without a picture, one that is gone, an old answer, a malformed one: false, never an error. Rejects with
 * StoreUnavailable when the store is away.
 *
 * ```ts
 * if (!(await acceptCaptcha(ctx.session, typed, { settings, now: now() }))) ctx.throw(400, 'Another picture, please.');
 * ```
 */
export async function acceptCaptcha(
  session: CaptchaSession,
  typed: string,
  { settings, now }: { readonly settings: KeySettings; readonly now: number },
): Promise<boolean> {
  const kept = await takeOut(session, CAPTCHA_SESSION_KEY);
  const answer = typed.trim();
  if (!TYPED.test(answer) || !isKept(kept) || kept.expires <= now) return false;
  const plain = answer.toLowerCase().replace(/[szg7v1i]/g, (character) => READ_AS[character] ?? character);
  // As it is, too: an application may keep answers of another alphabet.
  return [answer, plain].some((text) => constant_time_compare(kept.hash, captchaHash(text, settings)));
}

/** Rows come from outside: whoever has the key may have written anything there. */
function isKept(value: unknown): value is { readonly hash: string; readonly expires: number } {
  if (typeof value !== 'object' || value === null) return false;
  const { hash, expires } = value as { hash?: unknown; expires?: unknown };
  return typeof hash === 'string' && /^[0-9a-f]{64}$/.test(hash) && Number.isFinite(expires);
}
