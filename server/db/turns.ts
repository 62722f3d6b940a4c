/** Leaves connections to others: at most so many of one kind at a time, however slow what they ask for is. */
import type { Knex } from 'knex';
import { isUnavailable, unavailable } from './unavailable.js';

/**
 * Milliseconds after which a turn that comes is no use any more, as its answer would come too late. Looked at when a turn
 * ends, which the timeouts of statements bound; a timer of its own would also fire when only this process was busy.
 */
const LONGEST = 1000;

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
  /** Whoever waits longest comes first. */
  readonly #waiting: Waiting[] = [];

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
      if (isUnavailable(error)) this.#giveUp(FRESH);
      throw error;
    } finally {
      this.#giveUp(LONGEST);
      this.#pass();
    }
  }

  #turn(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({
        since: performance.now(),
        begin: resolve,
        giveUp: () => reject(unavailable(new Error(`${this.#most} others of this kind took too long.`))),
      });
    });
  }

  /** Tells those who have waited longer than that. */
  #giveUp(milliseconds: number): void {
    const oldest = performance.now() - milliseconds;
    while ((this.#waiting[0]?.since ?? oldest) < oldest) this.#waiting.shift()?.giveUp();
  }

  /** A turn that ended goes to whoever waited longest. */
  #pass(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#taken -= 1;
    else next.begin();
  }
}
