/** Remembers what verified texts hold, so that a text that is read again is not verified and unpacked again. */
import { type SessionCodec, Unreadable } from './codec.js';
import type { MemberTexts } from './document.js';

/** The signature's end: enough to find an entry by, and little to hash. */
const TAIL = 16;

/** Places for texts that were seen once; a power of two. */
const SEEN = 65_536;

/** What an entry and each of its members take besides their texts, in bytes. Measured. */
const ENTRY = 400;
const MEMBER = 100;

/** The most entries that are spared at once, so that no request waits for a walk through all of them. */
const SPARED = 100;

interface Entry {
  readonly session_data: string;
  readonly texts: MemberTexts | Unreadable;
  readonly bytes: number;
  /** Whether it was read since it last came to the end of those that are forgotten first. */
  used: boolean;
}

/**
 * Keyed by the whole text of the row, never by the session: the row is still read every time, so a change or a logout
 * is seen at once. Only texts whose signature was right are kept, and only from their second reading on, or a million
 * visitors who come once would drive out those who stay. What came first is forgotten first, unless it was read
 * meanwhile. A reading only marks. Were each to move its entry to the end, the order would be better, and the key would
 * be the request's, with its text behind it: both would live on and be copied.
 */
export class VerifiedTexts {
  readonly #codec: SessionCodec;
  readonly #most: number;
  readonly #seen = new Int32Array(SEEN);
  readonly #entries = new Map<string, Entry>();
  #bytes = 0;

  /** @param most bytes that all entries may take; 0 to remember nothing */
  constructor(codec: SessionCodec, most: number) {
    this.#codec = codec;
    this.#most = most;
  }

  /** As SessionCodec.members, and empty when the signature is wrong. Not to be changed. */
  read(session_data: string, session_key: string | null = null): MemberTexts | Unreadable {
    const tail = session_data.slice(-TAIL);
    const known = this.#entries.get(tail);
    if (known?.session_data === session_data) {
      known.used = true;
      return known.texts;
    }
    const texts = this.#codec.members(session_data, session_key);
    // Nothing is remembered of a wrong signature: each reading is reported.
    if (texts === null) return new Map();
    if (this.#seenBefore(tail)) this.#keep(tail, session_data, texts);
    return texts;
  }

  #keep(tail: string, session_data: string, texts: MemberTexts | Unreadable): void {
    let bytes = ENTRY + session_data.length;
    // That a text cannot be read is remembered, too: finding it out anew may mean inflating SESSION_MAX_BYTES.
    if (!(texts instanceof Unreadable)) for (const [key, text] of texts) bytes += MEMBER + key.length + text.length;
    // One large session is not worth many small ones.
    if (bytes > this.#most / 32) return;
    this.#forget(tail);
    this.#entries.set(tail, { session_data, texts, bytes, used: false });
    this.#bytes += bytes;
    this.#shrink();
  }

  #shrink(): void {
    let spared = 0;
    // An entry that goes to the end is met there again.
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

  /** Marks a text as seen. Two texts that share a place drive each other out, and are decoded once more. */
  #seenBefore(tail: string): boolean {
    let hash = 0;
    for (let index = 0; index < tail.length; index += 1) hash = (Math.imul(hash, 31) + tail.charCodeAt(index)) | 0;
    const place = hash & (SEEN - 1);
    if (this.#seen[place] === hash) return true;
    this.#seen[place] = hash;
    return false;
  }
}
