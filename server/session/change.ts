/** What a save writes, made of a dictionary's members. */
import type { Clock } from '../clock.js';
import { join_members } from '../signing/python_json.js';
import type { SessionCodec } from './codec.js';
import type { DictionarySettings } from './dictionary.js';
import { Document, type MemberTexts } from './document.js';
import { FreshDictionary } from './fresh_dictionary.js';
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
}

/** The signed text of these members, and when a row that is written now expires. */
export function changeTo(texts: MemberTexts, codec: SessionCodec, settings: DictionarySettings, now: Clock): Change {
  const view = new FreshDictionary(Document.fromTexts(texts), settings, now);
  const modification = now();
  return {
    texts,
    session_data: codec.encode(join_members(texts)),
    expire_date: view.get_expiry_date({ modification }),
    max_age: view.get_expire_at_browser_close() ? null : view.get_expiry_age({ modification }),
  };
}
