/** Joins a save's changes into a row, by the store's own way where it has one. */
import type { Deadline } from '../db/deadline.js';
import type { Change } from './change.js';
import { type Modified, modified } from './modify_row.js';
import type { SessionOptions } from './options.js';
import type { SessionChange, SessionStore, WrittenCookie } from './store.js';

/** `store.merge`, or `modify` where the store has none. */
export async function mergeRow(
  store: SessionStore,
  session_key: string,
  change: (session_data: string) => SessionChange,
  deadline?: Deadline,
): Promise<WrittenCookie> {
  if (store.merge !== undefined) return store.merge(session_key, change, deadline);
  return store.modify(session_key, async (session_data) => change(session_data), deadline);
}

/** Join a save's changes with those that others have made. */
export function mergeIntoRow(
  { store, observe }: Pick<SessionOptions, 'store' | 'observe'>,
  session_key: string,
  change: (session_data: string) => Change,
  deadline: Deadline | undefined,
): Promise<Modified> {
  let written: Change | undefined;
  const changed = (session_data: string): Change => {
    written = change(session_data);
    return written;
  };
  return modified(mergeRow(store, session_key, changed, deadline), () => written, observe);
}
