/** A dictionary without a row: what `atomic` gives to its callback. */
import type { Clock } from '../clock.js';
import { DOCUMENT, SessionDictionary } from './dictionary.js';
import type { Document, MemberTexts } from './document.js';
import type { ExpirySettings } from './expiry.js';

export class FreshDictionary extends SessionDictionary {
  readonly #document: Document;

  constructor(document: Document, settings: ExpirySettings, now: Clock) {
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
