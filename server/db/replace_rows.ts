/** Writes sessions whose text is unchanged since it was loaded: those of one tick by one statement. */
import type { BatchAnswers, BatchCall } from './batcher.js';
import { type Deadline, inTime } from './deadline.js';
import type { Answer, Parameter } from './prepared.js';
import { isUnavailable } from './unavailable.js';

/** A row to write if its session_data still is `loaded`. */
export interface Replacement {
  readonly session_key: string;
  readonly session_data: string;
  readonly expire_date: Date;
  readonly loaded: string;
}

export interface Saving {
  readonly row: Replacement;
  readonly deadline: Deadline;
}

/** How a store replaces its rows. */
export interface Replacing {
  /** Runs one of the store's statements (session_statements.ts). */
  readonly run: (statement: 'replaceMany' | 'unchanged', values: readonly Parameter[]) => Promise<Answer>;
  /** Waits for the row's lock. @returns whether the row was unchanged then, and written */
  readonly whenLocked: (row: Replacement, deadline: Deadline) => Promise<boolean>;
}

/**
 * Writes the rows that are unchanged and not locked; of several writes of one row, the first. Of the others, those whose row
 * is still unchanged wait for its lock.
 * @returns for each whether it was written
 */
export async function replaceRows(
  calls: readonly BatchCall<Saving>[],
  { run, whenLocked }: Replacing,
): Promise<BatchAnswers<boolean>> {
  const firsts = new Map<string, Replacement>();
  for (const { key, input } of calls) if (!firsts.has(key)) firsts.set(key, input.row);
  const written = await writtenOf([...firsts.values()], run);
  if (written.size === calls.length) return calls.map(() => true);
  const isWritten = ({ key, input }: BatchCall<Saving>): boolean => written.has(key) && firsts.get(key) === input.row;
  const left = calls.filter((call) => !isWritten(call)).map(({ input }) => input.row);
  const unchanged = unchangedOf(left, run);
  return calls.map(async (call) => {
    if (isWritten(call)) return true;
    const { row, deadline } = call.input;
    return (await inTime(unchanged, deadline)).has(row) && whenLocked(row, deadline);
  });
}

/** @returns the keys of the rows that were written; none if PostgreSQL refuses one of the values */
async function writtenOf(rows: readonly Replacement[], run: Replacing['run']): Promise<ReadonlySet<string>> {
  try {
    const answer = await run('replaceMany', [
      rows.map(({ session_key }) => session_key),
      rows.map(({ session_data }) => session_data),
      rows.map(({ expire_date }) => expire_date),
      rows.map(({ loaded }) => loaded),
    ]);
    return new Set(answer.rows.map(([session_key]) => session_key as string));
  } catch (error) {
    if (isUnavailable(error)) throw error;
    return new Set();
  }
}

/** @returns those whose row still has the text that was loaded; all if PostgreSQL refuses one of the values */
async function unchangedOf(rows: readonly Replacement[], run: Replacing['run']): Promise<ReadonlySet<Replacement>> {
  try {
    const values = [rows.map(({ session_key }) => session_key), rows.map(({ loaded }) => loaded)];
    const answer = await run('unchanged', values);
    return new Set(answer.rows.map(([place]) => rows[Number(place) - 1] as Replacement));
  } catch (error) {
    if (isUnavailable(error)) throw error;
    return new Set(rows);
  }
}
