/**
 * `session_data`, the signed text of a session in its row (SessionBase.encode and decode):
 *
 *     eyJmb28iOiJiYXIifQ:1vb66i:FZyO6WHab44PzBNgRfllLfQAAfZoRDykrU5AhEwqF0E
 *     {"foo":"bar"}      time   signature of the text before it
 *
 * A leading dot says that the JSON was compressed. Before Django 3.1 it was `base64(hex signature:JSON)`.
 */
import { type Clock, systemClock } from '../clock.js';
import { ValueError } from '../errors.js';
import type { Settings } from '../settings.js';
import { constant_time_compare, type SigningKey, salted_hmac } from '../signing/crypto.js';
import { splitBytes } from '../signing/members.js';
import { pack, tooLarge, unpackBytes } from '../signing/payload.js';
import { splitTimestamp, TimestampSigner } from '../signing/signer.js';
import type { MemberTexts } from './document.js';

/** The settings that session_data depends on. Keys may be bytes, as in Django. */
export interface CodecSettings
  extends Pick<Settings, 'SESSION_KEY_SALT' | 'SESSION_READ_LEGACY' | 'SESSION_MAX_BYTES'> {
  readonly SECRET_KEY: SigningKey;
  readonly SECRET_KEY_FALLBACKS: readonly SigningKey[];
}

/** Options of SessionCodec. */
export interface CodecOptions {
  readonly now?: Clock;
  /** Called for each text with a wrong signature, and by `report`. The message contains no part of the text. */
  readonly onSuspicious?: OnSuspicious;
}

/**
 * Called for a text with a wrong signature.
 * @param session_key the argument of `members`
 */
export type OnSuspicious = (message: string, session_key: string | null) => void;

/** The result of `SessionCodec.verify`. */
export interface Verification {
  /** The key that signed the text: SECRET_KEY, the index of a fallback, or null for an unknown one. */
  readonly key: 'current' | number | null;
  /** Whether it has the format of Django before 3.1. False if no key matches. */
  readonly legacy: boolean;
}

/**
 * A text with a good signature that cannot be read here as a session. Its row must not be overwritten.
 *
 * ```ts
 * const members = new SessionCodec(settings).members(text);
 * if (members instanceof Unreadable) console.warn(members.reason);
 * ```
 */
export class Unreadable {
  /** A sentence with the reason; it contains no part of the text. */
  readonly reason: string;

  constructor(reason: string) {
    this.reason = reason;
  }
}

/** Django's own words, under the logger django.security.SuspiciousSession. */
const CORRUPTED = 'Session data corrupted';

const LEGACY_SALT = 'django.contrib.sessions';

interface Opened extends Verification {
  /** The signed text: `payload:time`, or the JSON itself in the older format. */
  readonly signed: string;
}

/**
 * Signs and verifies session_data. Keys are derived once, in the constructor.
 *
 * ```ts
 * const codec = new SessionCodec(settings);
 * const session_data = codec.encode('{"cart":[7]}'); // what a row holds
 * ```
 */
export class SessionCodec {
  readonly #settings: CodecSettings;
  readonly #signer: TimestampSigner;
  readonly #onSuspicious: OnSuspicious;

  constructor(settings: CodecSettings, { now = systemClock, onSuspicious }: CodecOptions = {}) {
    this.#settings = settings;
    this.#onSuspicious = onSuspicious ?? (() => {});
    this.#signer = new TimestampSigner({
      key: settings.SECRET_KEY,
      fallback_keys: settings.SECRET_KEY_FALLBACKS,
      salt: settings.SESSION_KEY_SALT,
      now,
    });
  }

  /**
   * The session_data of a JSON text, signed with SECRET_KEY and the current time.
   * @throws ValueError over SESSION_MAX_BYTES, because it could not be read again
   */
  encode(json: string): string {
    const { SESSION_MAX_BYTES } = this.#settings;
    if (json.length > SESSION_MAX_BYTES) {
      throw new ValueError(
        `The session has ${json.length} bytes, and SESSION_MAX_BYTES is ${SESSION_MAX_BYTES}. Keep large things elsewhere and their keys in the session.`,
      );
    }
    return this.#signer.sign(pack(json, true));
  }

  /**
   * The signed text of a session_data, not parsed: it may be no object, or no JSON.
   *
   * Null for a wrong signature, which is reported to `onSuspicious`. Also null, without a report, for a text that cannot be
   * unpacked or exceeds SESSION_MAX_BYTES. Never throws.
   */
  decode(session_data: string): string | null {
    const bytes = this.#bytes(session_data, null);
    return bytes === null || bytes instanceof Unreadable ? null : bytes.toString('latin1');
  }

  /**
   * The members' JSON texts by key. Null for a wrong signature, as `decode`. Unreadable, without a report, if the signature
   * is right and the text exceeds SESSION_MAX_BYTES, cannot be unpacked, or is no JSON object within MAX_DEPTH levels.
   *
   * @param session_key of the text, only for `onSuspicious`
   */
  members(session_data: string, session_key: string | null = null): MemberTexts | Unreadable | null {
    const bytes = this.#bytes(session_data, session_key);
    if (bytes === null || bytes instanceof Unreadable) return bytes;
    return membersOf(bytes);
  }

  /** Calls `onSuspicious` for an unreadable row or expiry. */
  report(message: string, session_key: string | null): void {
    this.#onSuspicious(message, session_key);
  }

  /** The signed bytes; null for a wrong signature. */
  #bytes(session_data: string, session_key: string | null): Buffer | Unreadable | null {
    const opened = this.#open(session_data);
    if (opened.key === null) {
      this.#onSuspicious(CORRUPTED, session_key);
      return null;
    }
    const { SESSION_MAX_BYTES } = this.#settings;
    if (opened.legacy) {
      if (opened.signed.length > SESSION_MAX_BYTES) return new Unreadable(tooLarge(SESSION_MAX_BYTES));
      return Buffer.from(opened.signed, 'latin1');
    }
    const stamped = splitTimestamp(opened.signed);
    if (stamped === null) return new Unreadable('It has no time.');
    try {
      return unpackBytes(stamped.value, SESSION_MAX_BYTES);
    } catch (error) {
      return unreadable(error);
    }
  }

  /**
   * When session_data was signed, Unix seconds. Read from the text, so call it only with a verified one. Null in the format
   * of Django before 3.1, which has no time.
   */
  signedAt(session_data: string): number | null {
    const signed = session_data.slice(0, Math.max(0, session_data.lastIndexOf(':')));
    const stamped = splitTimestamp(signed);
    return stamped === null ? null : Number(stamped.timestamp);
  }

  /** The key that signed the text, and its format, for tools. Reports nothing. */
  verify(session_data: string): Verification {
    const { key, legacy } = this.#open(session_data);
    return { key, legacy };
  }

  #open(session_data: string): Opened {
    const verified = this.#signer.verify(session_data);
    if (verified !== null) return { key: keyName(verified.fallback), legacy: false, signed: verified.value };
    const legacy = this.#settings.SESSION_READ_LEGACY ? this.#openLegacy(session_data) : null;
    return legacy ?? { key: null, legacy: false, signed: '' };
  }

  /** `base64(hex:JSON)`; hex is HMAC-SHA1 with a salt without a dot (Django 3.2, SessionBase._legacy_decode). */
  #openLegacy(session_data: string): Opened | null {
    const data = Buffer.from(session_data, 'base64');
    // Several base64 texts have the same bytes; only Django's is accepted.
    if (data.toString('base64') !== session_data) return null;
    const text = data.toString('latin1');
    const colon = text.indexOf(':');
    if (colon < 0) return null;
    const signature = text.slice(0, colon);
    const signed = text.slice(colon + 1);
    const { SECRET_KEY, SECRET_KEY_FALLBACKS, SESSION_KEY_SALT } = this.#settings;
    const salt = LEGACY_SALT + SESSION_KEY_SALT.slice(SESSION_KEY_SALT.lastIndexOf('.') + 1);
    const place = [SECRET_KEY, ...SECRET_KEY_FALLBACKS].findIndex((key) =>
      constant_time_compare(signature, salted_hmac(salt, Buffer.from(signed, 'latin1'), key, 'sha1').digest('hex')),
    );
    return place < 0 ? null : { key: keyName(place - 1), legacy: true, signed };
  }
}

function membersOf(json: Buffer): MemberTexts | Unreadable {
  try {
    return splitBytes(json) ?? new Unreadable('It holds no dictionary.');
  } catch (error) {
    return unreadable(error);
  }
}

/** The messages of signing's errors contain positions and limits, no part of the text. */
function unreadable(error: unknown): Unreadable {
  if (error instanceof ValueError) return new Unreadable(error.message);
  throw error;
}

const keyName = (fallback: number): 'current' | number => (fallback < 0 ? 'current' : fallback);
