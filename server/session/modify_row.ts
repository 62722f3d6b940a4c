/** Changes a row that other requests may have written since it was read. */
import type { Deadline } from '../db/deadline.js';
import { UpdateError } from '../errors.js';
import type { Change } from './change.js';
import type { SessionOptions } from './options.js';
import { type Baseline, noted } from './row.js';
import type { Companion, SessionRecord, WrittenCookie } from './store.js';

/** The written change, and the store's result. */
export interface Modified {
  readonly written: Change;
  readonly cookie: WrittenCookie;
}

/** Change the row under its lock. */
export function modifyRow(
  { store, observe }: Pick<SessionOptions, 'store' | 'observe'>,
  session_key: string,
  _read: Baseline,
  change: (session_data: string) => Promise<Change>,
  deadline: Deadline | undefined,
): Promise<Modified> {
  let written: Promise<Change> | undefined;
  const changed = (session_data: string): Promise<Change> => {
    written = change(session_data);
    return written;
  };
  return modified(store.modify(session_key, changed, deadline), () => written, observe);
}

/** The same for a function that may be called twice: first with the text that was read, in one statement without the lock. */
export async function replaceOrModifyRow(
  options: Pick<SessionOptions, 'store' | 'observe'>,
  session_key: string,
  read: Baseline,
  change: (session_data: string) => Promise<Change>,
  deadline: Deadline | undefined,
): Promise<Modified> {
  const written = await change(read.session_data);
  const replaced = await options.store.replace(read.session_data, { session_key, ...written }, deadline);
  if (replaced === false) return modifyRow(options, session_key, read, change, deadline);
  return { written, cookie: replaced === true ? undefined : replaced };
}

/** Move the row to a new key. */
export function moveRow(
  { store, observe }: Pick<SessionOptions, 'store' | 'observe'>,
  [from, to]: readonly [from: string, to: string],
  change: (session_data: string) => Change,
  companion: Companion | undefined,
  deadline: Deadline | undefined,
): Promise<Modified> {
  let written: Change | undefined;
  const changed = async (session_data: string): Promise<SessionRecord> => {
    written = change(session_data);
    return { session_key: to, ...written };
  };
  return modified(store.cycle(from, changed, companion, deadline), () => written, observe);
}

/** The store may have called the function more than once; the last result is written. */
export async function modified(
  modifying: Promise<WrittenCookie>,
  written: () => Change | Promise<Change> | undefined,
  observe: SessionOptions['observe'],
): Promise<Modified> {
  const cookie = await noted(modifying, observe);
  const change = await written();
  if (change === undefined) throw new UpdateError('The store changed the row without calling the function `change`.');
  return { written: change, cookie };
}
