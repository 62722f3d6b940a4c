/** A lock of one Session object. Without it, two saves of a session without a row would each create one. */
import { NestedChanges } from '../db/nested_changes.js';
import { Waiters } from './waiters.js';

/**
 * A method of sessions: throws inside the function of `atomic`, which would wait for itself. A symbol, because any name may be
 * a key.
 */
export const EXPECT_OUTSIDE = Symbol('koa-django-session.expectOutside');

/** The sessions whose `atomic` runs its function. */
const CHANGING = new NestedChanges();

export class WriteLock {
  #isTaken = false;
  readonly #left = new Waiters();

  get isTaken(): boolean {
    return this.#isTaken;
  }

  /** Resolves when the lock is left. Ask `isTaken` again then: a call that waited longer may have taken it. */
  left(): Promise<void> {
    return this.#left.wait();
  }

  /**
   * Take the lock for as long as `work` runs: at once if nobody has it.
   * @throws ValueError inside the function of this session's own `atomic`
   */
  async hold<T>(work: () => Promise<T>): Promise<T> {
    this.expectOutside();
    while (this.#isTaken) await this.left();
    this.#isTaken = true;
    try {
      return await work();
    } finally {
      // The first may not take the lock. The others wait again, in the same order.
      this.#isTaken = false;
      this.#left.wake();
    }
  }

  /** Run the function of this session's `atomic`. */
  runInside<T>(change: () => Promise<T>): Promise<T> {
    return CHANGING.run(this, change);
  }

  /** @throws ValueError inside the function of this session's own `atomic`, before anything is changed */
  expectOutside(): void {
    CHANGING.check(this);
  }
}
