/** Remembers what verified texts hold, so that a text that is read again is not verified and unpacked again. */
import type { SessionCodec } from './codec.js';
import type { MemberTexts } from './document.js';

/** Bytes that the memory of one middleware may take. */
export const DEFAULT_CACHE_BYTES = 32 * 1024 * 1024;

/** The signature's end: enough to find an entry by, and little to hash. */
const TAIL = 16;

/** Places for texts that were seen once; a power of two. */
const SEEN = 65_536;

interface Entry {
  readonly session_data: string;
  readonly texts: MemberTexts;
  readonly bytes: number;
}

/**
 * Keyed by the whole text of the row, never by the session: the row is still read every time, so a change or a logout
 * is seen at once. Only texts whose signature was right are kept, and only from their second reading on, or a million
 * visitors who come once would drive out those who stay.
 */
export class VerifiedTexts {
  readonly #codec: SessionCodec;
  /** Half of the bytes: there are two generations. */
  readonly #half: number;
  readonly #seen = new Int32Array(SEEN);
  #young = new Map<string, Entry>();
  #old = new Map<string, Entry>();
  #youngBytes = 0;

  constructor(codec: SessionCodec, bytes: number = DEFAULT_CACHE_BYTES) {
    this.#codec = codec;
    this.#half = bytes / 2;
  }

  /** The members of session_data; empty when its signature is wrong, as SessionCodec.decode. Not to be changed. */
  read(session_data: string): MemberTexts {
    const tail = session_data.slice(-TAIL);
    const known = this.#young.get(tail) ?? this.#revived(tail);
    if (known?.session_data === session_data) return known.texts;
    if (!this.#seenBefore(tail)) return this.#codec.members(session_data) ?? new Map();
    const texts = this.#codec.members(session_data);
    // Nothing is remembered of a wrong signature: each reading is reported.
    if (texts === null) return new Map();
    // A text of n characters unpacks to a few times as much, and a Map's entry takes about 200 bytes.
    const bytes = session_data.length * 4 + texts.size * 200;
    if (bytes < this.#half / 16) this.#keep(tail, { session_data, texts, bytes });
    return texts;
  }

  /** An entry of the older generation, which lives on by being asked for. */
  #revived(tail: string): Entry | undefined {
    const entry = this.#old.get(tail);
    if (entry !== undefined) {
      this.#old.delete(tail);
      this.#keep(tail, entry);
    }
    return entry;
  }

  #keep(tail: string, entry: Entry): void {
    this.#young.set(tail, entry);
    this.#youngBytes += entry.bytes;
    if (this.#youngBytes < this.#half) return;
    this.#old = this.#young;
    this.#young = new Map();
    this.#youngBytes = 0;
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
