/** Reads the text of a row. */
import { UpdateError } from '../errors.js';
import type { SavedExpiry } from './change.js';
import { type SessionCodec, Unreadable } from './codec.js';
import { type MemberTexts, sameTexts } from './document.js';
import type { SessionOptions } from './options.js';
import type { VerifiedTexts } from './verified.js';

/** What the row held when this session last read or wrote it. */
export interface Baseline {
  readonly session_data: string;
  readonly texts: MemberTexts;
  /** The expiry that this session wrote; undefined if the row was only read. */
  readonly written: SavedExpiry | undefined;
}

export interface RowReading {
  readonly codec: SessionCodec;
  readonly verified?: VerifiedTexts;
}

/**
 * A row's members; empty for a wrong signature, as in Django. Unreadable if the signature is right and the text cannot be
 * read: reported at each read, and the caller must not overwrite the row.
 *
 * @param session_key only for the report
 */
export function readRow(
  session_data: string,
  session_key: string | null,
  { codec, verified }: RowReading,
): MemberTexts | Unreadable {
  const texts = verified?.read(session_data, session_key) ?? codec.members(session_data, session_key);
  if (texts === null) return new Map();
  if (texts instanceof Unreadable) {
    codec.report(`Session data cannot be read here, and its row is left as it is. ${texts.reason}`, session_key);
  }
  return texts;
}

/**
 * The members that another request wrote into the row.
 * @throws UpdateError if they cannot be read, because they can then be neither merged nor overwritten
 */
export function theirsOf(texts: MemberTexts | Unreadable): MemberTexts {
  if (!(texts instanceof Unreadable)) return texts;
  throw new UpdateError(`Another request changed the session, and its row cannot be read here. ${texts.reason}`);
}

/**
 * Whether the row holds `texts` and was signed less than `seconds` ago, by the time in its text. False in Django's format
 * before 3.1, and for a row that this session wrote.
 */
export function isSavedWithin(
  base: Baseline | undefined,
  texts: MemberTexts,
  seconds: number,
  codec: SessionCodec,
  now: number,
): boolean {
  // An empty dictionary may come from a text with a wrong signature, whose time means nothing.
  if (base === undefined || base.written !== undefined || base.texts.size === 0) return false;
  const signedAt = codec.signedAt(base.session_data);
  // The clock of a Django may be ahead.
  return signedAt !== null && Math.abs(now - signedAt) < seconds && sameTexts(texts, base.texts);
}

/** Reports an interruption to `observe`. */
export function noted<T>(work: Promise<T>, observe: SessionOptions['observe']): Promise<T> {
  return work.catch((error: unknown) => {
    if (error instanceof UpdateError) observe?.('interrupted');
    throw error;
  });
}
