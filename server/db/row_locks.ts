/**
 * Changes rows under their lock, with a limit on how many connections may wait for locks.
 *
 * Between processes, PostgreSQL's row lock orders the changes. In this process they wait in a queue, one at a time per row,
 * so that waiting changes occupy only a part of the pool. All stores on one knex share the queue.
 */
import type { Knex } from 'knex';
import { ImproperlyConfigured, UpdateError } from '../errors.js';
import { Deadline, inTime, late, tookLong } from './deadline.js';
import { lockQueue, poolSize } from './lock_queue.js';
import { NestedChanges } from './nested_changes.js';
import type { Queue } from './queue.js';
import { transact } from './transaction.js';
import { storeError } from './unavailable.js';
import type { DatabaseBounds } from './wait_bounds.js';

/** A change of a row in one transaction. */
export interface RowChange<Changed> {
  /** Runs first, when it is the row's turn. */
  readonly before: () => Promise<void>;
  /** Locks the row and returns its session_data; undefined or null if there is no row. */
  readonly lock: (transaction: Knex.Transaction) => Promise<string | null | undefined>;
  /** The application's function: returns the new row. Its errors are passed on unchanged. */
  readonly change: (text: string) => Promise<Changed>;
  readonly write: (changed: Changed, transaction: Knex.Transaction) => Promise<void>;
  /** See `transact`. When absent, a COMMIT without an answer counts as failed. */
  readonly wasCommitted?: () => Promise<boolean>;
}

/** What all stores on one knex share: they also share its connections. */
interface Shared {
  readonly queue: Queue;
  /** The rows whose `change` runs. */
  readonly changing: NestedChanges;
}

const sharedBy = new WeakMap<Knex, Shared>();

function sharedOf(knex: Knex): Shared {
  const shared = sharedBy.get(knex) ?? { queue: lockQueue(knex), changing: new NestedChanges() };
  sharedBy.set(knex, shared);
  return shared;
}

export class RowLocks {
  readonly #knex: Knex;
  readonly #table: string;
  readonly #bounds: DatabaseBounds;
  readonly #queue: Queue;
  readonly #changing: NestedChanges;

  /**
   * @param table of the rows
   * @param most the maximum number of connections that may wait for locks of this table's rows; half of the pool for all
   *   stores together when absent
   */
  constructor(knex: Knex, table: string, bounds: DatabaseBounds, most?: number) {
    const { queue, changing } = sharedOf(knex);
    this.#knex = knex;
    this.#table = table;
    this.#bounds = bounds;
    this.#queue = most === undefined ? queue : lockQueue(knex, most);
    this.#changing = changing;
  }

  /**
   * Whether this is called from inside the change of another row.
   * @throws ValueError inside the change of the same row; as `expectConnection`
   */
  isInside(key: string): boolean {
    this.expectConnection();
    return this.#changing.check(this.#row(key));
  }

  /** @throws ImproperlyConfigured if this is called from inside a change that has the pool's only connection */
  expectConnection(): void {
    if (poolSize(this.#knex) > 1 || !this.#changing.isInside) return;
    throw new ImproperlyConfigured(
      'Inside `atomic`, another session needs a second connection, and the pool has one. Give the pool 2 connections or more (DATABASE_POOL, or pool.max of your knex), or use the other session before or after `atomic`.',
    );
  }

  /** A row's name among those of all tables. */
  #row(key: string): string {
    return `${this.#table} ${key}`;
  }

  /**
   * Runs work that may wait for the row's lock, in the queue.
   *
   * Inside the change of another row, the work runs at once, on another connection. That change already occupies a slot of
   * the queue: if all of them waited for a second slot, they would deadlock.
   */
  inTurn<T>(key: string, deadline: Deadline, work: () => Promise<T>): Promise<T> {
    const turn = (): Promise<T> => this.#queue.run(this.#row(key), deadline, work, this.#bounds.statement);
    return inTime(this.isInside(key) ? work() : turn(), deadline);
  }

  /**
   * In the queue and in a transaction: locks the row, calls `change` with its text, and passes the result to `write`.
   * @throws UpdateError when the row does not exist
   */
  async change<Changed>(key: string, deadline: Deadline, row: RowChange<Changed>): Promise<void> {
    const thrown: unknown[] = [];
    const changed = async (text: string): Promise<Changed> => {
      try {
        return await this.#changed(key, () => row.change(text), deadline);
      } catch (error) {
        thrown.push(error);
        throw error;
      }
    };
    const lockAndWrite = async (transaction: Knex.Transaction): Promise<void> => {
      const text = await row.lock(transaction);
      if (typeof text !== 'string') throw new UpdateError('The session was deleted meanwhile.');
      await row.write(await changed(text), transaction);
    };
    try {
      await this.inTurn(key, deadline, async () => {
        await row.before();
        await this.transact(lockAndWrite, deadline, row.wasCommitted);
      });
    } catch (error) {
      throw thrown.length > 0 ? thrown[0] : error;
    }
  }

  /** Runs the application's function. Its time does not count towards the deadline, but has its own timeout. */
  async #changed<Changed>(key: string, change: () => Promise<Changed>, deadline: Deadline): Promise<Changed> {
    const own = new Deadline(this.#bounds.change);
    if (deadline.left() <= 0) throw late();
    deadline.end();
    try {
      return await inTime(this.#changing.run(this.#row(key), change), own, tookLong(own));
    } finally {
      deadline.begin();
    }
  }

  /**
   * Runs work in a transaction. Rolls back instead of committing when too little time is left to report the result: a
   * visitor who gets 503 tries again, and must find the row unchanged.
   */
  async transact(
    work: (transaction: Knex.Transaction) => Promise<void>,
    deadline: Deadline,
    wasCommitted: () => Promise<boolean> = async () => false,
  ): Promise<void> {
    const workInTime = async (transaction: Knex.Transaction): Promise<void> => {
      await work(transaction);
      deadline.require(this.#bounds.commit);
    };
    try {
      await transact(this.#knex, workInTime, wasCommitted);
    } catch (error) {
      throw storeError(error);
    }
  }
}
