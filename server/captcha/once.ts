/** What the captcha keeps in a session, taken out under the row's lock: of fifty copies of a request one finds it. */
import { UpdateError } from '../errors.js';
import type { SessionDictionary } from '../session/dictionary.js';
import type { DeclaredData } from '../session/session_data.js';

/** What the captcha needs of a session: `Session` has it. */
export interface CaptchaSession {
  readonly session_key: string | null;
  /** The value of the key, or null. */
  get(key: string): unknown;
  /** Keep a value under the key. */
  set(key: string, value: unknown): void;
  /** Run `change` on the values as they are in the store, under the row's lock, see `Session.atomic`. */
  atomic<T>(change: (fresh: SessionDictionary<DeclaredData>) => T | Promise<T>): Promise<T>;
}

/**
 * The value under `key`, which is gone from the row afterwards; null when there is none, or no row.
 * @throws StoreUnavailable when the store is away
 */
export async function takeOut(session: CaptchaSession, key: string): Promise<unknown> {
  // Without a value there is nothing to use up, and no row to lock.
  if (session.get(key) === null || session.session_key === null) return null;
  try {
    return await session.atomic((fresh) => fresh.pop(key, null));
  } catch (error) {
    // Logged out or expired between reading and here: the value went with the row.
    if (error instanceof UpdateError) return null;
    throw error;
  }
}
