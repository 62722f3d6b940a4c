/** The new key that a session takes at a login, or when its user has changed the password. */
import { SessionInterrupted, UpdateError } from '../errors.js';
import type { NewKeyOptions } from '../session/new_key.js';
import type { Session } from '../session/session.js';
import { verify_session_auth_hash } from './session_hash.js';
import { HASH_SESSION_KEY, SESSION_KEY, userIdText } from './session_keys.js';
import type { AnyOptions } from './state.js';
import type { BaseUser } from './user.js';

/** Clears the session if it belongs to another user or to another password of this user. Otherwise it keeps its data. */
export async function newKeyForLogin(
  session: Session,
  user: BaseUser,
  settings: AnyOptions['settings'],
  options: NewKeyOptions,
): Promise<void> {
  if (session.has_key(SESSION_KEY) && !isSessionOf(session, user, settings)) {
    await session.cycle_key({ ...options, forget: true });
  } else await newKeyForSession(session, options);
}

/** A row that is gone was logged out elsewhere, which is final: 400, as for a save. */
export async function newKeyForSession(session: Session, options: NewKeyOptions): Promise<void> {
  try {
    await session.cycle_key(options);
  } catch (error) {
    if (!(error instanceof UpdateError)) throw error;
    throw new SessionInterrupted('The session ended while this request ran, for example by a logout. Try again.', {
      cause: error,
    });
  }
}

/** Whether the session is logged in as this user. A hash under a fallback key counts: a key rotation must not lose data. */
export function isSessionOf(session: Session, user: BaseUser, settings: AnyOptions['settings']): boolean {
  if (userIdText(session.get(SESSION_KEY)) !== String(user.id)) return false;
  return verify_session_auth_hash(session.get(HASH_SESSION_KEY), user, settings) !== null;
}
