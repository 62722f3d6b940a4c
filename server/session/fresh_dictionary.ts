/** A dictionary without a row: what `atomic` gives to its callback. */
import type { Clock } from '../clock.js';
import { ValueError } from '../errors.js';
import { DOCUMENT, SessionDictionary } from './dictionary.js';
import { Document, type MemberTexts } from './document.js';
import type { ExpirySettings } from './expiry.js';
import type { DeclaredData, SessionItems } from './session_data.js';

/** What `atomic` takes. */
export type FreshChange<T> = (fresh: SessionDictionary<DeclaredData> & SessionItems) => T | Promise<T>;

/** Its items, where item_access.ts wraps it as `atomic` does. */
export interface FreshDictionary extends SessionItems {}

// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: a class alone cannot have the members that an application declares
export class FreshDictionary extends SessionDictionary<DeclaredData> {
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
