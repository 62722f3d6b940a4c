/** Writes of many sessions in one statement and one commit. */
import type { SessionRecord } from '../store.js';
import { Lanes, type LanesOptions } from './lanes.js';

/** A row to write if its text still is `loaded`. */
export interface Replacement extends SessionRecord {
  readonly loaded: string;
}

export interface SaveStatements {
  /**
   * Write those rows whose text still is what was loaded and that nobody has locked, and commit.
   * @returns the keys of the rows written
   */
  many(replacements: readonly Replacement[]): Promise<ReadonlySet<string>>;
  /** Write one row, waiting for its lock. @returns false when it is gone or holds another text */
  one(replacement: Replacement): Promise<boolean>;
  /** Whether an error says that the database is away. */
  isUnavailable(error: unknown): boolean;
  /** The error for writes that were given up: whether they were done is not known. */
  timedOut(): unknown;
}

interface Save {
  readonly session_key: string;
  readonly bytes: number;
  readonly replacement: Replacement;
  readonly resolve: (written: boolean) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Joins the writes of one tick, so that one commit serves many; each is answered after that commit.
 *
 * A row that somebody has locked is left out of the batch and written alone, for whoever waits for a lock must not let
 * others wait. Two writes of one session never share a batch.
 */
export class SaveBatch {
  readonly #statements: SaveStatements;
  readonly #lanes: Lanes<Save>;

  constructor(statements: SaveStatements, options: LanesOptions = {}) {
    this.#statements = statements;
    this.#lanes = new Lanes((saves: readonly Save[]) => this.#send(saves), statements.timedOut, options);
  }

  /** @returns whether it was written; false when the row is gone or holds another text than `loaded` */
  replace(replacement: Replacement): Promise<boolean> {
    const { session_key, session_data, loaded } = replacement;
    const bytes = session_data.length + loaded.length;
    return new Promise((resolve, reject) => {
      this.#lanes.add({ session_key, bytes, replacement, resolve, reject });
    });
  }

  async #send(saves: readonly Save[]): Promise<void> {
    let written: ReadonlySet<string>;
    try {
      written = await this.#statements.many(saves.map(({ replacement }) => replacement));
    } catch (error) {
      if (this.#statements.isUnavailable(error)) throw error;
      written = new Set();
    }
    for (const save of saves) {
      if (written.has(save.session_key)) save.resolve(true);
      // Gone, changed, locked, or refused: the statement for one says which. Not awaited: the lane is free again.
      else this.#statements.one(save.replacement).then(save.resolve, save.reject);
    }
  }
}
