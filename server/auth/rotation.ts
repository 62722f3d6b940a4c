/** What becomes of `_auth_user_hash` when SECRET_KEY is changed, while the old key is among SECRET_KEY_FALLBACKS. */
import { StoreUnavailable, UpdateError } from '../errors.js';
import type { Session } from '../session/session.js';
import { HASH_SESSION_KEY } from './session_keys.js';

/**
 * Write the hash under the new SECRET_KEY into the session's row, under the key that it has, so that it still fits when
 * the fallback is removed.
 *
 * Django takes a new session key here. A page's other requests, which are on their way with the old one, then find no
 * row: they are answered as nobody's, and may delete the new cookie. The session key does not depend on SECRET_KEY, so
 * nothing asks for a new one.
 *
 * Nobody is refused for it: a row that was logged out meanwhile stays gone, one whose login is another by now stays as it
 * is, and a store that cannot write now is asked again by the next request.
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
    if (!(error instanceof UpdateError) && !(error instanceof StoreUnavailable)) throw error;
  }
  // Engine signed_cookies: what was written has to be sent.
  if (session.session_key !== session_key) session.modified = true;
}
