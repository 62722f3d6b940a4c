/** Calls that wait for something to be over. */
import { setImmediate as nextTurn } from 'node:timers/promises';

export class Waiters {
  /** Absent if no call waits, as nearly always. */
  #waiting: (() => void)[] | undefined;

  /** Resolves at the next `wake`. */
  wait(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting ??= [];
      this.#waiting.push(resolve);
    });
  }

  /** Wakes all who wait, in the order of their calls. */
  wake(): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting !== undefined) for (const resolve of waiting) resolve();
  }
}

/**
 * Waits for what is `pending`, and for what is begun when it is over: `session.flush().then(() => session.save())`.
 * @param pending never rejects; undefined when there is nothing
 */
export async function untilOver(pending: () => Promise<unknown> | undefined): Promise<void> {
  for (let work = pending(); work !== undefined; work = pending()) {
    await work;
    await nextTurn();
  }
}
