/** Lets those wait in line who wait for a row's lock, so that they do not take all connections. */
import { StoreUnavailable } from '../../errors.js';

interface Turn {
  readonly session_key: string;
  readonly since: number;
  readonly run: () => Promise<void>;
  readonly reject: (error: unknown) => void;
}

/** Milliseconds: whoever waited longer for the same session gives up together with who waited for the lock. */
const FRESH = 150;

/**
 * Milliseconds after which nobody waits on, whatever the session: a turn that begins later would end after the three
 * seconds in which a page answers.
 */
const LONGEST = 1500;

/** The same where turns succeed, and only take long: one that begins then still ends in time. */
const LATEST = 2500;

const others = (): StoreUnavailable =>
  new StoreUnavailable('Others change this session all the time. Try again in a moment.');

/**
 * Runs what may have to wait for a row's lock: one at a time for a session, a few at a time altogether. Fifty requests
 * that change one session hold one connection, and the pool has others for everybody else.
 */
export class RowQueue {
  readonly #most: number;
  readonly #timedOut: () => StoreUnavailable;
  readonly #busy = new Set<string>();
  #waiting: Turn[] = [];

  /**
   * @param most connections that may wait for locks at once
   * @param timedOut makes the error for those whose turn did not come in time
   */
  constructor(most: number, timedOut: () => StoreUnavailable = others) {
    this.#most = most;
    this.#timedOut = timedOut;
  }

  /**
   * What `work` gives, once it is this session's turn; `work` holds the row's lock at most until it settles. When it is
   * rejected with StoreUnavailable, so are those who have waited for a while.
   */
  run<T>(session_key: string, work: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const run = async (): Promise<void> => {
        try {
          resolve(await work());
        } catch (error) {
          reject(error);
          if (error instanceof StoreUnavailable) this.#rejectStale(session_key, error);
        }
        const latest = performance.now() - LATEST;
        this.#reject(({ since }) => since < latest, this.#timedOut);
      };
      this.#waiting.push({ session_key, since: performance.now(), run, reject });
      this.#start();
    });
  }

  #start(): void {
    while (this.#busy.size < this.#most) {
      const index = this.#waiting.findIndex(({ session_key }) => !this.#busy.has(session_key));
      const [turn] = index < 0 ? [] : this.#waiting.splice(index, 1);
      if (turn === undefined) return;
      this.#busy.add(turn.session_key);
      void turn.run().then(() => {
        this.#busy.delete(turn.session_key);
        this.#start();
      });
    }
  }

  #rejectStale(session_key: string, error: unknown): void {
    const now = performance.now();
    this.#reject(
      (turn) => now - turn.since > (turn.session_key === session_key ? FRESH : LONGEST),
      () => error,
    );
  }

  #reject(isStale: (turn: Turn) => boolean, error: () => unknown): void {
    const stale = this.#waiting.filter(isStale);
    if (stale.length === 0) return;
    this.#waiting = this.#waiting.filter((turn) => !isStale(turn));
    for (const { reject } of stale) reject(error());
  }
}
