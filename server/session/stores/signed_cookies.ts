/**
 * Sessions in the visitor's cookie, as Django's engine `signed_cookies` has them: the cookie's value is the session,
 * signed (django.contrib.sessions.backends.signed_cookies).
 *
 * Nothing is kept on the server, so it cannot take anything back: a copy of a cookie from before a logout is good until
 * it is SESSION_COOKIE_AGE old, and of two requests at once the browser keeps what the later answer says.
 */
import { type Clock, systemClock } from '../../clock.js';
import { ValueError } from '../../errors.js';
import { MAX_COOKIE_BYTES } from '../../http/cookie_size.js';
import type { Settings } from '../../settings.js';
import { splitTimestamp, TimestampSigner } from '../../signing/signer.js';
import { PayloadExpiry, type PayloadSettings } from '../payload_expiry.js';
import type { SessionChange, SessionRecord, SessionStore } from '../store.js';

/** The settings that sign and bound the cookie. */
export type SignedCookiesSettings = PayloadSettings &
  Pick<Settings, 'SESSION_COOKIE_NAME' | 'SESSION_COOKIE_PATH' | 'SESSION_COOKIE_DOMAIN'>;

/** Django's salt: no session_data of a table is ever taken for a cookie, and the other way round. */
const SALT = 'django.contrib.sessions.backends.signed_cookies';

/** Bytes of `; expires=…; HttpOnly; Max-Age=…; Path=; SameSite=Strict; Secure; Domain=` without path and domain. */
const ATTRIBUTES = 120;

/**
 * Keeps the whole session in the visitor's cookie, signed and readable. What it cannot promise stands in ENGINES.md.
 *
 * ```ts
 * app.use(sessions(app, { settings, store: new SignedCookiesStore(settings) }));
 * ```
 */
export class SignedCookiesStore implements SessionStore {
  readonly key_salt = SALT;
  readonly #signer: TimestampSigner;
  readonly #expiry: PayloadExpiry;
  readonly #settings: SignedCookiesSettings;
  readonly #now: Clock;

  constructor(settings: SignedCookiesSettings, { now = systemClock }: { readonly now?: Clock } = {}) {
    this.#settings = settings;
    this.#now = now;
    this.#signer = new TimestampSigner({
      key: settings.SECRET_KEY,
      fallback_keys: settings.SECRET_KEY_FALLBACKS,
      salt: SALT,
      now,
    });
    this.#expiry = new PayloadExpiry({ ...settings, SESSION_KEY_SALT: SALT, SESSION_READ_LEGACY: false }, now);
  }

  /**
   * The key itself, if it is ours and neither older than SESSION_COOKIE_AGE nor than its own `_session_expiry` says.
   * Django does not look at the latter (its ticket 19201).
   */
  async load(session_key: string): Promise<string | null> {
    const signed = this.#signedAt(session_key);
    if (signed === null) return null;
    if (this.#now() - signed > this.#settings.SESSION_COOKIE_AGE) return null;
    const expire_date = this.#expiry.date(session_key, signed);
    // Signed at a whole second, so the last one counts to its end, as it does for SESSION_COOKIE_AGE.
    return expire_date.getTime() >= this.#now() * 1000 ? session_key : null;
  }

  /** What the visitor brought, unless its signature is wrong. */
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

  /** Never, as in Django: there is no place to look. */
  async exists(): Promise<boolean> {
    return false;
  }

  async create({ session_data }: SessionRecord): Promise<string> {
    return this.#checked(session_data);
  }

  /** Always done: what the visitor brought is the only copy there is. */
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
