/** The deadline of a request: created once, and passed to every wait for PostgreSQL and Redis. */
import { markClasses } from '../errors/copies.js';
import { unavailable } from './unavailable.js';
import { databaseBounds } from './wait_bounds.js';

/**
 * The time budget of all waits of one request together. It decreases while at least one wait is running; the
 * application's own time between them does not count.
 *
 * ```ts
 * const deadline = requestDeadline(ctx);
 * const isOver = deadline.left() <= 0; // milliseconds
 * ```
 */
export class Deadline {
  /** Milliseconds used by finished waits. */
  #used = 0;
  /** Start of the current waits, by performance.now(); meaningless without one. */
  #since = 0;
  #waits = 0;
  #total: number;
  /** Whether `boundBy` may still set the bound. */
  #isOpen: boolean;

  /** @param seconds absent if the request's engine has no bound: then the first table that is asked sets its own */
  constructor(seconds?: number) {
    this.#isOpen = seconds === undefined;
    this.#total = (seconds ?? databaseBounds().request) * 1000;
  }

  /** Set the bound, unless there is one already. */
  boundBy(seconds: number): this {
    if (this.#isOpen) this.#total = seconds * 1000;
    this.#isOpen = false;
    return this;
  }

  /** Seconds of all waits together, those that are over too. */
  get total(): number {
    return this.#total / 1000;
  }

  /** Begin a wait. Call `end` once for each call. */
  begin(): void {
    if (this.#waits === 0) this.#since = performance.now();
    this.#waits += 1;
  }

  /** End a wait. */
  end(): void {
    this.#waits -= 1;
    if (this.#waits === 0) this.#used += performance.now() - this.#since;
  }

  /** Milliseconds that are left; 0 or less when the deadline has come. */
  left(now = performance.now()): number {
    return this.#total - this.#used - (this.#waits === 0 ? 0 : now - this.#since);
  }

  /**
   * Before a write, so that its result can still be reported.
   * @throws StoreUnavailable if fewer seconds are left
   */
  require(seconds: number): void {
    if (this.left() < seconds * 1000) throw late();
  }
}

markClasses({ Deadline });

/** The error after a deadline. */
export const late = (): Error => unavailable(new Error('No answer in time.'));

/**
 * What `promise` gives, if as much time is left as it took. For the step before a write: if the other server is slow, the
 * write, or what has to follow it, takes as long.
 * @throws StoreUnavailable
 */
export async function leavingAsMuch<T>(promise: Promise<T>, deadline: Deadline): Promise<T> {
  const before = deadline.left();
  const given = await promise;
  deadline.require((before - deadline.left()) / 1000);
  return given;
}

/** How many seconds a function given to `atomic` may take, in a request with this deadline. */
export function changeBound(ofRequest: Deadline | undefined): number {
  const { change, request } = databaseBounds();
  return (change / request) * (ofRequest?.total ?? request);
}

/** The error of a function given to `atomic`, which holds other requests back. */
export const tookLong =
  ({ total }: Deadline) =>
  (): Error =>
    unavailable(new Error(`A change of a session took more than ${total} seconds.`));

/**
 * Calls `over` when no milliseconds are `left`. It looks after the sockets were read (setImmediate): where this process was
 * busy, the answer may be there. It looks again where the deadline was paused, or where the timer came early, because Node
 * counts from the beginning of a turn of its event loop.
 *
 * @returns a function that ends this
 */
export function whenOver(left: () => number, over: () => void): () => void {
  let isEnded = false;
  let timer: NodeJS.Timeout | undefined;
  const look = (): void => {
    if (isEnded) return;
    if (left() <= 0) over();
    else arm();
  };
  const arm = (): void => {
    timer = setTimeout(() => setImmediate(look), Math.max(1, Math.ceil(left())));
  };
  arm();
  return () => {
    isEnded = true;
    clearTimeout(timer);
  };
}

/**
 * What `promise` gives, if it does before the deadline. Otherwise rejects with an error of its own; what becomes of the
 * promise afterwards is not told to anybody, a failure neither.
 *
 * @param error makes the error; StoreUnavailable when absent
 */
export async function inTime<T>(promise: Promise<T>, deadline: Deadline, error = late): Promise<T> {
  deadline.begin();
  let end = (): void => {};
  const over = new Promise<never>((_, reject) => {
    end = whenOver(
      () => deadline.left(),
      () => reject(error()),
    );
  });
  try {
    return await Promise.race([promise, over]);
  } finally {
    end();
    deadline.end();
  }
}
