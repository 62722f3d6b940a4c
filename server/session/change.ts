/** Computes what a save writes: the row's text and expire_date, and the cookie's Max-Age. */
import type { Clock } from '../clock.js';
import { joinMembers, parseMember } from '../signing/python_json.js';
import type { SessionCodec } from './codec.js';
import { EXPIRY } from './dictionary.js';
import type { MemberTexts } from './document.js';
import {
  type ExpirySettings,
  expiryContext,
  get_expire_at_browser_close,
  get_expiry_age,
  get_expiry_date,
} from './expiry.js';
import type { SessionChange } from './store.js';

/** The expiry that a save wrote into the row, for the cookie to have the same. */
export interface SavedExpiry {
  readonly expire_date: Date;
  /** The cookie's Max-Age in seconds; null for a cookie that ends with the browser. */
  readonly max_age: number | null;
}

/** What a save is about to write. */
export interface Change extends SessionChange, SavedExpiry {
  readonly texts: MemberTexts;
  /** Whether `_session_expiry` could not be read, so that SESSION_COOKIE_AGE was used. */
  readonly hasBadExpiry: boolean;
}

type End = Omit<Change, 'texts' | 'session_data'>;

export const BAD_EXPIRY =
  'Session expiry cannot be read: what lies under _session_expiry is no expiry, so the session ends with the browser.';

/** What a save at this moment writes for these members. */
export function changeOf(texts: MemberTexts, codec: SessionCodec, settings: ExpirySettings, now: Clock): Change {
  return { texts, session_data: codec.encode(joinMembers(texts)), ...endOf(texts.get(EXPIRY), settings, now()) };
}

/** When a session ends that is saved at `modification` with this text under `_session_expiry`. */
function endOf(text: string | undefined, settings: ExpirySettings, modification: number): End {
  const stored = text === undefined ? null : parseMember(text);
  const context = expiryContext(settings, modification);
  const endsWithBrowser = get_expire_at_browser_close(stored, settings.SESSION_EXPIRE_AT_BROWSER_CLOSE, context);
  const hasBadExpiry = endsWithBrowser && stored !== null && stored !== 0 && stored !== false;
  const age = get_expiry_age(stored, context);
  return {
    expire_date: get_expiry_date(stored, context),
    // A text is a date, unless it cannot be read.
    lifetime: typeof stored === 'string' && !hasBadExpiry ? undefined : age,
    hasBadExpiry,
    max_age: endsWithBrowser ? null : age,
  };
}
