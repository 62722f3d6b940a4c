/**
 * A semaphore with keys and deadlines: at most one task per key, and at most `most` in total.
 *
 * Work is in one of three states:
 *
 * - waiting: its key is busy, or all slots are taken. Tasks of a request that already had a turn start first, the others
 *   in the order of arrival. Otherwise, with more requests than can be served in time, all would be half done at their
 *   deadlines, and nobody served.
 * - running: it occupies a slot until it settles, even if its caller's deadline has passed.
 * - given up: its turn did not come with enough time left for the task. It never runs.
 *
 * An error of a task is passed only to its caller. Other tasks still run, each until its own deadline.
 */
import { type Deadline, late, whenOver } from './deadline.js';

interface Waiting {
  readonly key: string | null;
  readonly deadline: Deadline;
  readonly begin: () => void;
}

export class Queue {
  readonly #most: number;
  readonly #within: Queue | undefined;
  readonly #busy = new Set<string>();
  /** The deadlines of requests that had a turn. */
  readonly #served = new WeakSet<Deadline>();
  #running = 0;
  #waiting: Waiting[] = [];

  /**
   * @param most tasks that may run at once
   * @param within a queue that limits the tasks of several queues together
   */
  constructor(most: number, within?: Queue) {
    this.#most = most;
    this.#within = within;
  }

  /**
   * Runs `work` when its turn comes, and returns its result.
   * @param key tasks of one key run one after the other; null for a task that may run beside any other
   * @param reserve seconds that must be left before the deadline when the work starts. Otherwise it could still write after
   *   its caller got a 503
   * @throws StoreUnavailable when its turn does not come before the deadline
   */
  async run<T>(key: string | null, deadline: Deadline, work: () => Promise<T>, reserve = 0): Promise<T> {
    const patience = (): number => deadline.left() - reserve * 1000;
    if (patience() < 0) throw late();
    if (this.#isFree(key)) this.#take(key);
    else await this.#turn(key, deadline, patience);
    this.#served.add(deadline);
    try {
      return await (this.#within === undefined ? work() : this.#within.run(null, deadline, work, reserve));
    } finally {
      this.#running -= 1;
      if (key !== null) this.#busy.delete(key);
      this.#next();
    }
  }

  #isFree(key: string | null): boolean {
    return this.#running < this.#most && (key === null || !this.#busy.has(key));
  }

  #take(key: string | null): void {
    this.#running += 1;
    if (key !== null) this.#busy.add(key);
  }

  /** @param patience the milliseconds that are left for waiting */
  #turn(key: string | null, deadline: Deadline, patience: () => number): Promise<void> {
    return new Promise((resolve, reject) => {
      deadline.begin();
      const leave = (): void => {
        end();
        deadline.end();
        this.#waiting = this.#waiting.filter((other) => other !== waiting);
      };
      const begin = (): void => {
        leave();
        resolve();
      };
      const waiting = { key, deadline, begin };
      const end = whenOver(patience, () => {
        leave();
        reject(late());
      });
      this.#waiting.push(waiting);
    });
  }

  #next(): void {
    while (this.#running < this.#most) {
      const free = this.#waiting.filter(({ key }) => this.#isFree(key));
      // Asked now: otherwise the next call of a request would overtake one that it made before its first turn.
      const next = free.find(({ deadline }) => this.#served.has(deadline)) ?? free[0];
      if (next === undefined) return;
      this.#take(next.key);
      next.begin();
    }
  }
}
