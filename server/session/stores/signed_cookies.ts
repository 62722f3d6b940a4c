/**
 * Sessions in the visitor's cookie: the cookie's value is the signed session
 * (django.contrib.sessions.backends.signed_cookies).
 *
 * The server stores nothing, so it cannot revoke a session: a copy of a cookie from before a logout is valid until it is
 * SESSION_COOKIE_AGE old. Of two concurrent requests, the answer that the browser receives last wins.
 */
import type { Clock } from '../../clock.js';
import { markClasses } from '../../errors/copies.js';
import { ValueError } from '../../errors.js';
import { MAX_COOKIE_BYTES } from '../../http/cookie_size.js';
import { checkedClock, checkSettings } from '../../settings/given.js';
import type { Settings } from '../../settings.js';
import { splitTimestamp, TimestampSigner } from '../../signing/signer.js';
import { PayloadExpiry, type PayloadSettings } from '../payload_expiry.js';
import type { SessionChange, SessionRecord, SessionStore } from '../store.js';

/** The settings for the signature, the expiry and the size of the cookie. */
export type SignedCookiesSettings = PayloadSettings &
  Pick<Settings, 'SESSION_COOKIE_NAME' | 'SESSION_COOKIE_PATH' | 'SESSION_COOKIE_DOMAIN'>;

/** Django's salt. It differs from that of engine `db`, so that a row's session_data is no valid cookie, and vice versa. */
const SALT = 'django.contrib.sessions.backends.signed_cookies';

/** Bytes of the attributes `; expires=…; HttpOnly; Max-Age=…; Path=; SameSite=Strict; Secure; Domain=`. */
const ATTRIBUTES = 120;

/**
 * Stores the whole session in the visitor's cookie, signed but not encrypted. ENGINES.md lists its limits.
 *
 * ```ts
 * app.use(sessions(app, { settings, store: new SignedCookiesStore(settings) }));
 * ```
 */
export class SignedCookiesStore implements SessionStore {
  readonly key_salt = SALT;
  readonly serves = { SESSION_ENGINE: 'signed_cookies' } as const;
  readonly #signer: TimestampSigner;
  readonly #expiry: PayloadExpiry;
  readonly #settings: SignedCookiesSettings;
  readonly #now: Clock;

  /** @throws ImproperlyConfigured without settings */
  constructor(settings: SignedCookiesSettings, { now }: { readonly now?: Clock } = {}) {
    checkSettings('new SignedCookiesStore()', settings, 'SECRET_KEY', 'SECRET_KEY_FALLBACKS', 'SESSION_COOKIE_NAME');
    this.#settings = settings;
    this.#now = checkedClock(now);
    this.#signer = new TimestampSigner({
      key: settings.SECRET_KEY,
      fallback_keys: settings.SECRET_KEY_FALLBACKS,
      salt: SALT,
      now: this.#now,
    });
    this.#expiry = new PayloadExpiry({ ...settings, SESSION_KEY_SALT: SALT, SESSION_READ_LEGACY: false }, this.#now);
  }

  /**
   * The key itself, if its signature is valid and neither SESSION_COOKIE_AGE nor its own `_session_expiry` has passed.
   * Django ignores `_session_expiry` here (its ticket 19201).
   */
  async load(session_key: string): Promise<string | null> {
    const signed = this.#signedAt(session_key);
    if (signed === null) return null;
    if (this.#now() - signed > this.#settings.SESSION_COOKIE_AGE) return null;
    const expire_date = this.#expiry.date(session_key, signed);
    // >=, because the timestamp has whole seconds: the last second counts in full, as for SESSION_COOKIE_AGE.
    return expire_date.getTime() >= this.#now() * 1000 ? session_key : null;
  }

  /** The session of the visitor's cookie, also an expired one; null if the signature is wrong. */
  async stored(session_key: string): Promise<SessionChange | null> {
    const signedAt = this.#signedAt(session_key);
    if (signedAt === null) return null;
    return { session_data: session_key, expire_date: this.#expiry.date(session_key, signedAt) };
  }

  #signedAt(session_key: string): number | null {
    const verified = this.#signer.verify(session_key);
    const stamped = verified === null ? null : splitTimestamp(verified.value);
    return stamped === null ? null : Number(stamped.timestamp);
  }

  /** Always false, as in Django: the server stores nothing. */
  async exists(): Promise<boolean> {
    return false;
  }

  async create({ session_data }: SessionRecord): Promise<string> {
    return this.#checked(session_data);
  }

  /** Always writes: the server has no other copy to compare with. */
  async replace(_loaded: string, { session_data }: SessionRecord): Promise<string> {
    return this.#checked(session_data);
  }

  async modify(session_key: string, change: (session_data: string) => Promise<SessionChange>): Promise<string> {
    return this.#checked((await change(session_key)).session_data);
  }

  async cycle(session_key: string, change: (session_data: string) => Promise<SessionRecord>): Promise<string> {
    return this.#checked((await change(session_key)).session_data);
  }

  async delete(): Promise<void> {}

  async clear_expired(): Promise<number> {
    return 0;
  }

  /** The cookie's value. @throws ValueError when no browser would keep it */
  #checked(session_data: string): string {
    const { SESSION_COOKIE_NAME: name, SESSION_COOKIE_PATH: path, SESSION_COOKIE_DOMAIN: domain } = this.#settings;
    const bytes = name.length + 1 + session_data.length + ATTRIBUTES + path.length + (domain?.length ?? 0);
    if (bytes <= MAX_COOKIE_BYTES) return session_data;
    throw new ValueError(
      `The session takes ${bytes} bytes as a cookie, of which browsers keep ${MAX_COOKIE_BYTES}. Keep less in it, or use another SESSION_ENGINE.`,
    );
  }
}

markClasses({ SignedCookiesStore });
