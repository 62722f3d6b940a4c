/** Signed cookies: the value with time and signature, bound to the cookie's name (django.core.signing.get_cookie_signer). */
import { type Clock, systemClock } from '../clock.js';
import { BadSignature, SignatureExpired } from '../errors.js';
import type { Settings } from '../settings.js';
import type { SigningKey } from './crypto.js';
import { TimestampSigner } from './signer.js';

/** The settings that signed cookies depend on. Keys may be bytes, as in Django. */
export interface CookieSignerSettings
  extends Pick<Settings, 'SIGNED_COOKIE_SALT_VERSION' | 'SIGNED_COOKIE_LEGACY_SALT_FALLBACK'> {
  readonly SECRET_KEY: SigningKey;
  readonly SECRET_KEY_FALLBACKS: readonly SigningKey[];
}

/** Settings, salt and clock of a signed cookie. */
export interface CookieSignerOptions {
  readonly settings: CookieSignerSettings;
  /** Added to the cookie's name: cookies of one name with different salts have different signatures. */
  readonly salt?: string;
  readonly now?: Clock;
}

type SaltVersion = Settings['SIGNED_COOKIE_SALT_VERSION'];

/**
 * The salt that binds a signature to a cookie. Version 1 joins name and salt, so that the cookie `ab` with salt `c` has
 * the signature of the cookie `a` with salt `bc`: CVE-2026-6873. Version 2, since Django 5.2.15 and 6.0.6, has the
 * salt's length in it, in code points as Python counts.
 */
function cookieSalt(version: SaltVersion, key: string, salt: string): string {
  return version === 1 ? key + salt : `django.http.cookies.v2:${[...salt].length}:${salt}${key}`;
}

function cookieKey(key: SigningKey): Buffer {
  return Buffer.concat([Buffer.from('django.http.cookies'), Buffer.from(key)]);
}

function cookieSigner(version: SaltVersion, key: string, options: CookieSignerOptions): TimestampSigner {
  const { settings, salt = '', now = systemClock } = options;
  return new TimestampSigner({
    key: cookieKey(settings.SECRET_KEY),
    fallback_keys: settings.SECRET_KEY_FALLBACKS.map(cookieKey),
    salt: cookieSalt(version, key, salt),
    now,
  });
}

/**
 * The signed text of the cookie `key`: `value:time:signature`.
 *
 * ```ts
 * const signed = signCookie('coupon', 'spring', { settings });
 * ```
 */
export function signCookie(key: string, value: string, options: CookieSignerOptions): string {
  return cookieSigner(options.settings.SIGNED_COOKIE_SALT_VERSION, key, options).sign(value);
}

/**
 * The value of the cookie `key` from its signed text.
 *
 * Cookies of salt version 2 are always read. Those of version 1 are read while SIGNED_COOKIE_LEGACY_SALT_FALLBACK is on or
 * SIGNED_COOKIE_SALT_VERSION is 1.
 *
 * ```ts
 * const coupon = unsignCookie('coupon', signed, { settings, max_age: 3600 });
 * ```
 *
 * @param options.max_age seconds; an older cookie is refused
 * @throws BadSignature, SignatureExpired
 */
export function unsignCookie(
  key: string,
  signed: string,
  options: CookieSignerOptions & { readonly max_age?: number | undefined },
): string {
  const { settings, max_age } = options;
  const legacy = settings.SIGNED_COOKIE_LEGACY_SALT_FALLBACK || settings.SIGNED_COOKIE_SALT_VERSION === 1;
  try {
    return cookieSigner(2, key, options).unsign(signed, { max_age });
  } catch (error) {
    if (!(error instanceof BadSignature) || error instanceof SignatureExpired || !legacy) throw error;
    return cookieSigner(1, key, options).unsign(signed, { max_age });
  }
}
