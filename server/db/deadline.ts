/** One request's deadline: made once, handed down to whatever waits for the database on its behalf. */
import { unavailable } from './unavailable.js';

/**
 * The time that all waits of one request may take together. The clock runs while at least one of them lasts; the
 * application's own time between them does not count.
 */
export class Deadline {
  /** Milliseconds used up by waits that are over. */
  #used = 0;
  /** When the clock was started, by performance.now(); meaningless while nothing waits. */
  #since = 0;
  #waits = 0;
  readonly #total: number;

  constructor(seconds: number) {
    this.#total = seconds * 1000;
  }

  /** A wait begins. Each call of this is followed by one of `end`. */
  begin(): void {
    if (this.#waits === 0) this.#since = performance.now();
    this.#waits += 1;
  }

  end(): void {
    this.#waits -= 1;
    if (this.#waits === 0) this.#used += performance.now() - this.#since;
  }

  /** Milliseconds that are left; 0 or less when the deadline has come. */
  left(now = performance.now()): number {
    return this.#total - this.#used - (this.#waits === 0 ? 0 : now - this.#since);
  }
}

/** The error for those whose deadline came. */
export const late = (): Error => unavailable(new Error('No answer in time.'));

/**
 * What `promise` gives, if it does before the deadline. Otherwise rejects with an error of its own; what becomes of the
 * promise afterwards is not told to anybody, a failure neither.
 *
 * @param error makes the error; StoreUnavailable when absent
 */
export async function inTime<T>(promise: Promise<T>, deadline: Deadline, error = late): Promise<T> {
  deadline.begin();
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<never>((_, reject) => {
    const look = (): void => {
      if (deadline.left() <= 0) reject(error());
      else arm();
    };
    // Looked at after the sockets were read (setImmediate): where this process was busy, the answer may be there.
    const arm = (): void => {
      timer = setTimeout(() => setImmediate(look), Math.max(1, Math.ceil(deadline.left())));
    };
    arm();
  });
  try {
    return await Promise.race([promise, over]);
  } finally {
    clearTimeout(timer);
    deadline.end();
  }
}
