/**
 * Rows that are changed under their lock: who may wait for one, for how long, and what becomes of a change that took long.
 *
 * PostgreSQL's own lock decides between processes. In this process those who want one row take turns, and only so many
 * connections wait for locks at all, so that the others of the pool are free.
 */
import type { Knex } from 'knex';
import { UpdateError } from '../errors.js';
import { Deadline, inTime, late } from './deadline.js';
import { NestedChanges } from './nested_changes.js';
import { Queue } from './queue.js';
import { transact } from './transaction.js';
import { storeError, unavailable } from './unavailable.js';
import type { DatabaseBounds } from './wait_bounds.js';

/** A change of a row in one transaction. */
export interface RowChange<Changed> {
  /** Locks the row and gives its text; undefined or null where there is none. */
  readonly lock: (transaction: Knex.Transaction) => Promise<string | null | undefined>;
  /** The application's: what the row should be. What it throws is passed on as it is. */
  readonly change: (text: string) => Promise<Changed>;
  readonly write: (changed: Changed, transaction: Knex.Transaction) => Promise<void>;
  /** See `transact`; it was not when absent. */
  readonly wasCommitted?: () => Promise<boolean>;
}

export class RowLocks {
  readonly #knex: Knex;
  readonly #bounds: DatabaseBounds;
  readonly #queue: Queue;
  /** The rows whose `change` runs. */
  readonly #changing = new NestedChanges();

  /** @param most connections that may wait for locks */
  constructor(knex: Knex, most: number, bounds: DatabaseBounds) {
    this.#knex = knex;
    this.#bounds = bounds;
    this.#queue = new Queue(most, bounds.statement);
  }

  /**
   * Whether this is called from inside the change of another row.
   * @throws ValueError inside the change of this very row
   */
  isInside(key: string): boolean {
    return this.#changing.check(key);
  }

  /**
   * Does what may have to wait for the row's lock, when it is this row's turn.
   *
   * Inside of a change of another row there is a place already: a second one would have to be waited for by all who hold
   * one. Then it is done at once, on a connection of its own.
   */
  inTurn<T>(key: string, deadline: Deadline, work: () => Promise<T>): Promise<T> {
    return inTime(this.isInside(key) ? work() : this.#queue.run(key, deadline, work), deadline);
  }

  /**
   * Locks the row, asks `change` what it should be, and lets `write` do it, when it is this row's turn.
   * @throws UpdateError when there is no such row
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
      await this.inTurn(key, deadline, () => this.transact(lockAndWrite, deadline, row.wasCommitted));
    } catch (error) {
      throw thrown.length > 0 ? thrown[0] : error;
    }
  }

  /** The application's own time does not count as a wait for the database, and has a bound of its own. */
  async #changed<Changed>(key: string, change: () => Promise<Changed>, deadline: Deadline): Promise<Changed> {
    const seconds = this.#bounds.change;
    const tookLong = (): Error => unavailable(new Error(`A change of a session took more than ${seconds} seconds.`));
    if (deadline.left() <= 0) throw late();
    deadline.end();
    try {
      return await inTime(this.#changing.run(key, change), new Deadline(seconds), tookLong);
    } finally {
      deadline.begin();
    }
  }

  /**
   * Work in a transaction. A COMMIT is sent only while its answer can be told in time: those who were told 503 try again,
   * and should find what there was before.
   */
  async transact(
    work: (transaction: Knex.Transaction) => Promise<void>,
    deadline: Deadline,
    wasCommitted: () => Promise<boolean> = async () => false,
  ): Promise<void> {
    const workInTime = async (transaction: Knex.Transaction): Promise<void> => {
      await work(transaction);
      if (deadline.left() < this.#bounds.commit * 1000) throw late();
    };
    try {
      await transact(this.#knex, workInTime, wasCommitted);
    } catch (error) {
      throw storeError(error);
    }
  }
}
