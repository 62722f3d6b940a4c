/** Reads and changes the text of a row. */
import type { Deadline } from '../db/deadline.js';
import { UpdateError } from '../errors.js';
import type { Change, SavedExpiry } from './change.js';
import { type SessionCodec, Unreadable } from './codec.js';
import type { MemberTexts } from './document.js';
import type { SessionOptions } from './options.js';
import type { WrittenCookie } from './store.js';
import type { VerifiedTexts } from './verified.js';

/** What the row held when this session last read or wrote it. */
export interface Baseline {
  readonly session_data: string;
  readonly texts: MemberTexts;
  /** What this session wrote with it; undefined for what was read. */
  readonly written: SavedExpiry | undefined;
}

/** The result of `store.load`, kept until the session's first access, which throws the error if there is one. */
export type Loaded = { readonly session_data: string | null } | { readonly error: unknown };

export interface RowReading {
  readonly codec: SessionCodec;
  readonly verified?: VerifiedTexts;
}

/**
 * A row's members; empty when the signature is wrong, as in Django. Unreadable when the signature is right and the text
 * cannot be read: that is reported at each reading, and the caller must not overwrite the row.
 *
 * @param session_key for the report only
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
 * The members that another request wrote into the row since it was read.
 * @throws UpdateError when they cannot be read: then they can neither be merged nor be overwritten
 */
export function theirsOf(texts: MemberTexts | Unreadable): MemberTexts {
  if (!(texts instanceof Unreadable)) return texts;
  throw new UpdateError(`Somebody else changed the session to what cannot be read here. ${texts.reason}`);
}

/** Whether the row was signed less than `seconds` ago. Its text says when; the format of Django before 3.1 does not. */
export function isSignedWithin({ session_data }: Baseline, seconds: number, codec: SessionCodec, now: number): boolean {
  const signedAt = codec.signedAt(session_data);
  // A Django whose clock is ahead signs in the future.
  return signedAt !== null && Math.abs(now - signedAt) < seconds;
}

/** What was written, and what the store returned for it. */
export interface Modified {
  readonly written: Change;
  readonly cookie: WrittenCookie;
}

/** Change the row under its lock. The store may call `change` more than once; the last result is written. */
export async function modifyRow(
  { store, observe }: Pick<SessionOptions, 'store' | 'observe'>,
  session_key: string,
  change: (session_data: string) => Promise<Change>,
  deadline: Deadline | undefined,
): Promise<Modified> {
  let written: Change | undefined;
  const changed = async (session_data: string): Promise<Change> => {
    written = await change(session_data);
    return written;
  };
  const cookie = await noted(store.modify(session_key, changed, deadline), observe);
  if (written === undefined) throw new UpdateError('The store changed a row without asking for the change.');
  return { written, cookie };
}

/** Tells `observe` of an interruption, wherever in a request it happens. */
export function noted<T>(work: Promise<T>, observe: SessionOptions['observe']): Promise<T> {
  return work.catch((error: unknown) => {
    if (error instanceof UpdateError) observe?.('interrupted');
    throw error;
  });
}
