/** What cycle_key can do in the same commit as the new key, so that a login is one commit. */
import { CreateError, ImproperlyConfigured } from '../errors.js';
import type { Mapping } from './dictionary.js';
import { validSessionKey } from './key.js';
import type { DeclaredData } from './session_data.js';
import type { Companion, SessionStore } from './store.js';

/** A method of sessions: called before a new key is made, to refuse it. A symbol, because any name may be a key. */
export const NEW_KEY = Symbol('koa-django-session.newKey');

/** A write to another table that belongs to the new key, such as the user's `last_login` at a login. */
export interface JoinedWrite {
  /** The database that it writes to; the same object as `SessionStore.database` where it can share the commit. */
  readonly database: object | undefined;
  /**
   * Does the write.
   * @param transaction the transaction that also writes the session's row; undefined where the row is kept elsewhere: then
   *   this write comes first, and the session keeps its old key if it fails
   */
  write(transaction: object | undefined): Promise<void>;
}

/** All of it is done when `cycle_key` resolves. When it rejects, row, key and dictionary stay as they were. */
export interface NewKeyOptions {
  /** Keys and values to put into the dictionary, in this order. */
  readonly values?: Mapping<DeclaredData>;
  /** Drop everything that the session holds, also when its row is already gone. */
  readonly forget?: boolean;
  readonly joined?: JoinedWrite;
}

/** The write as the store's companion, for one commit. A write to another database is done here, before the store's. */
export async function companionOf(
  joined: JoinedWrite | undefined,
  { database }: Pick<SessionStore, 'database'>,
): Promise<Companion | undefined> {
  if (joined === undefined) return undefined;
  if (database !== undefined && joined.database === database) return (transaction) => joined.write(transaction);
  await joined.write(undefined);
  return undefined;
}

/** How many keys are tried. There are 36^32 keys, so a taken one means a broken random source. */
const TRIES = 10;

/**
 * Calls `write` with new keys until one is free.
 * @throws CreateError when ten were taken
 * @throws ImproperlyConfigured where `next` makes no keys: two visitors would get "[object Promise]"
 */
export async function tryNewKeys<T>(next: () => string, write: (session_key: string) => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    const session_key: unknown = next();
    if (typeof session_key !== 'string' || validSessionKey(session_key) === null) {
      throw new ImproperlyConfigured(
        '`newSessionKey` returns a new random text of 8 characters or more, not a promise.',
      );
    }
    try {
      return await write(session_key);
    } catch (error) {
      if (!(error instanceof CreateError) || tries === TRIES) throw error;
    }
  }
}
