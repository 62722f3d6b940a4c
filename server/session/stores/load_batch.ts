/** Reads of many sessions in one statement. */
import { type Job, Lanes, type LanesOptions } from './lanes.js';

export interface LoadStatements {
  /** The row's text, or null. */
  one(session_key: string): Promise<string | null>;
  /** The texts of those rows that there are, by key. */
  many(session_keys: readonly string[]): Promise<ReadonlyMap<string, string>>;
  /** Whether an error says that the database is away: asking again for each alone would not help then. */
  isUnavailable(error: unknown): boolean;
  /** The error for reads that were given up. */
  timedOut(): unknown;
}

interface Waiter {
  readonly resolve: (session_data: string | null) => void;
  readonly reject: (error: unknown) => void;
}

/** All reads of one session that go out together. */
class Load implements Job {
  readonly session_key: string;
  readonly #waiters: Waiter[] = [];
  readonly #open: Map<string, Load>;

  /** @param open where later reads look for this one, to join it */
  constructor(session_key: string, open: Map<string, Load>) {
    this.session_key = session_key;
    this.#open = open;
  }

  join(): Promise<string | null> {
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject });
    });
  }

  resolve(session_data: string | null): void {
    for (const { resolve } of this.#waiters) resolve(session_data);
  }

  reject(error: unknown): void {
    // Given up before it was sent: whoever joined it now would wait for ever.
    if (this.#open.get(this.session_key) === this) this.#open.delete(this.session_key);
    for (const { reject } of this.#waiters) reject(error);
  }
}

/**
 * Joins the reads of one tick into one `= ANY($1)`, and those of one session into one.
 *
 * A read never joins a statement that is on its way: that one may have looked before a write which this visitor has
 * already been told of, such as a logout.
 */
export class LoadBatch {
  readonly #statements: LoadStatements;
  readonly #lanes: Lanes<Load>;
  /** Reads that are not on their way yet, by session. A new one for each batch, for the reason that Lanes gives. */
  #open = new Map<string, Load>();

  constructor(statements: LoadStatements, options: LanesOptions = {}) {
    this.#statements = statements;
    this.#lanes = new Lanes((loads: readonly Load[]) => this.#send(loads), statements.timedOut, options);
  }

  /** The row's `session_data`, or null. */
  load(session_key: string): Promise<string | null> {
    const open = this.#open.get(session_key);
    if (open !== undefined) return open.join();
    const load = new Load(session_key, this.#open);
    const answer = load.join();
    this.#open.set(session_key, load);
    this.#lanes.add(load);
    return answer;
  }

  async #send(loads: readonly Load[]): Promise<void> {
    for (const { session_key } of loads) this.#open.delete(session_key);
    if (this.#open.size === 0) this.#open = new Map();
    const [only] = loads;
    if (only !== undefined && loads.length === 1) return this.#alone(only);
    try {
      const found = await this.#statements.many(loads.map(({ session_key }) => session_key));
      for (const load of loads) load.resolve(found.get(load.session_key) ?? null);
    } catch (error) {
      if (this.#statements.isUnavailable(error)) throw error;
      // One key that PostgreSQL refuses does not take the others with it.
      await Promise.all(loads.map((load) => this.#alone(load)));
    }
  }

  async #alone(load: Load): Promise<void> {
    try {
      load.resolve(await this.#statements.one(load.session_key));
    } catch (error) {
      if (this.#statements.isUnavailable(error)) throw error;
      load.reject(error);
    }
  }
}
