/** `_auth_user_hash`: the keyed hash that ties a session to the password it was opened with. */
import { ImproperlyConfigured } from '../errors.js';
import type { Settings } from '../settings.js';
import { constant_time_compare, saltedKey } from '../signing/crypto.js';
import { HmacKey } from '../signing/hmac.js';
import type { BaseUser } from './user.js';

const KEY_SALT = 'django.contrib.auth.models.AbstractBaseUser.get_session_auth_hash';

/** Keys derived from SECRET_KEY and its fallbacks, cached: every request of a logged-in user needs one. */
const derived = new Map<string, HmacKey>();
const MOST_DERIVED = 32;

function keyOf(secret: string): HmacKey {
  let key = derived.get(secret);
  if (key === undefined) {
    if (derived.size >= MOST_DERIVED) derived.clear();
    key = new HmacKey(saltedKey(KEY_SALT, secret, 'sha256').export(), 'sha256');
    derived.set(secret, key);
  }
  return key;
}

/** Whose hash it is: a user, or the password as it is stored. */
export type HashOwner = string | Pick<BaseUser, 'password' | 'get_session_auth_hash'>;

/**
 * Hex HMAC-SHA256 over the stored password (base_user.AbstractBaseUser.get_session_auth_hash). It changes with the
 * password, which ends every earlier session. A user's own method of this name takes precedence. Django before 3.1 used
 * SHA-1; these sessions are not accepted.
 *
 * ```ts
 * const hash = get_session_auth_hash(user, settings.SECRET_KEY); // what _auth_user_hash holds
 * ```
 *
 * @param owner the user, or auth_user.password as stored
 * @throws ImproperlyConfigured if the user's own method returns no text
 */
export function get_session_auth_hash(owner: HashOwner, secret: string): string {
  if (typeof owner === 'string') return keyOf(secret).sign(owner, 'hex');
  if (owner.get_session_auth_hash === undefined) return keyOf(secret).sign(owner.password, 'hex');
  const hash: unknown = owner.get_session_auth_hash(secret);
  if (typeof hash === 'string' && hash !== '') return hash;
  if (hash instanceof Promise) hash.catch(() => {});
  throw new ImproperlyConfigured(
    "A user's get_session_auth_hash() returns a text, which is not empty, and no promise.",
  );
}

/**
 * The same under each of SECRET_KEY_FALLBACKS, in their order.
 *
 * ```ts
 * const older = [...get_session_auth_fallback_hash(user, settings)];
 * ```
 */
export function* get_session_auth_fallback_hash(
  owner: HashOwner,
  { SECRET_KEY_FALLBACKS }: Pick<Settings, 'SECRET_KEY_FALLBACKS'>,
): Generator<string, void, void> {
  for (const secret of SECRET_KEY_FALLBACKS) yield get_session_auth_hash(owner, secret);
}

/**
 * Whether the session's hash is this user's. 'fallback': yes, under an older key, so renew it. null for an empty
 * text or another type.
 *
 * ```ts
 * verify_session_auth_hash(session.get('_auth_user_hash'), user, settings); // current, fallback or null
 * ```
 */
export function verify_session_auth_hash(
  sessionHash: unknown,
  owner: HashOwner,
  settings: Pick<Settings, 'SECRET_KEY' | 'SECRET_KEY_FALLBACKS'>,
): 'current' | 'fallback' | null {
  if (typeof sessionHash !== 'string' || sessionHash === '') return null;
  if (constant_time_compare(sessionHash, get_session_auth_hash(owner, settings.SECRET_KEY))) return 'current';
  for (const hash of get_session_auth_fallback_hash(owner, settings)) {
    if (constant_time_compare(sessionHash, hash)) return 'fallback';
  }
  return null;
}
