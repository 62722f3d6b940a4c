/** A dictionary without a row: what `atomic` gives to its callback. */
import { type Clock, systemClock } from '../clock.js';
import { ValueError } from '../errors.js';
import { DOCUMENT, SessionDictionary } from './dictionary.js';
import { Document, type MemberTexts } from './document.js';
import type { ExpirySettings } from './expiry.js';
import { withItemAccess } from './item_access.js';
import type { SessionOptions } from './options.js';
import type { DeclaredData, SessionItems } from './session_data.js';
import type { WriteLock } from './write_lock.js';

/** What `atomic` takes. */
export type FreshChange<T> = (fresh: SessionDictionary<DeclaredData> & SessionItems) => T | Promise<T>;

class FreshDictionary extends SessionDictionary<DeclaredData> {
  #document: Document;
  #isOver = false;

  constructor(texts: MemberTexts, settings: ExpirySettings, now: Clock) {
    super(settings, now);
    this.#document = Document.fromTexts(texts);
  }

  /** @throws ValueError after the function of `atomic`: what is set then would be lost */
  protected override get [DOCUMENT](): Document {
    if (this.#isOver) throw new ValueError('`atomic` is over. Its dictionary is there only while its function runs.');
    this.accessed = true;
    return this.#document;
  }

  clear(): void {
    if (this[DOCUMENT].size > 0) this.#document = Document.empty();
    this.modified = true;
  }

  /** The function has returned. @returns the members that it has left */
  end(): MemberTexts {
    const texts = this[DOCUMENT].texts();
    this.#isOver = true;
    return texts;
  }
}

/** Runs the function of `atomic` on a dictionary of these members. @param lock the session's. @returns what it leaves, and its result */
export async function changed<T>(
  texts: MemberTexts,
  change: FreshChange<T>,
  { settings, now = systemClock }: Pick<SessionOptions, 'settings' | 'now'>,
  lock: WriteLock,
): Promise<{ readonly fresh: MemberTexts; readonly result: T }> {
  const fresh = new FreshDictionary(texts, settings, now);
  const result = await lock.runInside(async () => change(withItemAccess(fresh as FreshDictionary & SessionItems)));
  return { fresh: fresh.end(), result };
}
