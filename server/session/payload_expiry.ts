/** The expiry in a signed text, for engines that store no `expire_date`. */
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

/** The latest possible Date. */
const NEVER = new Date(8.64e15);

export class PayloadExpiry {
  readonly #codec: SessionCodec;
  readonly #cookieAge: number;

  constructor(settings: PayloadSettings, now: Clock) {
    // Not reported here: reading the session reports a wrong signature.
    this.#codec = new SessionCodec(settings, { now });
    this.#cookieAge = settings.SESSION_COOKIE_AGE;
  }

  /**
   * The expiry of a text written at `modification` (Unix seconds): by its `_session_expiry`, or SESSION_COOKIE_AGE later if it
   * has none or a wrong signature. An unreadable text with a good signature never expires here, because Django may be able to
   * read a later expiry.
   */
  date(session_data: string, modification: number): Date {
    const members = this.#codec.members(session_data);
    if (members instanceof Unreadable) return NEVER;
    const expiry = members?.get('_session_expiry');
    const value = expiry === undefined ? null : parseJson(expiry);
    return get_expiry_date(value, { cookieAge: this.#cookieAge, modification });
  }
}
