/** The writes of one session that are under way at a time, such as an `atomic` beside a `cycle_key`. */
import type { Document, MemberTexts } from './document.js';
import { mergeMembers, mergeTexts } from './merge.js';
import { Waiters } from './waiters.js';

export interface Write {
  /** The row as the session knows it before this write. */
  base: MemberTexts;
  /** What the write has of the session: `base` for an `atomic`, which sends none of its changes. */
  sent: MemberTexts;
}

/**
 * Tells what a request has changed since a write began from what writes that ended meanwhile have brought: the first stays in
 * the dictionary, unsaved; the second is in the row already.
 */
export class WritesUnderway {
  readonly #writes = new Set<Write>();
  readonly #over = new Waiters();

  async run<T>(base: MemberTexts, sent: MemberTexts, work: (write: Write) => Promise<T>): Promise<T> {
    const write = { base, sent };
    this.#writes.add(write);
    try {
      return await work(write);
    } finally {
      this.#writes.delete(write);
      if (this.#writes.size === 0) this.#over.wake();
    }
  }

  /** Resolves when none is under way. */
  async over(): Promise<void> {
    while (this.#writes.size > 0) await this.#over.wait();
  }

  /** Whether the write is under way, and was not forgotten by a flush or a new key. */
  has(write: Write): boolean {
    return this.#writes.has(write);
  }

  /**
   * The dictionary after a write that made the row `written`.
   * @throws UpdateError when this request and another one have changed who is logged in
   */
  joined(write: Write, document: Document, written: MemberTexts): Document {
    if (!this.#writes.has(write)) return document;
    for (const other of this.#writes) {
      if (other === write) continue;
      other.sent = mergeTexts(write.base, other.sent, written);
      other.base = written;
    }
    if (write.sent === written) return document;
    return document.withTexts(mergeMembers(write.sent, document.texts(), written));
  }

  /** Their results do not belong to the session any more. */
  forgetAll(): void {
    this.#writes.clear();
    this.#over.wake();
  }
}
