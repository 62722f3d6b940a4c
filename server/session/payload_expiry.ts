/** Finds out what a signed text itself says about its end, for engines that keep no `expire_date` beside it. */
import type { Clock } from '../clock.js';
import type { Settings } from '../settings.js';
import { parseJson } from '../signing/python_json.js';
import { SessionCodec, Unreadable } from './codec.js';
import { get_expiry_date } from './expiry.js';

export type PayloadSettings = Pick<
  Settings,
  | 'SECRET_KEY'
  | 'SECRET_KEY_FALLBACKS'
  | 'SESSION_COOKIE_AGE'
  | 'SESSION_KEY_SALT'
  | 'SESSION_MAX_BYTES'
  | 'SESSION_READ_LEGACY'
>;

/** The last moment that a Date can hold. */
const NEVER = new Date(8.64e15);

export class PayloadExpiry {
  readonly #codec: SessionCodec;
  readonly #cookieAge: number;

  constructor(settings: PayloadSettings, now: Clock) {
    // Whoever opens the text as a session reports a wrong signature; here it only means that nothing is known.
    this.#codec = new SessionCodec(settings, { now });
    this.#cookieAge = settings.SESSION_COOKIE_AGE;
  }

  /**
   * When a text that was written at `modification` (Unix seconds) ends: by its `_session_expiry`, or SESSION_COOKIE_AGE
   * later when it has none, or when its signature is wrong. Never, where the signature is right and the text cannot be
   * read here: Django may know a later end, so removing it is Django's.
   */
  date(session_data: string, modification: number): Date {
    const members = this.#codec.members(session_data);
    if (members instanceof Unreadable) return NEVER;
    const expiry = members?.get('_session_expiry');
    const value = expiry === undefined ? null : parseJson(expiry);
    return get_expiry_date(value, { cookieAge: this.#cookieAge, modification });
  }
}
