/** Renews `_auth_user_hash` after a rotation of SECRET_KEY, while the old key is among SECRET_KEY_FALLBACKS. */
import { StoreUnavailable, UpdateError, ValueError } from '../errors.js';
import type { Session } from '../session/session.js';
import { HASH_SESSION_KEY } from './session_keys.js';

/**
 * Write the hash under the new SECRET_KEY into the session's row, without changing its key, so that it is still valid
 * when the fallback is removed.
 *
 * Django takes a new session key here. Concurrent requests of the page with the old key then find no row: they are
 * anonymous, and may delete the new cookie. The session key does not depend on SECRET_KEY, so no new one is needed.
 *
 * It never fails a request: a row that was logged out stays deleted, one with another login is not changed, and if the
 * store cannot write, the next request tries again.
 *
 * @param old the hash that was verified
 */
export async function rewriteHash(session: Session, old: string, hash: string): Promise<void> {
  const { session_key } = session;
  try {
    await session.atomic((fresh) => {
      if (fresh.get(HASH_SESSION_KEY) === old) fresh.set(HASH_SESSION_KEY, hash);
    });
  } catch (error) {
    // ValueError: the answer has begun, and its cookie is the session (engine signed_cookies).
    if (![UpdateError, StoreUnavailable, ValueError].some((known) => error instanceof known)) throw error;
  }
  // Engine signed_cookies: the new cookie must be sent.
  if (session.session_key !== session_key) session.modified = true;
}
