/**
 * Removes expired sessions (django.contrib.sessions.backends.db, `clear_expired`) without disturbing live ones.
 *
 * Django uses one DELETE, which reads, locks and writes all rows at once. This uses many small ones along the index on
 * `expire_date`; each commits, so that the next run continues after an interrupted one.
 */
import type { Knex } from 'knex';
import { type Clock, systemClock } from '../clock.js';
import { rowsOf } from '../rows.js';
import { checkedClock } from '../settings/given.js';
import { checkKnex } from './given.js';
import { whileLocked } from './lock.js';
import { DJANGO_SESSION, quoteTable } from './session_table.js';

export interface SweepOptions {
  /** A clock for tests; without one, or with the system's, the database's own clock decides what has expired. */
  readonly now?: Clock;
  /** The table of sessions; django_session when absent. */
  readonly table?: string;
  /** The maximum number of rows that one statement deletes. */
  readonly batch?: number;
  /** Count, remove nothing. */
  readonly dry_run?: boolean;
  /** Called after each batch with the number of rows removed so far. */
  readonly onProgress?: (removed: number) => void;
  /** Ends the run after the current batch. */
  readonly signal?: AbortSignal;
}

export interface Sweep {
  /** Rows removed; with `dry_run`, rows that would be removed. */
  readonly removed: number;
  /** Another process is clearing; this one did nothing. */
  readonly busy: boolean;
}

const BATCH = 1000;
/** The lock timeout for the whole table, such as during an ALTER TABLE, in milliseconds. Locked rows are skipped. */
const LOCK_TIMEOUT = 2000;
const STATEMENT_TIMEOUT = 30_000;

/**
 * SKIP LOCKED: a row that another transaction has locked is in use, and left for the next run. PostgreSQL evaluates the
 * condition again after it locked a row, so a row that was extended meanwhile is kept. `floor` is where the last batch
 * ended: without it, each batch would scan the index entries of all rows deleted before.
 *
 * Rows are identified by session_key, because a ctid is unique in one partition only. An array instead of a join, because
 * for a join the planner may read the whole table.
 */
const deleteBatch = (table: string): string => `
  WITH gone AS (
    DELETE FROM ${table}
     WHERE session_key = ANY (ARRAY(
             SELECT session_key FROM ${table}
              WHERE expire_date < :cut AND expire_date >= :floor
              ORDER BY expire_date LIMIT :batch FOR UPDATE SKIP LOCKED))
       AND expire_date < :cut
    RETURNING expire_date)
  SELECT count(*)::int AS count, max(expire_date)::text AS floor FROM gone`;

interface Batch {
  readonly count: number;
  readonly floor: string | null;
}

/** Remove expired sessions, and return a summary. One process at a time; a second one returns `busy` at once. */
export async function sweep(knex: Knex, options: SweepOptions = {}): Promise<Sweep> {
  checkKnex('clear_expired()', knex);
  checkedClock(options.now);
  if (options.dry_run === true) return { removed: await countExpired(knex, options), busy: false };
  const removed = await whileLocked(knex, { lock: 'clearsessions', wait: 0 }, (connected) =>
    batches(connected, options),
  );
  return { removed: removed ?? 0, busy: removed === undefined };
}

/** Remove expired sessions. @returns the number of rows; 0 if another process is clearing */
export async function clear_expired(knex: Knex, options: SweepOptions = {}): Promise<number> {
  return (await sweep(knex, options)).removed;
}

export async function countExpired(knex: Knex, options: Pick<SweepOptions, 'now' | 'table'> = {}): Promise<number> {
  const cut = await cutOf(knex, options.now);
  const [row] = await rowsOf<{ count: string }>(
    knex,
    `SELECT count(*) FROM ${quoteTable(options.table ?? DJANGO_SESSION)} WHERE expire_date < ?`,
    [cut],
  );
  return Number(row?.count ?? 0);
}

/** The time before which sessions have expired: fixed for the run, so that it ends. A text, to keep the microseconds. */
async function cutOf(knex: Knex, given: Clock | undefined): Promise<string> {
  const now = checkedClock(given);
  if (now !== systemClock) return new Date(now() * 1000).toISOString();
  const [row] = await rowsOf<{ now: string }>(knex, 'SELECT now()::text AS now');
  return row?.now ?? 'now';
}

async function batches(
  knex: Knex,
  { now, table = DJANGO_SESSION, batch = BATCH, onProgress, signal }: SweepOptions,
): Promise<number> {
  const cut = await cutOf(knex, now);
  const statement = deleteBatch(quoteTable(table));
  let floor = '-infinity';
  let removed = 0;
  while (signal?.aborted !== true) {
    const [gone] = await knex.transaction(async (transaction) => {
      await transaction.raw(`SET LOCAL lock_timeout = ${LOCK_TIMEOUT}`);
      await transaction.raw(`SET LOCAL statement_timeout = ${STATEMENT_TIMEOUT}`);
      return rowsOf<Batch>(transaction, statement, { cut, floor, batch });
    });
    if (gone === undefined || gone.floor === null) break;
    removed += gone.count;
    floor = gone.floor;
    onProgress?.(removed);
  }
  if (signal?.aborted !== true) await clearUserSessions(knex, cut, batch);
  return removed;
}

/** Removes expired rows of koa_user_sessions, which lists each user's sessions. The table is optional. */
async function clearUserSessions(knex: Knex, cut: string, batch: number): Promise<void> {
  const [found] = await rowsOf<{ there: boolean }>(
    knex,
    "SELECT to_regclass('koa_user_sessions') IS NOT NULL AS there",
  );
  if (found?.there !== true) return;
  for (let count = batch; count === batch; ) {
    const [gone] = await rowsOf<{ count: number }>(
      knex,
      `WITH gone AS (
         DELETE FROM koa_user_sessions
          WHERE id IN (SELECT id FROM koa_user_sessions WHERE expire_date < :cut LIMIT :batch FOR UPDATE SKIP LOCKED)
         RETURNING 1)
       SELECT count(*)::int AS count FROM gone`,
      { cut, batch },
    );
    count = gone?.count ?? 0;
  }
}
