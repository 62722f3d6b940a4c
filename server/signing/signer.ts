/** Signed texts, `value:signature` and `value:time:signature` (django.core.signing.Signer and TimestampSigner). */
import type { Clock } from '../clock.js';
import { BadSignature, ImproperlyConfigured, SignatureExpired, ValueError } from '../errors.js';
import { checkedClock, checkSpelling } from '../settings/given.js';
import { b62_decode, b62_encode } from './base62.js';
import { constant_time_compare, type HashAlgorithm, isWellFormed, type SigningKey, saltedKey } from './crypto.js';
import { HmacKey } from './hmac.js';
import { pack, unpack } from './payload.js';
import { parseJson, printJson } from './python_json.js';

/** Keys and salt of a `Signer`. */
export interface SignerOptions {
  /** The key that signs, SECRET_KEY in Django. */
  readonly key: SigningKey;
  /** Separates value and signature; must hold a character that base64 does not use. */
  readonly sep?: string;
  /** The purpose: a signature with one salt is invalid with another. */
  readonly salt?: string;
  /** `sha1` for texts of Django before 3.1. */
  readonly algorithm?: HashAlgorithm;
  /** Keys that verify and never sign, newest first. */
  readonly fallback_keys?: readonly SigningKey[];
}

/** A text whose signature is right. */
export interface Verified {
  readonly value: string;
  /** Which key signed it: -1 for the current one, otherwise the index in `fallback_keys`. */
  readonly fallback: number;
}

/** Limits of `unsign_object`. */
export interface UnsignObjectOptions {
  /** Seconds; an older text is refused. `Signer` ignores it, because it signs no time. */
  readonly max_age?: number | undefined;
  /** The most bytes that the JSON text may have; 4 MiB when absent. */
  readonly maxBytes?: number | undefined;
}

const NO_KEY = 'A Signer needs `key`: your SECRET_KEY.';
const NO_TEXT = 'A Signer signs texts; `sign_object` signs other values.';
const NO_FALLBACKS = '`fallback_keys` of a Signer is a list of keys, your SECRET_KEY_FALLBACKS.';
// Django's _SEP_UNSAFE. Its "A-z" also matches [ \ ] ^ and the backtick.
const UNSAFE_SEPARATOR = /^[A-z0-9\-_=]*$/;

const isKey = (key: unknown): boolean => (typeof key === 'string' || key instanceof Uint8Array) && key.length > 0;

/** A comparison with NaN or an object is always false, so such a limit would never be exceeded. @throws ValueError */
function checkLimits(options: { readonly max_age?: unknown; readonly maxBytes?: unknown }): void {
  if (typeof options !== 'object' || options === null) {
    throw new ValueError('The limits of a signed text are an object: { max_age: 60 }.');
  }
  // The spelling of many libraries: no age would be checked.
  if ('maxAge' in options) throw new ValueError('The limit is `max_age`, in seconds.');
  for (const name of ['max_age', 'maxBytes'] as const) {
    if (options[name] === undefined || Number.isFinite(options[name])) continue;
    throw new ValueError(`\`${name}\` is a number${name === 'max_age' ? ' of seconds' : ''}.`);
  }
}

/**
 * Signs texts and verifies them. `new Signer({ key }).sign('a')` is `a:` and 43 characters.
 *
 * ```ts
 * const signer = new Signer({ key: settings.SECRET_KEY, salt: 'newsletter' });
 * const address = signer.unsign(signer.sign('ann@example.com')); // throws BadSignature for what was not signed here
 * ```
 *
 * @throws ValueError for a separator that could be part of a signature; ImproperlyConfigured without a key, and for an empty one
 */
export class Signer {
  readonly sep: string;
  readonly salt: string;
  readonly #algorithm: HashAlgorithm;
  readonly #keys: readonly HmacKey[];

  constructor(options: SignerOptions) {
    const { key, sep = ':', algorithm = 'sha256', fallback_keys = [] } = options ?? {};
    if (!isKey(key)) throw new ImproperlyConfigured(NO_KEY);
    checkSpelling('A Signer', options, ['key', 'salt', 'sep', 'algorithm', 'fallback_keys']);
    // The characters of a text would be keys.
    if (!Array.isArray(fallback_keys) || !fallback_keys.every(isKey)) throw new ImproperlyConfigured(NO_FALLBACKS);
    if (UNSAFE_SEPARATOR.test(sep)) {
      throw new ValueError(
        `Unsafe Signer separator: ${JSON.stringify(sep)} (cannot be empty or consist of only A-z0-9-_=)`,
      );
    }
    this.sep = sep;
    this.salt = options.salt ?? this.defaultSalt();
    // Any two objects would be the same salt.
    if (typeof this.salt !== 'string') throw new ValueError('The salt of a Signer is a text.');
    this.#algorithm = algorithm;
    this.#keys = [key, ...fallback_keys].map((secret) => this.#derive(secret));
  }

  /** The salt when none is given: the class's name in Django. */
  protected defaultSalt(): string {
    return 'django.core.signing.Signer';
  }

  #derive(secret: SigningKey): HmacKey {
    return new HmacKey(saltedKey(`${this.salt}signer`, secret, this.#algorithm).export(), this.#algorithm);
  }

  /** The signature alone, made with the signer's key or with `key`. */
  signature(value: string, key?: SigningKey): string {
    const derived = key === undefined ? this.#keys[0] : this.#derive(key);
    if (derived === undefined) throw new ValueError('The signer has no key.');
    if (typeof value !== 'string') throw new ValueError(NO_TEXT);
    if (!isWellFormed(value)) throw new ValueError('A text with half a surrogate pair cannot be signed.');
    return derived.sign(value);
  }

  /** `value` → `value:signature`. @throws ValueError for a text with half a surrogate pair */
  sign(value: string): string {
    const signature = this.signature(value);
    return `${value}${this.sep}${signature}`;
  }

  /** As `unsign`, but returns null when no key made the signature. Compares signatures in constant time. */
  verify(signed: string): Verified | null {
    // A visitor may send no text, or several.
    if (typeof signed !== 'string') return null;
    const end = signed.lastIndexOf(this.sep);
    if (end < 0) return null;
    const value = signed.slice(0, end);
    const signature = signed.slice(end + this.sep.length);
    if (!isWellFormed(value)) return null;
    const place = this.#keys.findIndex((key) => constant_time_compare(signature, key.sign(value)));
    return place < 0 ? null : { value, fallback: place - 1 };
  }

  /** `value:signature` → `value`. @throws BadSignature */
  unsign(signed: string): string {
    const verified = this.verify(signed);
    if (verified !== null) return verified.value;
    if (typeof signed !== 'string') throw new BadSignature('The signed value is no text');
    if (!signed.includes(this.sep)) throw new BadSignature(`No "${this.sep}" found in value`);
    const signature = signed.slice(signed.lastIndexOf(this.sep) + this.sep.length);
    throw new BadSignature(`Signature "${signature}" does not match`);
  }

  /** A JSON value → signed text that is safe in a URL. `compress` compresses it where that is shorter. */
  sign_object(obj: unknown, { compress = false }: { readonly compress?: boolean } = {}): string {
    return this.sign(pack(printJson(obj), compress));
  }

  /**
   * Signed text of `sign_object` → the JSON value.
   * @throws BadSignature, and SignatureExpired from a TimestampSigner
   * @throws ValueError when what was signed is no packed JSON, or larger than `maxBytes`
   */
  unsign_object(signed: string, options: UnsignObjectOptions = {}): unknown {
    checkLimits(options);
    return parseJson(unpack(this.unsign(signed), options.maxBytes));
  }
}

/**
 * A Signer that also signs the time: `value:time:signature`, Unix seconds in base 62.
 *
 * ```ts
 * const signer = new TimestampSigner({ key: settings.SECRET_KEY, salt: 'reset' });
 * const link = signer.sign(username);
 * signer.unsign(link, { max_age: 3600 }); // SignatureExpired after an hour
 * ```
 */
export class TimestampSigner extends Signer {
  readonly #now: Clock;

  constructor(options: SignerOptions & { readonly now?: Clock }) {
    super(options);
    this.#now = checkedClock(options.now);
  }

  protected override defaultSalt(): string {
    return 'django.core.signing.TimestampSigner';
  }

  /** The present time in base 62. */
  timestamp(): string {
    return b62_encode(Math.trunc(this.#now()));
  }

  override sign(value: string): string {
    if (typeof value !== 'string') throw new ValueError(NO_TEXT);
    return super.sign(`${value}${this.sep}${this.timestamp()}`);
  }

  /**
   * `value:time:signature` → `value`.
   *
   * @param options.max_age seconds; any age is accepted without it
   * @throws BadSignature; also for a signed text without a readable time, where Django raises ValueError
   * @throws ValueError for a `max_age` that is no number
   * @throws SignatureExpired when it was signed longer ago than `max_age`
   */
  override unsign(signed: string, options: { readonly max_age?: number | undefined } = {}): string {
    checkLimits(options);
    const { max_age } = options;
    const stamped = super.unsign(signed);
    const parts = splitTimestamp(stamped, this.sep);
    if (parts === null) throw new BadSignature('The signed value has no timestamp');
    if (max_age !== undefined) {
      const age = this.#now() - Number(parts.timestamp);
      if (age > max_age) throw new SignatureExpired(`Signature age ${printJson(age)} > ${max_age} seconds`);
    }
    return parts.value;
  }

  override unsign_object(signed: string, options: UnsignObjectOptions = {}): unknown {
    return parseJson(unpack(this.unsign(signed, options), options.maxBytes));
  }
}

/** `value:time` → its parts; null when it does not end in a time in base 62. */
export function splitTimestamp(
  stamped: string,
  sep = ':',
): { readonly value: string; readonly timestamp: number | bigint } | null {
  const end = stamped.lastIndexOf(sep);
  if (end < 0) return null;
  try {
    return { value: stamped.slice(0, end), timestamp: b62_decode(stamped.slice(end + sep.length)) };
  } catch {
    return null;
  }
}
