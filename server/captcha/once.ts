/** Removes a single-use value from a session and its row: of concurrent copies of a request, one gets it. */
import { UpdateError } from '../errors.js';
import type { SessionDictionary } from '../session/dictionary.js';
import type { DeclaredData } from '../session/session_data.js';
import { TAKE_OUT } from '../session/take_out.js';

/** The part of `Session` that the captcha uses. */
export interface CaptchaSession {
  readonly session_key: string | null;
  /** The value of the key, or null. */
  get(key: string): unknown;
  /** Store a value under the key. */
  set(key: string, value: unknown): void;
  /** Run `change` on the stored values, under the row's lock, see `Session.atomic`. */
  atomic<T>(change: (fresh: SessionDictionary<DeclaredData>) => T | Promise<T>): Promise<T>;
  /** What every `Session` has: the same for one `pop`, in one statement. */
  [TAKE_OUT]?(key: string): Promise<unknown>;
}

/**
 * Removes and returns the value under `key`; null without value or row.
 * @throws StoreUnavailable if the store is unavailable
 */
export async function takeOut(session: CaptchaSession, key: string): Promise<unknown> {
  // Without a value there is nothing to remove, and no row to lock.
  if (session.get(key) === null || session.session_key === null) return null;
  try {
    return await (session[TAKE_OUT]?.(key) ?? session.atomic((fresh) => fresh.pop(key, null)));
  } catch (error) {
    // The session was logged out or expired since it was read: the value was deleted with the row.
    if (error instanceof UpdateError) return null;
    throw error;
  }
}
