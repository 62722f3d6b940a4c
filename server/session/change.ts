/** What a save is about to write: a row's text and end, and the end that its cookie prints. */
import type { Clock } from '../clock.js';
import { joinMembers } from '../signing/python_json.js';
import type { SessionCodec } from './codec.js';
import { type DictionarySettings, DOCUMENT, EXPIRY, SessionDictionary } from './dictionary.js';
import { Document, type MemberTexts } from './document.js';
import type { SessionChange } from './store.js';

/** What a save wrote, so that row and cookie agree. */
export interface SavedExpiry {
  readonly expire_date: Date;
  /** The cookie's Max-Age in seconds; null for a cookie that ends with the browser. */
  readonly max_age: number | null;
}

/** What is about to be written, with the members' texts that it holds. */
export interface Change extends SessionChange, SavedExpiry {
  readonly texts: MemberTexts;
  /** Whether `_session_expiry` says something else than an end, so that this one is the settings'. */
  readonly hasBadExpiry: boolean;
}

export const BAD_EXPIRY =
  'Session expiry cannot be read: what lies under _session_expiry is no expiry, so the session ends with the browser.';

/** These members as a row that is written now. */
export function changeOf(texts: MemberTexts, codec: SessionCodec, settings: DictionarySettings, now: Clock): Change {
  const view = new FreshDictionary(Document.fromTexts(texts), settings, now);
  const modification = now();
  const stored = view.get(EXPIRY);
  const endsWithBrowser = view.get_expire_at_browser_close();
  const hasBadExpiry = endsWithBrowser && stored !== null && stored !== 0 && stored !== false;
  const age = view.get_expiry_age({ modification });
  return {
    texts,
    session_data: codec.encode(joinMembers(texts)),
    expire_date: view.get_expiry_date({ modification }),
    // A text is a date, unless it is none.
    lifetime: typeof stored === 'string' && !hasBadExpiry ? undefined : age,
    hasBadExpiry,
    max_age: endsWithBrowser ? null : age,
  };
}

/** A dictionary on its own: what `atomic` hands out, and what the expiry of a row is computed from. */
export class FreshDictionary extends SessionDictionary {
  readonly #document: Document;

  constructor(document: Document, settings: DictionarySettings, now: Clock) {
    super(settings, now);
    this.#document = document;
  }

  protected override get [DOCUMENT](): Document {
    this.accessed = true;
    return this.#document;
  }

  texts(): MemberTexts {
    return this.#document.texts();
  }
}
