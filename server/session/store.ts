/**
 * The contract between a session and the place where it is kept.
 *
 * A store moves signed text, never values: it neither verifies nor parses `session_data`, and knows nothing of HTTP.
 * All stores pass one suite, test/session/stores/contract.ts. When a store does not answer, or not in time, every
 * method rejects with StoreUnavailable and the driver's error as its `cause`.
 */

import type { Deadline } from '../db/deadline.js';

/** The session's property with its request's deadline. A symbol, because any name may be a key of the session. */
export const DEADLINE = Symbol('koa-django-session.deadline');

/** One row of django_session (django.contrib.sessions.base_session.AbstractBaseSession). */
export interface SessionRecord {
  readonly session_key: string;
  /** Signed text as session/codec.ts makes it. */
  readonly session_data: string;
  readonly expire_date: Date;
  /** Seconds from this write to `expire_date`, where each save moves the end; absent where the end is a fixed date. */
  readonly lifetime?: number | undefined;
  /** The members of `session_data` as JSON, by key, for stores that keep some in columns of their own. Sessions set it. */
  readonly texts?: ReadonlyMap<string, string>;
}

/** What a change of a row writes back. */
export type SessionChange = Pick<SessionRecord, 'session_data' | 'expire_date' | 'lifetime'>;

/**
 * A write to another table in the same commit as a session's row, such as the user's `last_login` at a login. It runs on
 * the store's transaction. Its caller knows that object's type, because it has compared `database` with its own.
 */
export type Companion = (transaction: object) => Promise<void>;

/**
 * What a write returns: the cookie's value, where that is another than the record's `session_key`. An engine that keeps rows
 * under their keys returns nothing.
 */
// biome-ignore lint/suspicious/noConfusingVoidType: so that an engine's method may end without `return`
export type WrittenCookie = string | void;

/** Where sessions are kept. An engine of an application's own implements it. */
export interface SessionStore {
  /** The salt that signs what is kept here, as each engine of Django has one; SESSION_KEY_SALT when absent. */
  readonly key_salt?: string;

  /**
   * The database that holds the rows: the knex instance of engine db. Others that keep rows there compare it with theirs.
   * Absent where the store has no transactions; then it is given no companion.
   */
  readonly database?: object | undefined;

  /**
   * A new deadline for one request: how long all its waits for this store may take together. A session passes it as the last
   * argument of every method; a call without one gets its own. Absent where each wait has a limit of its own.
   */
  deadline?(): Deadline | undefined;

  /** The row's `session_data`; null when there is no such row or `expire_date` has come. */
  load(session_key: string, deadline?: Deadline): Promise<string | null>;

  /**
   * The row as stored, expired or not, for pages and tools that show rows; null when there is none. Absent in an engine
   * without rows.
   */
  stored?(session_key: string, deadline?: Deadline): Promise<SessionChange | null>;

  /**
   * Which of the keys have a row that has not expired, for code that watches many sessions. Absent where an
   * engine has nothing cheaper than `load`.
   */
  live?(sessionKeys: readonly string[], deadline?: Deadline): Promise<ReadonlySet<string>>;

  /** Whether there is a row, expired or not. */
  exists(session_key: string, deadline?: Deadline): Promise<boolean>;

  /**
   * Add a row.
   * @param companion in the same commit
   * @throws CreateError when the key is taken: the row that is there stays as it is
   */
  create(record: SessionRecord, companion?: Companion, deadline?: Deadline): Promise<WrittenCookie>;

  /**
   * Write the row if its text still is `loaded`: compare and set, so that no other request's change is lost.
   * @returns false when the row is gone or holds another text; nothing was written then. Otherwise true, or the cookie's value
   */
  replace(loaded: string, record: SessionRecord, deadline?: Deadline): Promise<boolean | string>;

  /**
   * Lock the row, hand its present text to `change`, and write what that gives.
   * @throws UpdateError when the row is gone. What `change` throws is passed on, and nothing is written
   */
  modify(
    session_key: string,
    change: (session_data: string) => Promise<SessionChange>,
    deadline?: Deadline,
  ): Promise<WrittenCookie>;

  /**
   * Lock the row, hand its present text to `change`, add the record that gives under its new key, then delete the
   * old row. Both or neither, and what `change` throws is passed on.
   * @param companion in the same commit
   * @throws UpdateError when the old row is gone, CreateError when the new key is taken
   */
  cycle(
    session_key: string,
    change: (session_data: string) => Promise<SessionRecord>,
    companion?: Companion,
    deadline?: Deadline,
  ): Promise<WrittenCookie>;

  /** Remove the row; nothing happens when there is none. */
  delete(session_key: string, deadline?: Deadline): Promise<void>;

  /**
   * Remove the rows whose `expire_date` lies in the past.
   * @returns how many there were
   */
  clear_expired(): Promise<number>;

  /**
   * Whether what the store needs besides its `database` works, for readiness checks. Absent where it needs nothing else.
   * @returns a sentence on what does not work, although sessions can be read; undefined when everything works
   * @throws StoreUnavailable when sessions cannot be read
   */
  check?(): Promise<string | undefined>;

  /** Let go of connections of its own; absent where there are none. */
  close?(): Promise<void>;
}
