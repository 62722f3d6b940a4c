/**
 * Writes waiting changes of one row together: a crowd that saves one session takes two writes, not one for each.
 *
 * A change is in one of these states:
 *
 * - waiting: for the row's turn in this process.
 * - taken: it is part of a write under way. The change whose turn it is takes along all that wait, if enough time is left
 *   for them. The write has the earliest of their deadlines, so that none is committed after its caller got a 503.
 * - settled: written, or refused by its own error, or given up.
 *
 * If the database does not answer a write in time, only the change with the earliest deadline fails; the others are tried
 * again. If the text is refused, each is tried alone.
 */
import { setImmediate as nextTick } from 'node:timers/promises';
import { type Deadline, inTime, late } from '../db/deadline.js';
import { StoreUnavailable, UpdateError } from '../errors.js';

/** The maximum number of changes in one write. */
const MOST = 256;

/** Milliseconds for which changes are computed while this process does nothing else. */
const PORTION = 5;

/** The rows of an engine, as merges need them. */
export interface MergeableRows<Changed> {
  /** Runs work when it is the row's turn in this process. */
  inTurn(key: string, deadline: Deadline, work: () => Promise<void>): Promise<void>;
  /**
   * Reads the row and writes what `change` makes of its text, in one step: if another process changes the row meanwhile,
   * `change` is called again. Writes nothing if it gives undefined.
   * @throws UpdateError when the row does not exist
   */
  update(key: string, change: (text: string) => Promise<Changed | undefined>, deadline: Deadline): Promise<void>;
  /** Seconds that must be left before a change's deadline when it is written. */
  readonly reserve: number;
}

/** With the error, or written. */
type Outcome = { readonly error?: unknown };

interface Merge<Changed> {
  readonly change: (text: string) => Changed | undefined;
  readonly deadline: Deadline;
  readonly settle: (outcome: Outcome) => void;
  isSettled: boolean;
  /** Resolves when the write that it is part of is over. */
  taken: Promise<void> | undefined;
}

export class RowMerges<Changed extends { readonly session_data: string }> {
  readonly #rows: MergeableRows<Changed>;
  readonly #merges = new Map<string, readonly Merge<Changed>[]>();

  constructor(rows: MergeableRows<Changed>) {
    this.#rows = rows;
  }

  /**
   * @param change called with the row's text, as the changes before it have left it. Must be pure: it may be called again.
   *   With undefined the row stays as it is
   * @throws UpdateError when the row does not exist; an error of `change`; StoreUnavailable at the deadline
   */
  merge(key: string, change: (text: string) => Changed | undefined, deadline: Deadline): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (outcome: Outcome): void => {
        merge.isSettled = true;
        if ('error' in outcome) reject(outcome.error);
        else resolve();
      };
      const merge: Merge<Changed> = { change, deadline, settle, isSettled: false, taken: undefined };
      this.#merges.set(key, [...this.#of(key), merge]);
      void this.#wait(key, merge);
    });
  }

  /**
   * Writes the row if its text is still `loaded`, together with those that wait.
   * @returns whether it was written
   */
  async replace(key: string, loaded: string, changed: Changed, deadline: Deadline): Promise<boolean> {
    let isWritten = false;
    const replaced = (text: string): Changed | undefined => {
      isWritten = text === loaded;
      return isWritten ? changed : undefined;
    };
    try {
      await this.merge(key, replaced, deadline);
      return isWritten;
    } catch (error) {
      if (error instanceof UpdateError) return false;
      throw error;
    }
  }

  /** Whether any wait for the row. */
  has(key: string): boolean {
    return this.#merges.has(key);
  }

  #of(key: string): readonly Merge<Changed>[] {
    return this.#merges.get(key) ?? [];
  }

  async #wait(key: string, merge: Merge<Changed>): Promise<void> {
    const { deadline, settle } = merge;
    try {
      await this.#rows.inTurn(key, deadline, () => this.#turn(key, merge));
    } catch (error) {
      // Its own turn did not come in time, but it is part of a write that may still succeed.
      if (merge.taken !== undefined) await inTime(merge.taken, deadline).catch(() => {});
      if (!merge.isSettled) settle({ error });
    } finally {
      const others = this.#of(key).filter((other) => other !== merge);
      if (others.length > 0) this.#merges.set(key, others);
      else this.#merges.delete(key);
    }
  }

  /** Writes all that wait, until the change whose turn it is is settled. */
  async #turn(key: string, merge: Merge<Changed>): Promise<void> {
    // Those of the same tick come along.
    await nextTick();
    while (!merge.isSettled) {
      // Inside the change of another row there are no turns: another write may have it.
      if (merge.taken !== undefined) await merge.taken;
      else await this.writeWaiting(key);
    }
  }

  /** Writes those that wait for the row, in the turn of the caller, so that many `atomic` do not delay all saves. */
  async writeWaiting(key: string): Promise<void> {
    const now = performance.now();
    const waiting = this.#of(key).filter(({ isSettled, taken }) => !isSettled && taken === undefined);
    const left = ({ deadline }: Merge<Changed>): number => deadline.left(now);
    for (const merge of waiting) this.#giveUpLate(merge);
    const merges = waiting.filter(({ isSettled }) => !isSettled).slice(0, MOST);
    const [first] = merges.toSorted((one, other) => left(one) - left(other));
    if (first === undefined) return;
    try {
      await this.#take(key, merges, first.deadline);
    } catch (error) {
      if (error instanceof StoreUnavailable || merges.length === 1) first.settle({ error });
      else for (const merge of merges) await this.#takeAlone(key, merge);
    }
  }

  #giveUpLate(merge: Merge<Changed>): void {
    if (merge.deadline.left() < this.#rows.reserve * 1000) merge.settle({ error: late() });
  }

  async #takeAlone(key: string, merge: Merge<Changed>): Promise<void> {
    this.#giveUpLate(merge);
    if (merge.isSettled) return;
    try {
      await this.#take(key, [merge], merge.deadline);
    } catch (error) {
      merge.settle({ error });
    }
  }

  async #take(key: string, merges: readonly Merge<Changed>[], deadline: Deadline): Promise<void> {
    const writing = this.#write(key, merges, deadline);
    const taken = writing.catch(() => {});
    for (const merge of merges) merge.taken = taken;
    try {
      await writing;
    } finally {
      for (const merge of merges) merge.taken = undefined;
    }
  }

  async #write(key: string, merges: readonly Merge<Changed>[], deadline: Deadline): Promise<void> {
    const outcomes = new Map<Merge<Changed>, Outcome>();
    const changeAll = async (text: string): Promise<Changed | undefined> => {
      let changed: Changed | undefined;
      let since = performance.now();
      for (const merge of merges) {
        if (performance.now() - since > PORTION) {
          await nextTick();
          since = performance.now();
        }
        try {
          changed = merge.change(changed?.session_data ?? text) ?? changed;
          outcomes.set(merge, {});
        } catch (error) {
          outcomes.set(merge, { error });
        }
      }
      return changed;
    };
    try {
      await this.#rows.update(key, changeAll, deadline);
    } catch (error) {
      if (!(error instanceof UpdateError)) throw error;
      // The row is gone, for all of them.
      for (const merge of merges) outcomes.set(merge, { error });
    }
    for (const [merge, outcome] of outcomes) merge.settle(outcome);
  }
}
