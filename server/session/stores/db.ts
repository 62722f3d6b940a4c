/** Sessions in Django's table django_session, through knex and pg (django.contrib.sessions.backends.db). */
import type { Knex } from 'knex';
import { type Clock, systemClock } from '../../clock.js';
import { clear_expired } from '../../db/clear_expired.js';
import { type Answer, type Parameter, runPrepared, type Statement } from '../../db/prepared.js';
import { shareOf } from '../../db/turns.js';
import { isUnavailable, unavailable } from '../../db/unavailable.js';
import { CreateError, type StoreUnavailable, UpdateError } from '../../errors.js';
import type { Companion, SessionChange, SessionRecord, SessionStore } from '../store.js';
import { inTime } from './in_time.js';
import type { LanesOptions } from './lanes.js';
import { LoadBatch } from './load_batch.js';
import { RowQueue } from './row_queue.js';
import { type Replacement, SaveBatch } from './save_batch.js';
import { transact } from './transaction.js';

const UNIQUE_VIOLATION = '23505';

/** Milliseconds that the application may hold a row's lock; after as many the database ends a transaction that is idle. */
const LONGEST_CHANGE = 4000;

const changeTookLong = (): StoreUnavailable =>
  unavailable(new Error(`A change of a session took more than ${LONGEST_CHANGE / 1000} seconds.`));

/** Each statement's text and the name under which PostgreSQL keeps its plan: one name has one text. */
const STATEMENTS = {
  load: {
    name: 'django_session_load',
    text: 'SELECT session_data FROM django_session WHERE session_key = $1 AND expire_date > to_timestamp($2)',
  },
  load_many: {
    name: 'django_session_load_many',
    text: 'SELECT session_key, session_data FROM django_session WHERE session_key = ANY($1) AND expire_date > to_timestamp($2)',
  },
  exists: { name: 'django_session_exists', text: 'SELECT 1 FROM django_session WHERE session_key = $1' },
  create: {
    name: 'django_session_create',
    text: 'INSERT INTO django_session (session_key, session_data, expire_date) VALUES ($1, $2, $3)',
  },
  replace: {
    name: 'django_session_replace',
    text: 'UPDATE django_session SET session_data = $1, expire_date = $2 WHERE session_key = $3 AND session_data = $4',
  },
  // A row's lock is taken before it is written, where waiting can be refused: SKIP LOCKED. Statements that never wait
  // for one another cannot deadlock. The text is compared as it is under the lock.
  replace_many: {
    name: 'django_session_replace_many',
    text: `
      WITH given AS (
        SELECT * FROM unnest($1::varchar[], $2::text[], $3::timestamptz[], $4::text[])
          AS given (session_key, session_data, expire_date, loaded)
      ), free AS MATERIALIZED (
        SELECT session_key FROM django_session JOIN given USING (session_key)
        WHERE django_session.session_data = given.loaded
        FOR UPDATE OF django_session SKIP LOCKED
      )
      UPDATE django_session SET session_data = given.session_data, expire_date = given.expire_date
      FROM given JOIN free USING (session_key)
      WHERE django_session.session_key = given.session_key
      RETURNING django_session.session_key`,
  },
  lock: {
    name: 'django_session_lock',
    text: 'SELECT session_data FROM django_session WHERE session_key = $1 FOR UPDATE',
  },
  modify: {
    name: 'django_session_modify',
    text: 'UPDATE django_session SET session_data = $1, expire_date = $2 WHERE session_key = $3',
  },
  delete: { name: 'django_session_delete', text: 'DELETE FROM django_session WHERE session_key = $1' },
} as const satisfies Record<string, Statement>;

export interface DatabaseStoreOptions {
  readonly now?: Clock;
  /** How reads and writes of one tick share statements. */
  readonly batches?: LanesOptions;
  /** The most connections that wait for the locks of rows, so that the others are free; half the pool when absent. */
  readonly row_locks?: number;
  /** False behind a pgbouncer in transaction mode that keeps no prepared statements (max_prepared_statements = 0). */
  readonly prepared?: boolean;
}

/**
 * Reads and writes of one tick share statements, so that the cost of a statement and of a commit is divided among
 * them; nobody waits for a tick that does not come, and nobody for a row that another has locked.
 */
export class DatabaseStore implements SessionStore {
  readonly #knex: Knex;
  readonly #now: Clock;
  readonly #loads: LoadBatch;
  readonly #saves: SaveBatch;
  readonly #rows: RowQueue;
  readonly #prepared: boolean;

  /** @param knex connected to PostgreSQL with server/db/knex.ts's timeouts, or your own */
  constructor(knex: Knex, options: DatabaseStoreOptions = {}) {
    const { now = systemClock, batches, row_locks = shareOf(knex), prepared = true } = options;
    this.#knex = knex;
    this.#now = now;
    this.#prepared = prepared;
    const timedOut = (): StoreUnavailable => unavailable(new Error('No answer in time.'));
    this.#rows = new RowQueue(row_locks, timedOut);
    this.#loads = new LoadBatch(
      { one: (key) => this.#loadOne(key), many: (keys) => this.#loadMany(keys), isUnavailable, timedOut },
      batches,
    );
    this.#saves = new SaveBatch(
      { one: (row) => this.#replaceOne(row), many: (rows) => this.#replaceMany(rows), isUnavailable, timedOut },
      // One commit after another: two at once take longer each than both together do.
      { lanes: 1, halve: true, ...batches },
    );
  }

  load(session_key: string): Promise<string | null> {
    return this.#loads.load(session_key);
  }

  async #loadOne(session_key: string): Promise<string | null> {
    const { rows } = await this.#run('load', [session_key, String(this.#now())]);
    return rows[0]?.[0] ?? null;
  }

  async #loadMany(session_keys: readonly string[]): Promise<Map<string, string>> {
    const { rows } = await this.#run('load_many', [session_keys, String(this.#now())]);
    const texts = new Map<string, string>();
    for (const [session_key, session_data] of rows) texts.set(session_key as string, session_data as string);
    return texts;
  }

  async exists(session_key: string): Promise<boolean> {
    const { rows } = await this.#run('exists', [session_key]);
    return rows.length > 0;
  }

  /** By identity: whoever has rows on the same knex can have them written in one commit with a session's. */
  get database(): object {
    return this.#knex;
  }

  async create(record: SessionRecord, companion?: Companion): Promise<void> {
    if (companion === undefined) return this.#insert(record);
    const { session_key } = record;
    // In the queue, because the companion may wait for a row that others have locked.
    await this.#rows.run(session_key, () =>
      this.#transact(
        async (transaction) => {
          await this.#insert(record, transaction);
          await companion(transaction);
        },
        () => this.#isTaken(session_key),
      ),
    );
  }

  async #insert({ session_key, session_data, expire_date }: SessionRecord, connection?: Knex): Promise<void> {
    await this.#run('create', [session_key, session_data, expire_date], connection);
  }

  replace(loaded: string, { session_key, session_data, expire_date }: SessionRecord): Promise<boolean> {
    return this.#saves.replace({ session_key, session_data, expire_date, loaded });
  }

  #replaceOne({ session_key, session_data, expire_date, loaded }: Replacement): Promise<boolean> {
    return this.#rows.run(session_key, async () => {
      const { rowCount } = await this.#run('replace', [session_data, expire_date, session_key, loaded]);
      return rowCount === 1;
    });
  }

  async #replaceMany(replacements: readonly Replacement[]): Promise<Set<string>> {
    const { rows } = await this.#run('replace_many', [
      replacements.map(({ session_key }) => session_key),
      replacements.map(({ session_data }) => session_data),
      replacements.map(({ expire_date }) => expire_date),
      replacements.map(({ loaded }) => loaded),
    ]);
    return new Set(rows.map(([session_key]) => session_key as string));
  }

  async modify(session_key: string, change: (session_data: string) => Promise<SessionChange>): Promise<void> {
    await this.#withRow(session_key, change, async ({ session_data, expire_date }, transaction) => {
      await this.#run('modify', [session_data, expire_date, session_key], transaction);
    });
  }

  async cycle(
    session_key: string,
    change: (session_data: string) => Promise<SessionRecord>,
    companion?: Companion,
  ): Promise<void> {
    let new_key: string | undefined;
    await this.#withRow(
      session_key,
      change,
      async (record, transaction) => {
        new_key = record.session_key;
        await this.#insert(record, transaction);
        await this.#run('delete', [session_key], transaction);
        // Last, so that what it locks (a user's row, which others may want) is free again soonest.
        await companion?.(transaction);
      },
      async () => new_key !== undefined && (await this.#isTaken(new_key)),
    );
  }

  /**
   * Whether a row with a key that nobody else can have is there. A transaction that is about to commit it is waited for,
   * as a SELECT would not do: an INSERT waits until the key is free or taken. What it inserts is rolled back.
   */
  async #isTaken(session_key: string): Promise<boolean> {
    const isFree = new Error('Nothing is kept of this.');
    const probe = { session_key, session_data: '', expire_date: new Date(0) };
    try {
      await this.#knex.transaction(async (transaction) => {
        await this.#insert(probe, transaction);
        throw isFree;
      });
    } catch (error) {
      if (error instanceof CreateError) return true;
      if (error !== isFree) throw error;
    }
    return false;
  }

  async delete(session_key: string): Promise<void> {
    await this.#rows.run(session_key, () => this.#run('delete', [session_key]));
  }

  async clear_expired(): Promise<number> {
    return clear_expired(this.#knex, { now: this.#now });
  }

  /** Locks the row, asks `change` what it should be, and lets `write` do it; what `change` throws is passed on as it is. */
  async #withRow<Changed>(
    session_key: string,
    change: (session_data: string) => Promise<Changed>,
    write: (changed: Changed, transaction: Knex.Transaction) => Promise<void>,
    wasCommitted: () => Promise<boolean> = async () => false,
  ): Promise<void> {
    const thrown: unknown[] = [];
    const changed = async (session_data: string): Promise<Changed> => {
      try {
        return await inTime(change(session_data), LONGEST_CHANGE, changeTookLong);
      } catch (error) {
        thrown.push(error);
        throw error;
      }
    };
    const lockAndWrite = async (transaction: Knex.Transaction): Promise<void> => {
      const { rows } = await this.#run('lock', [session_key], transaction);
      const session_data = rows[0]?.[0];
      if (typeof session_data !== 'string') throw new UpdateError('The session was deleted meanwhile.');
      await write(await changed(session_data), transaction);
    };
    await this.#rows.run(session_key, async () => {
      try {
        await this.#transact(lockAndWrite, wasCommitted);
      } catch (error) {
        // The application's own error goes round the queue, where nobody else is to give up for it.
        if (thrown.length === 0) throw error;
      }
    });
    if (thrown.length > 0) throw thrown[0];
  }

  async #transact(
    work: (transaction: Knex.Transaction) => Promise<void>,
    wasCommitted: () => Promise<boolean>,
  ): Promise<void> {
    try {
      await transact(this.#knex, work, wasCommitted);
    } catch (error) {
      throw isUnavailable(error) ? unavailable(error) : error;
    }
  }

  async #run(
    statement: keyof typeof STATEMENTS,
    values: readonly Parameter[],
    connection: Knex = this.#knex,
  ): Promise<Answer> {
    try {
      return await runPrepared(connection, STATEMENTS[statement], values, this.#prepared);
    } catch (error) {
      if (isUniqueViolation(error)) throw new CreateError('The session key is taken.', { cause: error });
      throw isUnavailable(error) ? unavailable(error) : error;
    }
  }
}

function isUniqueViolation(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && error.code === UNIQUE_VIOLATION;
}
