/** Which of many sessions are still there, in one question where the engine can be asked so. */
import type { Deadline } from '../db/deadline.js';
import type { SessionStore } from './store.js';

/** The keys whose sessions are there and have not expired. */
export async function liveOf(
  store: SessionStore,
  sessionKeys: readonly string[],
  deadline?: Deadline,
): Promise<ReadonlySet<string>> {
  if (store.live !== undefined) return store.live(sessionKeys, deadline);
  const texts = await Promise.all(sessionKeys.map((session_key) => store.load(session_key, deadline)));
  return new Set(sessionKeys.filter((_, index) => texts[index] !== null));
}
