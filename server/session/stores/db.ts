/** Sessions in Django's table django_session or that of a custom session model (django.contrib.sessions.backends.db). */
import type { Knex } from 'knex';
import type { Clock } from '../../clock.js';
import { type BatchAnswers, type BatchCall, Batcher, type BatcherOptions } from '../../db/batcher.js';
import { clear_expired } from '../../db/clear_expired.js';
import { Deadline, inTime } from '../../db/deadline.js';
import { storedExpireDate } from '../../db/expire_date_step.js';
import { checkKnex } from '../../db/given.js';
import { lockQueue } from '../../db/lock_queue.js';
import { type Answer, type Parameter, runPrepared, type Statement } from '../../db/prepared.js';
import type { Queue } from '../../db/queue.js';
import { type Replacement, replaceRows, type Saving } from '../../db/replace_rows.js';
import { RowLocks } from '../../db/row_locks.js';
import { type SessionStatements, sessionStatements } from '../../db/session_statements.js';
import { DJANGO_SESSION } from '../../db/session_table.js';
import { isUnavailable, storeError } from '../../db/unavailable.js';
import { checkTimeout, type DatabaseBounds, databaseBounds } from '../../db/wait_bounds.js';
import { hasCode } from '../../error_code.js';
import { CreateError, ImproperlyConfigured, UpdateError } from '../../errors.js';
import { checkedClock, checkSpelling } from '../../settings/given.js';
import { type FurtherColumns, furtherColumns } from '../further_columns.js';
import { RowMerges } from '../row_merges.js';
import type { Companion, SessionChange, SessionRecord, SessionStore } from '../store.js';

const UNIQUE_VIOLATION = '23505';
const NOT_NULL = '23502';

export type { ColumnValue, FurtherColumns } from '../further_columns.js';

/** Table, further columns and timeouts of a `DatabaseStore`. */
export interface DatabaseStoreOptions {
  readonly now?: Clock;
  /** DATABASE_TIMEOUT, in seconds. Every timeout is a multiple of it (server/db/wait_bounds.ts). 1 when absent. */
  readonly timeout?: number;
  /** How reads and writes of one tick are combined into statements. */
  readonly batches?: BatcherOptions;
  /** The maximum number of connections that may wait for row locks. Half the pool, for all stores on it, when absent. */
  readonly rowLocks?: number;
  /** False behind a pgbouncer in transaction mode that keeps no prepared statements (max_prepared_statements = 0). */
  readonly prepared?: boolean;
  /** The table of a custom session model (AbstractBaseSession): `table` or `schema.table`. django_session when absent. */
  readonly table?: string;
  readonly columns?: FurtherColumns;
  /** SESSION_EXPIRE_DATE_STEP. 0 when absent. */
  readonly expireDateStep?: number;
}

const NAMES = ['now', 'timeout', 'batches', 'rowLocks', 'prepared', 'table', 'columns', 'expireDateStep'] as const;

/**
 * Stores sessions in PostgreSQL. The reads of one event-loop tick are combined into one statement, and so are its writes.
 * A locked row does not delay the other rows of its batch: it is written separately.
 *
 * ```ts
 * app.use(sessions(app, { settings, store: new DatabaseStore(knex) }));
 * ```
 */
export class DatabaseStore implements SessionStore {
  readonly serves: NonNullable<SessionStore['serves']>;
  readonly #knex: Knex;
  readonly #now: Clock;
  readonly #bounds: DatabaseBounds;
  readonly #loads: Batcher<undefined, string | null>;
  readonly #saves: Batcher<Saving, boolean>;
  readonly #rows: RowLocks;
  readonly #merges: RowMerges<SessionChange>;
  /** Limits concurrent INSERTs, which are not batched. */
  readonly #inserts: Queue;
  readonly #prepared: boolean;
  readonly #statements: SessionStatements;
  readonly #columns: DatabaseStoreOptions['columns'];
  readonly #expireDateStep: number;
  readonly #table: string;

  /**
   * @param knex connected to PostgreSQL: from `connectKnex`, or your own
   * @throws ImproperlyConfigured without one
   */
  constructor(knex: Knex, options: DatabaseStoreOptions = {}) {
    checkKnex('new DatabaseStore()', knex);
    checkSpelling('new DatabaseStore()', options, NAMES);
    const { timeout, batches, rowLocks, prepared = true } = options;
    const { table = DJANGO_SESSION, columns, expireDateStep = 0 } = options;
    this.#table = table;
    this.serves = { SESSION_ENGINE: 'db', SESSION_TABLE: table };
    this.#columns = columns;
    this.#expireDateStep = expireDateStep;
    this.#statements = sessionStatements(table);
    this.#knex = knex;
    this.#now = checkedClock(options.now);
    checkTimeout(timeout);
    const bounds = databaseBounds(timeout);
    this.#bounds = bounds;
    this.#prepared = prepared;
    this.#rows = new RowLocks(knex, table, bounds, rowLocks);
    this.#merges = new RowMerges({
      inTurn: (session_key, deadline, work) => this.#rows.inTurn(session_key, deadline, work),
      update: (session_key, change, deadline) => this.#update(session_key, change, deadline),
      reserve: bounds.statement,
    });
    this.#inserts = lockQueue(knex);
    this.#loads = new Batcher((calls) => this.#loadMany(calls), { ...batches, shared: true });
    const replacing = {
      run: (statement: 'replaceMany' | 'unchanged', values: readonly Parameter[]) => this.#run(statement, values),
      whenLocked: (row: Replacement, deadline: Deadline) =>
        this.#merges.replace(row.session_key, row.loaded, row, deadline),
    };
    // One batch at a time: two concurrent commits are slower than one commit of both batches.
    const writes = { lanes: 1, halve: true, reserve: bounds.commit };
    this.#saves = new Batcher((calls) => replaceRows(calls, replacing), { ...writes, ...batches });
  }

  deadline(): Deadline {
    return new Deadline(this.#bounds.request);
  }

  load(session_key: string, deadline = this.deadline()): Promise<string | null> {
    // Not an async function, which would cost each request two more promises.
    try {
      this.#rows.expectConnection();
    } catch (error) {
      return Promise.reject(error);
    }
    return this.#loads.call({ key: session_key, input: undefined }, deadline);
  }

  async #loadOne(session_key: string): Promise<string | null> {
    const { rows } = await this.#run('load', [session_key, String(this.#now())]);
    return rows[0]?.[0] ?? null;
  }

  async #loadMany(calls: readonly BatchCall<undefined>[]): Promise<BatchAnswers<string | null>> {
    const [only] = calls;
    if (only !== undefined && calls.length === 1) return [await this.#loadOne(only.key)];
    try {
      const { rows } = await this.#run('loadMany', [calls.map(({ key }) => key), String(this.#now())]);
      const texts = new Map<string, string>();
      for (const [session_key, session_data] of rows) texts.set(session_key as string, session_data as string);
      return calls.map(({ key }) => texts.get(key) ?? null);
    } catch (error) {
      if (isUnavailable(error)) throw error;
      // PostgreSQL may have refused one of the keys. Read each alone, so that the others succeed.
      return calls.map(({ key }) => this.#loadOne(key));
    }
  }

  async live(sessionKeys: readonly string[], deadline = this.deadline()): Promise<ReadonlySet<string>> {
    const { rows } = await inTime(this.#run('live', [sessionKeys, String(this.#now())]), deadline);
    return new Set(rows.map(([session_key]) => session_key as string));
  }

  async stored(session_key: string, deadline = this.deadline()): Promise<SessionChange | null> {
    const { rows } = await inTime(this.#run('stored', [session_key]), deadline);
    const [session_data, seconds] = rows[0] ?? [];
    if (typeof session_data !== 'string') return null;
    return { session_data, expire_date: new Date(Number(seconds) * 1000) };
  }

  async exists(session_key: string, deadline = this.deadline()): Promise<boolean> {
    this.#rows.expectConnection();
    const { rows } = await inTime(this.#run('exists', [session_key]), deadline);
    return rows.length > 0;
  }

  /** The knex. Rows on the same knex can be written in the same commit as a session (see `Companion`). */
  get database(): object {
    return this.#knex;
  }

  async create(record: SessionRecord, companion?: Companion, deadline = this.deadline()): Promise<void> {
    const { session_key } = record;
    this.#rows.expectConnection();
    if (companion === undefined) {
      return inTime(
        this.#inserts.run(null, deadline, () => this.#insert(record), this.#bounds.statement),
        deadline,
      );
    }
    // In the queue of row locks, because the companion may wait for a lock.
    const insertBoth = async (transaction: Knex.Transaction): Promise<void> => {
      await this.#insert(record, transaction);
      await companion(transaction);
    };
    await this.#rows.inTurn(session_key, deadline, () =>
      this.#rows.transact(insertBoth, deadline, () => this.#isTaken(session_key)),
    );
  }

  async #insert(record: SessionRecord, connection?: Knex): Promise<void> {
    const { session_key, session_data } = record;
    const further = furtherColumns(this.#columns, record);
    const values = [session_key, session_data, this.#expireDate(record), ...further.values()];
    await this.#ask(this.#statements.create([...further.keys()]), values, connection);
  }

  async replace(loaded: string, record: SessionRecord, deadline = this.deadline()): Promise<boolean> {
    const { session_key, session_data } = record;
    const isInside = this.#rows.isInside(session_key);
    const row = { session_key, session_data, expire_date: this.#expireDate(record), loaded };
    // Inside the change of another row: written at once. A batch would pass a locked row to the queue, where the outer
    // change already occupies a slot.
    if (isInside) return inTime(this.#replaceOne(row), deadline);
    const bytes = session_data.length + loaded.length;
    return this.#saves.call({ key: session_key, input: { row, deadline }, bytes }, deadline);
  }

  async #replaceOne({ session_key, session_data, expire_date, loaded }: Replacement): Promise<boolean> {
    const { rowCount } = await this.#run('replace', [session_data, expire_date, session_key, loaded]);
    return rowCount === 1;
  }

  async modify(
    session_key: string,
    change: (session_data: string) => Promise<SessionChange>,
    deadline = this.deadline(),
  ): Promise<void> {
    await this.#rows.change(session_key, deadline, {
      before: () => this.#merges.writeWaiting(session_key),
      lock: (transaction) => this.#lock(session_key, transaction),
      change,
      write: (changed, transaction) => this.#write(session_key, changed, transaction),
    });
  }

  merge(
    session_key: string,
    change: (session_data: string) => SessionChange,
    deadline = this.deadline(),
  ): Promise<void> {
    return this.#merges.merge(session_key, change, deadline);
  }

  async #update(
    session_key: string,
    change: (session_data: string) => Promise<SessionChange | undefined>,
    deadline: Deadline,
  ): Promise<void> {
    await this.#rows.transact(async (transaction) => {
      const session_data = await this.#lock(session_key, transaction);
      if (typeof session_data !== 'string') throw new UpdateError('The session was deleted meanwhile.');
      const changed = await change(session_data);
      if (changed !== undefined) await this.#write(session_key, changed, transaction);
    }, deadline);
  }

  async #write(session_key: string, changed: SessionChange, transaction: Knex.Transaction): Promise<void> {
    const expire_date = this.#expireDate({ ...changed, session_key });
    await this.#run('modify', [changed.session_data, expire_date, session_key], transaction);
  }

  async cycle(
    session_key: string,
    change: (session_data: string) => Promise<SessionRecord>,
    companion?: Companion,
    deadline = this.deadline(),
  ): Promise<void> {
    let newKey: string | undefined;
    await this.#rows.change(session_key, deadline, {
      before: () => this.#merges.writeWaiting(session_key),
      lock: (transaction) => this.#lock(session_key, transaction),
      change,
      write: async (record, transaction) => {
        newKey = record.session_key;
        const further = furtherColumns(this.#columns, record);
        const expire_date = this.#expireDate(record);
        const values = [record.session_key, record.session_data, expire_date, ...further.values(), session_key];
        await this.#ask(this.#statements.cycle([...further.keys()]), values, transaction);
        // Last, to hold its locks (such as a user's row) for the shortest time.
        await companion?.(transaction);
      },
      wasCommitted: async () => newKey !== undefined && (await this.#isTaken(newKey)),
    });
  }

  async #lock(session_key: string, transaction: Knex.Transaction): Promise<string | null | undefined> {
    const { rows } = await this.#run('lock', [session_key], transaction);
    return rows[0]?.[0];
  }

  /**
   * Whether our transaction with this new random key was committed. Tries to INSERT the key and rolls back: unlike a
   * SELECT, an INSERT waits for a transaction that is about to commit the same key.
   */
  async #isTaken(session_key: string): Promise<boolean> {
    const isFree = new Error('Rolls back the probe.');
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

  #expireDate(record: Pick<SessionRecord, 'session_key' | 'expire_date' | 'lifetime'>): Date {
    return storedExpireDate(record, this.#expireDateStep);
  }

  async delete(session_key: string, deadline = this.deadline()): Promise<void> {
    await this.#rows.inTurn(session_key, deadline, () => this.#run('delete', [session_key]));
  }

  async clear_expired(): Promise<number> {
    return clear_expired(this.#knex, { now: this.#now, table: this.#table });
  }

  #run(
    statement: Exclude<keyof SessionStatements, 'create' | 'cycle'>,
    values: readonly Parameter[],
    connection?: Knex,
  ): Promise<Answer> {
    return this.#ask(this.#statements[statement], values, connection);
  }

  async #ask(statement: Statement, values: readonly Parameter[], connection: Knex = this.#knex): Promise<Answer> {
    try {
      return await runPrepared(connection, statement, values, this.#prepared);
    } catch (error) {
      if (hasCode(error, UNIQUE_VIOLATION)) throw new CreateError('The session key is taken.', { cause: error });
      if (hasCode(error, NOT_NULL)) {
        const message = `Table ${this.#table} has a column that must not be NULL and was not given. Fill it with the option \`columns\` of DatabaseStore.`;
        throw new ImproperlyConfigured(message, { cause: error });
      }
      throw storeError(error);
    }
  }
}
