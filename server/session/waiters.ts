/** Calls that wait for something to be over. */
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
