/** Leaves connections to others: at most so many of one kind at a time, however slow what they ask for is. */
import type { Knex } from 'knex';
import { isUnavailable, unavailable } from './unavailable.js';

/** Seconds that anybody waits for a turn. Together with the timeouts of a statement it stays within three seconds. */
const PATIENCE = 0.5;

/** Milliseconds: whoever waited longer gives up together with whoever met a fault, instead of meeting it too. */
const FRESH = 150;

interface Waiting {
  readonly since: number;
  readonly begin: () => void;
  readonly giveUp: () => void;
}

/** The share of a pool's connections that one kind of work may take: half of them, so that a locked table is not all. */
export function shareOf(knex: Knex): number {
  const { pool } = (knex.client as { readonly config: Knex.Config }).config;
  return Math.max(1, Math.floor((pool?.max ?? 10) / 2));
}

/** Runs at most `most` at a time; the others wait in line. */
export class Turns {
  readonly #most: number;
  #taken = 0;
  readonly #waiting = new Set<Waiting>();

  constructor(most: number) {
    this.#most = most;
  }

  /**
   * What `work` gives, once it is its turn.
   * @throws StoreUnavailable when it does not come in time, or when what came before found the database away
   */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#taken < this.#most) this.#taken += 1;
    else await this.#turn();
    try {
      return await work();
    } catch (error) {
      if (isUnavailable(error)) this.#giveUpStale();
      throw error;
    } finally {
      this.#pass();
    }
  }

  #turn(): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiting: Waiting = {
        since: performance.now(),
        begin: () => {
          clearTimeout(timer);
          this.#waiting.delete(waiting);
          resolve();
        },
        giveUp: () => {
          clearTimeout(timer);
          this.#waiting.delete(waiting);
          reject(unavailable(new Error(`${this.#most} others of this kind wait already.`)));
        },
      };
      const timer = setTimeout(waiting.giveUp, PATIENCE * 1000);
      this.#waiting.add(waiting);
    });
  }

  #giveUpStale(): void {
    const fresh = performance.now() - FRESH;
    for (const { since, giveUp } of [...this.#waiting]) if (since < fresh) giveUp();
  }

  /** A turn that ended goes to whoever waited longest. */
  #pass(): void {
    const [next] = this.#waiting;
    if (next === undefined) this.#taken -= 1;
    else next.begin();
  }
}
