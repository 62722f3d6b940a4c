/**
 * The interface between a session and its store.
 *
 * A store moves signed text, never values: it neither verifies nor parses `session_data`, and knows nothing of HTTP.
 * All stores pass one suite, test/session/stores/contract.ts. When a store does not answer, or not in time, every
 * method rejects with StoreUnavailable and the driver's error as its `cause`.
 */

import type { Deadline } from '../db/deadline.js';
import type { SessionEngine } from '../settings.js';

/** The session's property with its request's deadline. A symbol, because any name may be a key of the session. */
export const DEADLINE = Symbol('koa-django-session.deadline');

/** One row of django_session (django.contrib.sessions.base_session.AbstractBaseSession). */
export interface SessionRecord {
  readonly session_key: string;
  /** Signed text as session/codec.ts makes it. */
  readonly session_data: string;
  readonly expire_date: Date;
  /** Seconds from this write to `expire_date`, if each save extends the session; absent for a fixed date. */
  readonly lifetime?: number | undefined;
  /** The members of `session_data` as JSON, by key, for stores with further columns. Sessions set it. */
  readonly texts?: ReadonlyMap<string, string>;
}

/** The result of a change of a row. */
export type SessionChange = Pick<SessionRecord, 'session_data' | 'expire_date' | 'lifetime'>;

/**
 * A write to another table in the same commit as a session's row, such as the user's `last_login` at a login. It runs on
 * the store's transaction. Its caller knows that object's type, because it has compared `database` with its own.
 */
export type Companion = (transaction: object) => Promise<void>;

/**
 * The result of a write: the cookie's value, if it is not the record's `session_key`. Engines with rows return nothing.
 */
// biome-ignore lint/suspicious/noConfusingVoidType: so that an engine's method may end without `return`
export type WrittenCookie = string | void;

/** Stores sessions. A custom engine implements it. */
export interface SessionStore {
  /** The salt that signs `session_data`, which differs between Django's engines; SESSION_KEY_SALT when absent. */
  readonly key_salt?: string;

  /**
   * The settings that this store stands for: `sessions` refuses others, which would do nothing. Absent in a store that no
   * setting names.
   */
  readonly serves?: { readonly SESSION_ENGINE: SessionEngine; readonly SESSION_TABLE?: string };

  /**
   * The database of the rows: the knex instance of engine db. Code with tables in the same database compares it with its own.
   * Absent for a store without transactions, which then gets no companion.
   */
  readonly database?: object | undefined;

  /**
   * A new deadline for one request: the time limit of all its waits for this store together. A session passes it as the last
   * argument of every method; a call without one has its own. Absent if each wait has a separate limit.
   */
  deadline?(): Deadline | undefined;

  /** The row's `session_data`; null when there is no such row or `expire_date` has come. */
  load(session_key: string, deadline?: Deadline): Promise<string | null>;

  /**
   * The row as stored, even if it has expired, for tools that show rows; null when there is none. Absent in an engine
   * without rows.
   */
  stored?(session_key: string, deadline?: Deadline): Promise<SessionChange | null>;

  /**
   * Those of the keys that have a live row, for code that watches many sessions. Absent if nothing is cheaper than `load`.
   */
  live?(sessionKeys: readonly string[], deadline?: Deadline): Promise<ReadonlySet<string>>;

  /** Whether the row exists, even if it has expired. */
  exists(session_key: string, deadline?: Deadline): Promise<boolean>;

  /**
   * Creates a row.
   * @param companion in the same commit
   * @throws CreateError when the key is taken; the existing row is unchanged
   */
  create(record: SessionRecord, companion?: Companion, deadline?: Deadline): Promise<WrittenCookie>;

  /**
   * Writes the row if its text is still `loaded` (compare-and-set), so that no other request's change is lost.
   * @returns false when the row is gone or has another text; then nothing was written. Otherwise true, or the cookie's value
   */
  replace(loaded: string, record: SessionRecord, deadline?: Deadline): Promise<boolean | string>;

  /**
   * Locks the row, calls `change` with its current text, and writes the result.
   * @throws UpdateError when the row is gone. An error of `change` is rethrown, and nothing is written
   */
  modify(
    session_key: string,
    change: (session_data: string) => Promise<SessionChange>,
    deadline?: Deadline,
  ): Promise<WrittenCookie>;

  /**
   * As `modify`, for a save that joins its changes with those of other requests: `change` is pure, and may be called again,
   * so that saves of one row that wait can be written together. Absent if that saves nothing; then `modify` is called.
   */
  merge?(
    session_key: string,
    change: (session_data: string) => SessionChange,
    deadline?: Deadline,
  ): Promise<WrittenCookie>;

  /**
   * Locks the row, calls `change` with its current text, creates the resulting record under its new key, then deletes the
   * old row. Both or neither; an error of `change` is rethrown.
   * @param companion in the same commit
   * @throws UpdateError when the old row is gone, CreateError when the new key is taken
   */
  cycle(
    session_key: string,
    change: (session_data: string) => Promise<SessionRecord>,
    companion?: Companion,
    deadline?: Deadline,
  ): Promise<WrittenCookie>;

  /** Deletes the row, if it exists. */
  delete(session_key: string, deadline?: Deadline): Promise<void>;

  /**
   * Deletes the rows whose `expire_date` has passed.
   * @returns their number
   */
  clear_expired(): Promise<number>;

  /**
   * For readiness checks: whether the store's other services besides `database` work. Absent if it has none.
   * @returns a sentence about a failure that does not prevent reading sessions; undefined when everything works
   * @throws StoreUnavailable when sessions cannot be read
   */
  check?(): Promise<string | undefined>;

  /** Closes the store's own connections; absent if it has none. */
  close?(): Promise<void>;
}
