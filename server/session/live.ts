/** Tells which of many sessions still exist, by one query where the engine has one for that. */
import type { Deadline } from '../db/deadline.js';
import type { SessionStore } from './store.js';

/** Those of the keys that have a session which has not expired. */
export async function liveOf(
  store: SessionStore,
  sessionKeys: readonly string[],
  deadline?: Deadline,
): Promise<ReadonlySet<string>> {
  if (store.live !== undefined) return store.live(sessionKeys, deadline);
  const texts = await Promise.all(sessionKeys.map((session_key) => store.load(session_key, deadline)));
  return new Set(sessionKeys.filter((_, index) => texts[index] !== null));
}
