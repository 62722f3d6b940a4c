/** A session's dictionary without a row behind it. */
import type { Clock } from '../clock.js';
import { type DictionarySettings, SessionDictionary } from './dictionary.js';
import type { Document, MemberTexts } from './document.js';

/** A dictionary on its own: what `atomic` hands out, and what a row's expiry is computed from. */
export class FreshDictionary extends SessionDictionary {
  readonly #document: Document;

  constructor(document: Document, settings: DictionarySettings, now: Clock) {
    super(settings, now);
    this.#document = document;
  }

  protected override get document(): Document {
    this.accessed = true;
    return this.#document;
  }

  texts(): MemberTexts {
    return this.#document.texts();
  }
}
