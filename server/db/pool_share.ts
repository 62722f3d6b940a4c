/** A share of a pool's connections, for statements that may have to wait for a lock. */
import type { Knex } from 'knex';
import { Deadline, inTime } from './deadline.js';
import { Queue } from './queue.js';
import { storeError } from './unavailable.js';
import { type DatabaseBounds, databaseBounds, shareOf } from './wait_bounds.js';

const ofPages = new WeakMap<Knex, Queue>();

/** Half of the connections at most, so that a table that is locked leaves the others to those who do not need it. */
export class PoolShare {
  readonly #bounds: DatabaseBounds;
  readonly #queue: Queue;

  /**
   * @param timeout DATABASE_TIMEOUT, seconds
   * @param queue to be shared with others
   */
  constructor(knex: Knex, timeout?: number, queue?: Queue) {
    this.#bounds = databaseBounds(timeout);
    this.#queue = queue ?? new Queue(shareOf(knex), this.#bounds.statement);
  }

  /** The one share of all tables that single pages need: attempts, goods, lists of sessions. */
  static ofPages(knex: Knex, timeout?: number): PoolShare {
    const queue = ofPages.get(knex) ?? new Queue(shareOf(knex), databaseBounds(timeout).statement);
    ofPages.set(knex, queue);
    return new PoolShare(knex, timeout, queue);
  }

  /** For work that does not belong to a request with a deadline of its own. */
  deadline(): Deadline {
    return new Deadline(this.#bounds.request);
  }

  /** @throws StoreUnavailable at the deadline, or when the database is away; otherwise what `work` throws */
  async run<T>(work: () => PromiseLike<T>, deadline = this.deadline()): Promise<T> {
    try {
      return await inTime(
        this.#queue.run(null, deadline, async () => work()),
        deadline,
      );
    } catch (error) {
      throw storeError(error);
    }
  }
}
