/** Detects calls from inside a change of a row, whose lock the caller holds. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { ValueError } from '../errors.js';

interface Change {
  readonly row: unknown;
  /** What `change` started without awaiting it is then no longer inside. */
  isOver: boolean;
}

const NONE: readonly Change[] = [];

export class NestedChanges {
  readonly #storage = new AsyncLocalStorage<readonly Change[]>();
  #running = 0;

  /** Runs the change of this row. @param row what tells it from all others: its name among those of all tables, or an object */
  async run<T>(row: unknown, change: () => Promise<T>): Promise<T> {
    const around = this.#around();
    const own = { row, isOver: false };
    this.#running += 1;
    try {
      return await this.#storage.run([...around, own], change);
    } finally {
      own.isOver = true;
      this.#running -= 1;
      // Before Node 24, an AsyncLocalStorage in use slows down every promise of the process.
      if (this.#running === 0) this.#storage.disable();
    }
  }

  /**
   * Whether this is called from inside the change of another row.
   * @throws ValueError inside the change of the same row, because that would deadlock
   */
  check(row: unknown): boolean {
    const around = this.#around();
    if (around.some((other) => other.row === row)) {
      throw new ValueError(
        'Inside `atomic`, change the session only by the argument of its function. Save, delete or cycle the session before or after it.',
      );
    }
    return around.length > 0;
  }

  /** Whether this is called from inside the change of any row. */
  get isInside(): boolean {
    return this.#around().length > 0;
  }

  /** The changes that this is called from. */
  #around(): readonly Change[] {
    if (this.#running === 0) return NONE;
    return this.#storage.getStore()?.filter(({ isOver }) => !isOver) ?? NONE;
  }
}
