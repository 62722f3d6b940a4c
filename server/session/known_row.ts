/** What a session knows of its row. */
import type { Deadline } from '../db/deadline.js';
import { ValueError } from '../errors.js';
import { Unreadable } from './codec.js';
import { Document } from './document.js';
import type { SessionOptions } from './options.js';
import { type Baseline, readRow } from './row.js';
import type { SessionStore } from './store.js';

/** The result of `store.load`, kept until the session's first access, which throws the error if there is one. */
type Loaded = { readonly session_data: string | null } | { readonly error: unknown };

export class KnownRow {
  session_key: string | null;
  /** The row's content when it was last read or written; absent without a row. */
  baseline: Baseline | undefined;
  /** Whether the row has a good signature and is unreadable. Then it is never written, and a save creates another. */
  isUnreadable = false;
  #loaded: Loaded | undefined;

  constructor(session_key: string | null) {
    this.session_key = session_key;
  }

  /** Read the text. Never rejects. */
  async load(store: SessionStore, session_key: string, deadline: Deadline | undefined): Promise<void> {
    try {
      this.#loaded = { session_data: await store.load(session_key, deadline) };
    } catch (error) {
      this.#loaded = { error };
    }
  }

  /**
   * The dictionary, at the first access. A missing or expired row drops the key. A row with a wrong signature gives an empty
   * dictionary and keeps the key, as in Django. An unreadable row does so until something is written: reading alone must not
   * cost the browser the cookie that Django can use.
   *
   * @throws what the store has thrown, and ValueError before `load`
   */
  open(options: SessionOptions): Document {
    if (this.session_key === null) return Document.empty();
    if (this.#loaded === undefined) throw new ValueError('Call `await session.load()` before using the session.');
    if ('error' in this.#loaded) throw this.#loaded.error;
    const { session_data } = this.#loaded;
    if (session_data === null) {
      options.observe?.('miss');
      this.session_key = null;
      return Document.empty();
    }
    const texts = readRow(session_data, this.session_key, options);
    if (texts instanceof Unreadable) {
      this.isUnreadable = true;
      return Document.empty();
    }
    this.baseline = { session_data, texts, written: undefined };
    return Document.fromTexts(texts);
  }

  /** Treat the row as one that was looked for in vain. */
  setMissing(): void {
    this.#loaded = { session_data: null };
  }

  get isMissing(): boolean {
    return this.#loaded !== undefined && 'session_data' in this.#loaded && this.#loaded.session_data === null;
  }

  /** Whether the key is the session itself (engine signed_cookies). */
  get isInCookie(): boolean {
    return this.baseline !== undefined && this.baseline.session_data === this.session_key;
  }
}
