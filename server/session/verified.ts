/** A cache of verified texts: one that is read again is not verified, inflated and split again. */
import { type SessionCodec, Unreadable } from './codec.js';
import type { MemberTexts } from './document.js';

/** Characters at the signature's end that an entry is found by: enough to be unique, and few to hash. */
const TAIL = 16;

/** Slots of the table of texts that were seen once; a power of two. */
const SEEN = 65_536;

/** Bytes that an entry, and each of its members, take besides their texts. Measured. */
const ENTRY = 400;
const MEMBER = 100;

/** The most entries that one eviction spares, so that no request waits for a walk through all of them. */
const SPARED = 100;

interface Entry {
  readonly session_data: string;
  readonly texts: MemberTexts | Unreadable;
  readonly bytes: number;
  /** Whether it was read since it was added or last spared. */
  used: boolean;
}

/**
 * The key is the row's whole text, never the session: the row is still read each time, so a change or a logout is seen at
 * once. Only texts with a good signature are kept, and only from their second reading on; otherwise a million visitors who
 * come once would drive out those who come back.
 *
 * Eviction is CLOCK (second chance): a hit sets `used`, and an entry that was used since it was last looked at goes to the end
 * once more. LRU would move an entry at each hit, which makes the request's string its key and promotes that string and the
 * row's text behind it to old space (DECISIONS.md, decision 15).
 */
export class VerifiedTexts {
  readonly #codec: SessionCodec;
  readonly #most: number;
  readonly #seen = new Int32Array(SEEN);
  readonly #entries = new Map<string, Entry>();
  #bytes = 0;

  /** @param most bytes that all entries together may take; 0 keeps none */
  constructor(codec: SessionCodec, most: number) {
    this.#codec = codec;
    this.#most = most;
  }

  /** As SessionCodec.members, and empty when the signature is wrong. The caller must not change the result. */
  read(session_data: string, session_key: string | null = null): MemberTexts | Unreadable {
    const tail = session_data.slice(-TAIL);
    const known = this.#entries.get(tail);
    if (known?.session_data === session_data) {
      known.used = true;
      return known.texts;
    }
    const texts = this.#codec.members(session_data, session_key);
    // A wrong signature is not kept, so that each reading of it is reported.
    if (texts === null) return new Map();
    if (this.#seenBefore(tail)) this.#keep(tail, session_data, texts);
    return texts;
  }

  #keep(tail: string, session_data: string, texts: MemberTexts | Unreadable): void {
    let bytes = ENTRY + session_data.length;
    // An unreadable text is kept, too: finding out again may mean inflating SESSION_MAX_BYTES.
    if (!(texts instanceof Unreadable)) for (const [key, text] of texts) bytes += MEMBER + key.length + text.length;
    // One large session would drive out many small ones.
    if (bytes > this.#most / 32) return;
    this.#forget(tail);
    this.#entries.set(tail, { session_data, texts, bytes, used: false });
    this.#bytes += bytes;
    this.#shrink();
  }

  #shrink(): void {
    let spared = 0;
    // A Map may be changed while it is walked: an entry that goes to the end is met there again.
    for (const [tail, entry] of this.#entries) {
      if (this.#bytes <= this.#most) return;
      if (entry.used && spared < SPARED) {
        spared += 1;
        entry.used = false;
        this.#entries.delete(tail);
        this.#entries.set(tail, entry);
      } else this.#forget(tail);
    }
  }

  #forget(tail: string): void {
    this.#bytes -= this.#entries.get(tail)?.bytes ?? 0;
    this.#entries.delete(tail);
  }

  /** Marks a text as seen. Two texts that share a slot replace each other, and are decoded once more. */
  #seenBefore(tail: string): boolean {
    let hash = 0;
    for (let index = 0; index < tail.length; index += 1) hash = (Math.imul(hash, 31) + tail.charCodeAt(index)) | 0;
    const place = hash & (SEEN - 1);
    if (this.#seen[place] === hash) return true;
    this.#seen[place] = hash;
    return false;
  }
}
