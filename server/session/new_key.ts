/** What may be done together with taking a new key: a login in one commit. */
import { CreateError } from '../errors.js';
import type { Mapping } from './dictionary.js';
import type { DeclaredData } from './session_data.js';
import type { Companion, SessionStore } from './store.js';

/** A write outside of the session that belongs to it, such as the user's `last_login` to a login. */
export interface JoinedWrite {
  /** Where it writes, see `SessionStore.database`. */
  readonly database: object | undefined;
  /**
   * Does the write.
   * @param transaction of that database, which the session's row is written in, too; undefined where the row is kept
   *   elsewhere: then this is done first, because a row that comes to nothing later leaves nothing behind
   */
  write(transaction: object | undefined): Promise<void>;
}

/** Either all of it is done when `cycle_key` resolves, or, when it rejects, nothing is: row, key and dictionary stay. */
export interface NewKeyOptions {
  /** Put into the dictionary, in this order. */
  readonly values?: Mapping<DeclaredData>;
  /** Forget all that the session held, and do so also when its row is gone already. */
  readonly forget?: boolean;
  readonly joined?: JoinedWrite;
}

/** What the store is to do in its commit. A write to another place is done at once instead. */
export async function companionOf(
  joined: JoinedWrite | undefined,
  { database }: Pick<SessionStore, 'database'>,
): Promise<Companion | undefined> {
  if (joined === undefined) return undefined;
  if (database !== undefined && joined.database === database) return (transaction) => joined.write(transaction);
  await joined.write(undefined);
  return undefined;
}

/** How often another key is tried. 36^32 keys: a second try means a broken random source. */
const TRIES = 10;

/** What `write` gives for the first key that was free. @throws CreateError when ten were taken */
export async function tryNewKeys<T>(next: () => string, write: (session_key: string) => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await write(next());
    } catch (error) {
      if (!(error instanceof CreateError) || tries === TRIES) throw error;
    }
  }
}
