/** The session keys of a login, in the order in which Django writes them. */
export const SESSION_KEY = '_auth_user_id';
/** The key of the `path` of the user's backend. */
export const BACKEND_SESSION_KEY = '_auth_user_backend';
/** The key of the hash over the user's password, see `get_session_auth_hash`. */
export const HASH_SESSION_KEY = '_auth_user_hash';

/** A user's id from a session: text, or a number written by another program; otherwise null. */
export function userIdText(value: unknown): string | null {
  if (typeof value === 'string') return value;
  return typeof value === 'number' || typeof value === 'bigint' ? String(value) : null;
}
