/** A dictionary without a row: what `atomic` gives to its callback. */
import type { Clock } from '../clock.js';
import { DOCUMENT, SessionDictionary } from './dictionary.js';
import { Document, type MemberTexts } from './document.js';
import type { ExpirySettings } from './expiry.js';
import type { DeclaredData } from './session_data.js';

/** What `atomic` takes. */
export type FreshChange<T> = (fresh: SessionDictionary<DeclaredData>) => T | Promise<T>;

export class FreshDictionary extends SessionDictionary {
  readonly #document: Document;

  constructor(texts: MemberTexts, settings: ExpirySettings, now: Clock) {
    super(settings, now);
    this.#document = Document.fromTexts(texts);
    // `fresh['n'] = 1` would set a property of this object, and no key.
    Object.preventExtensions(this);
  }

  protected override get [DOCUMENT](): Document {
    this.accessed = true;
    return this.#document;
  }

  texts(): MemberTexts {
    return this.#document.texts();
  }
}
