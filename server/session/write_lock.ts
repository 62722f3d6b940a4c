/** A lock of one Session object. Without it, two saves of a session without a row would each create one. */

/**
 * ```ts
 * while (lock.isTaken) await lock.left();
 * return lock.hold(async () => { … });
 * ```
 */
export class WriteLock {
  #isTaken = false;
  /** Resolve the promises of `left`; absent if no call waits. */
  #waiting: (() => void)[] | undefined;

  get isTaken(): boolean {
    return this.#isTaken;
  }

  /** Resolves when the lock is left. Ask `isTaken` again then: a call that waited longer may have taken it. */
  left(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting ??= [];
      this.#waiting.push(resolve);
    });
  }

  /** Take the lock, which nobody has, for as long as `work` runs. */
  async hold<T>(work: () => Promise<T>): Promise<T> {
    this.#isTaken = true;
    try {
      return await work();
    } finally {
      this.#leave();
    }
  }

  /** Wakes all who wait, because the first may not take the lock. The others wait again, in the same order. */
  #leave(): void {
    this.#isTaken = false;
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    for (const wake of waiting) wake();
  }
}
