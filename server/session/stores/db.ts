/** Sessions in Django's table django_session, or in that of a session model of one's own, through knex and pg (django.contrib.sessions.backends.db). */
import type { Knex } from 'knex';
import { type Clock, systemClock } from '../../clock.js';
import { clear_expired } from '../../db/clear_expired.js';
import { type Answer, type Parameter, runPrepared, type Statement } from '../../db/prepared.js';
import { DJANGO_SESSION } from '../../db/session_table.js';
import { shareOf } from '../../db/turns.js';
import { isUnavailable, unavailable } from '../../db/unavailable.js';
import { CreateError, ImproperlyConfigured, type StoreUnavailable, UpdateError } from '../../errors.js';
import { Document } from '../document.js';
import type { Companion, SessionChange, SessionRecord, SessionStore } from '../store.js';
import { inTime } from './in_time.js';
import type { LanesOptions } from './lanes.js';
import { LoadBatch } from './load_batch.js';
import { RowQueue } from './row_queue.js';
import { type Replacement, SaveBatch } from './save_batch.js';
import { type SessionStatements, sessionStatements } from './statements.js';
import { transact } from './transaction.js';

const UNIQUE_VIOLATION = '23505';
const NOT_NULL = '23502';
const OWN_COLUMNS: ReadonlySet<string> = new Set(['session_key', 'session_data', 'expire_date']);

/** Milliseconds that the application may hold a row's lock; after as many the database ends a transaction that is idle. */
const LONGEST_CHANGE = 4000;

const changeTookLong = (): StoreUnavailable =>
  unavailable(new Error(`A change of a session took more than ${LONGEST_CHANGE / 1000} seconds.`));

/** A value of a further column. */
export type ColumnValue = string | number | bigint | boolean | Date | null;

export interface DatabaseStoreOptions {
  readonly now?: Clock;
  /** How reads and writes of one tick share statements. */
  readonly batches?: LanesOptions;
  /** The most connections that wait for the locks of rows, so that the others are free; half the pool when absent. */
  readonly row_locks?: number;
  /** False behind a pgbouncer in transaction mode that keeps no prepared statements (max_prepared_statements = 0). */
  readonly prepared?: boolean;
  /** The table of a session model of one's own (AbstractBaseSession), `schema.table` in a schema of its own. */
  readonly table?: string;
  /**
   * The values of the model's further columns, for which a Django overrides `create_model_instance`:
   *
   * ```ts
   * columns: (data) => ({ account_id: data.get('_auth_user_id') ?? null })
   * ```
   *
   * Asked for a row that is added, and for one that takes a new key, as at login; a column that is not named then keeps
   * what the former row had. All other writes leave these columns as they are. Django asks at every save.
   */
  readonly columns?: (
    data: ReadonlyMap<string, unknown>,
    record: SessionRecord,
  ) => Readonly<Record<string, ColumnValue | undefined>>;
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
  readonly #statements: SessionStatements;
  readonly #columns: DatabaseStoreOptions['columns'];
  readonly #table: string;

  /** @param knex connected to PostgreSQL with server/db/knex.ts's timeouts, or your own */
  constructor(knex: Knex, options: DatabaseStoreOptions = {}) {
    const { now = systemClock, batches, row_locks = shareOf(knex), prepared = true } = options;
    const { table = DJANGO_SESSION, columns } = options;
    this.#table = table;
    this.#columns = columns;
    this.#statements = sessionStatements(table);
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

  async #insert(record: SessionRecord, connection?: Knex): Promise<void> {
    const { session_key, session_data, expire_date } = record;
    const further = this.#furtherColumns(record);
    const values = [session_key, session_data, expire_date, ...further.values()];
    await this.#ask(this.#statements.create([...further.keys()]), values, connection);
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
        const further = this.#furtherColumns(record);
        const values = [record.session_key, record.session_data, record.expire_date, ...further.values(), session_key];
        await this.#ask(this.#statements.cycle([...further.keys()]), values, transaction);
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
    return clear_expired(this.#knex, { now: this.#now, table: this.#table });
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

  /** The columns beside Django's three that `columns` names, and their values as PostgreSQL reads them. */
  #furtherColumns(record: SessionRecord): ReadonlyMap<string, Parameter> {
    const values = new Map<string, Parameter>();
    if (this.#columns === undefined) return values;
    const document = Document.fromTexts(record.texts ?? new Map());
    const data = new Map(document.keys().map((key) => [key, document.get(key)]));
    for (const [column, value] of Object.entries(this.#columns(data, record))) {
      if (OWN_COLUMNS.has(column))
        throw new ImproperlyConfigured(`\`columns\` names ${column}, which the store fills.`);
      if (value === undefined) continue;
      values.set(column, value === null || value instanceof Date ? value : String(value));
    }
    return values;
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
      throw isUnavailable(error) ? unavailable(error) : error;
    }
  }
}

function hasCode(error: unknown, code: string): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && error.code === code;
}
