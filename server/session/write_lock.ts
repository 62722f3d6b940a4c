/** Lets one call at a time write a session's row: two at once would each make a row for a session without one. */

/**
 * ```ts
 * while (lock.isTaken) await lock.left();
 * lock.take();
 * try { … } finally { lock.leave(); }
 * ```
 */
export class WriteLock {
  #isTaken = false;
  /** Wakes those who wait; absent while nobody does. */
  #waiting: (() => void)[] | undefined;

  get isTaken(): boolean {
    return this.#isTaken;
  }

  /** Resolves when the lock is left. Ask again then: somebody who waited longer may have taken it. */
  left(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting ??= [];
      this.#waiting.push(resolve);
    });
  }

  take(): void {
    this.#isTaken = true;
  }

  /** Wakes all, because the first of them may not take the lock. The others wait again, in their order. */
  leave(): void {
    this.#isTaken = false;
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    for (const wake of waiting) wake();
  }
}
