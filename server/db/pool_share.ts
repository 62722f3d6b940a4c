/** A share of a pool's connections, for statements that may wait for a lock. */
import type { Knex } from 'knex';
import { ValueError } from '../errors.js';
import { Deadline, inTime } from './deadline.js';
import { lockQueue } from './lock_queue.js';
import type { Queue } from './queue.js';
import { storeError } from './unavailable.js';
import { checkTimeout, type DatabaseBounds, databaseBounds } from './wait_bounds.js';

const ofPages = new WeakMap<Knex, Queue>();

/** Uses at most half of the connections, so that a locked table does not block statements on other tables. */
export class PoolShare {
  readonly #bounds: DatabaseBounds;
  readonly #queue: Queue;

  /**
   * @param timeout DATABASE_TIMEOUT, seconds
   * @param queue shared with other instances; a new one when absent
   */
  constructor(knex: Knex, timeout?: number, queue?: Queue) {
    checkTimeout(timeout);
    this.#bounds = databaseBounds(timeout);
    this.#queue = queue ?? lockQueue(knex);
  }

  /** The share, one per knex, for the tables that only some pages need: login attempts, goods. */
  static ofPages(knex: Knex, timeout?: number): PoolShare {
    const queue = ofPages.get(knex) ?? lockQueue(knex);
    ofPages.set(knex, queue);
    return new PoolShare(knex, timeout, queue);
  }

  /** The request's deadline, with our bound if it has none yet. A new one for work outside of a request. */
  deadline(ofRequest = new Deadline(this.#bounds.request)): Deadline {
    if (!(ofRequest instanceof Deadline)) {
      throw new ValueError('A deadline is what `requestDeadline(ctx)` returns. Leave it out for one of its own.');
    }
    return ofRequest.boundBy(this.#bounds.request);
  }

  /** @throws StoreUnavailable at the deadline, or when the database is unavailable; otherwise what `work` throws */
  async run<T>(work: () => PromiseLike<T>, ofRequest?: Deadline): Promise<T> {
    const deadline = this.deadline(ofRequest);
    // In a request whose engine has a shorter timeout than this table no statement would ever begin.
    const reserve = this.#bounds.statement * Math.min(1, deadline.total / this.#bounds.request);
    try {
      return await inTime(
        this.#queue.run(null, deadline, async () => work(), reserve),
        deadline,
      );
    } catch (error) {
      throw storeError(error);
    }
  }
}
