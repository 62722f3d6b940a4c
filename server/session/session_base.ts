/** What a session can do without a row of its own (django.contrib.sessions.backends.base.SessionBase). */
import { systemClock } from '../clock.js';
import type { Deadline } from '../db/deadline.js';
import { printJson } from '../signing/python_json.js';
import { Unreadable } from './codec.js';
import { type Mapping, pairsOf, SessionDictionary } from './dictionary.js';
import { Document } from './document.js';
import { isStorable } from './key.js';
import type { SessionOptions } from './options.js';
import { readRow } from './row.js';
import type { DeclaredData } from './session_data.js';
import { DEADLINE } from './store.js';

/**
 * The methods of a session that concern no row, or any row.
 *
 * ```ts
 * const values = session.decode(session.encode({ visits: 1 })); // a Map
 * const isKept = await session.exists(session.session_key);
 * ```
 */
export abstract class SessionBase extends SessionDictionary<DeclaredData> {
  readonly #options: SessionOptions;

  constructor(options: SessionOptions) {
    super(options.settings, options.now ?? systemClock);
    this.#options = options;
  }

  /** The key in cookie and row; null while there is none. */
  abstract get session_key(): string | null;

  /** How long all waits for PostgreSQL and Redis may last together. Undefined: each call has a deadline of its own. */
  get [DEADLINE](): Deadline | undefined {
    return this.#options.deadline;
  }

  /** Whether a row has this key, expired or not; null and undefined are no key. */
  async exists(session_key: string | null | undefined): Promise<boolean> {
    if (typeof session_key !== 'string' || !isStorable(session_key)) return false;
    return this.#options.store.exists(session_key, this[DEADLINE]);
  }

  /** Remove expired rows from the store. @returns how many */
  clear_expired(): Promise<number> {
    return this.#options.store.clear_expired();
  }

  /** A dictionary → `session_data`, signed. */
  encode(session_dict: Mapping): string {
    return this.#options.codec.encode(printJson(new Map(pairsOf(session_dict))));
  }

  /** `session_data` → its dictionary; empty when the signature is wrong or the payload cannot be read. */
  decode(session_data: string): Map<string, unknown> {
    const texts = readRow(session_data, this.session_key, this.#options);
    const document = texts instanceof Unreadable ? Document.empty() : Document.fromTexts(texts);
    return new Map(document.keys().map((key) => [key, document.get(key)]));
  }
}
