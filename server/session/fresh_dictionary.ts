/** A dictionary without a row: what `atomic` gives to its callback. */
import { type Clock, systemClock } from '../clock.js';
import { changeBound, Deadline, inTime, tookLong } from '../db/deadline.js';
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

  texts(): MemberTexts {
    return this.#document.texts();
  }

  /** The function has returned, or thrown. */
  end(): void {
    this.#isOver = true;
  }
}

/** What the function of `atomic` leaves, and its result. */
export interface Changed<T> {
  readonly fresh: MemberTexts;
  readonly result: T;
}

/** Runs the function of `atomic` on a dictionary of these members. @param lock the session's */
export async function changed<T>(
  texts: MemberTexts,
  change: FreshChange<T>,
  { settings, now = systemClock }: Pick<SessionOptions, 'settings' | 'now'>,
  lock: WriteLock,
): Promise<Changed<T>> {
  const fresh = new FreshDictionary(texts, settings, now);
  try {
    const result = await lock.runInside(async () => change(withItemAccess(fresh as FreshDictionary & SessionItems)));
    return { fresh: fresh.texts(), result };
  } finally {
    fresh.end();
  }
}

/** The same where no store bounds the time. @throws StoreUnavailable when the function takes too long */
export function changedInTime<T>(
  texts: MemberTexts,
  change: FreshChange<T>,
  options: Pick<SessionOptions, 'settings' | 'now'>,
  lock: WriteLock,
  ofRequest: Deadline | undefined,
): Promise<Changed<T>> {
  const own = new Deadline(changeBound(ofRequest));
  return inTime(changed(texts, change, options, lock), own, tookLong(own));
}
