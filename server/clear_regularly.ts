/** CLEARSESSIONS_INTERVAL: removes expired sessions once per interval, with any number of processes. */
import { hostname } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import type { Knex } from 'knex';
import type { Logger } from './logger.js';
import { rowsOf } from './rows.js';
import type { SessionStore } from './session/store.js';
import { engineName, type Settings } from './settings.js';

export interface ClearingOptions {
  readonly knex: Knex;
  readonly store: SessionStore;
  readonly settings: Pick<Settings, 'SESSION_ENGINE'>;
  /** Seconds. */
  readonly interval: number;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** Processes add a random delay of up to this part of the interval, to avoid asking at the same time. */
const JITTER = 0.05;
const LONGEST_JITTER = 10;

/** Runs until `signal`. Call it after the migrations. */
export async function clearRegularly({ knex, store, settings, interval, log, signal }: ClearingOptions): Promise<void> {
  // Files belong to one machine; rows and Redis are shared.
  const bucket = engineName(settings) === 'file' ? `clearsessions:${hostname()}` : 'clearsessions';
  while (!signal.aborted) {
    let left = interval;
    try {
      left = await takeTurn(knex, bucket, interval);
      if (left === 0) {
        log.info({ removed: await store.clear_expired() }, 'clearsessions');
        left = interval;
      } else log.debug({ seconds: left }, 'clearsessions was done by another process');
    } catch (error) {
      log.warn({ err: error }, 'clearsessions failed; it is tried again at the next interval');
    }
    const jitter = Math.random() * Math.min(interval * JITTER, LONGEST_JITTER);
    // The signal to stop ends the pause.
    await pause((left + jitter) * 1000, undefined, { signal }).catch(() => {});
  }
}

/**
 * Whether this process clears now. One process gets 0 per interval, by the database's clock; the time is stored in a
 * row of koa_login_attempts, which also counts other kinds of attempts.
 *
 * @returns 0, or the seconds until the next turn
 */
export async function takeTurn(knex: Knex, bucket: string, interval: number): Promise<number> {
  const taken = await rowsOf(
    knex,
    `INSERT INTO koa_login_attempts AS present (bucket, attempts, counted_at, retry_at, forget_at)
     SELECT :bucket, 1, at, at + length, at + 2 * length
       FROM (SELECT clock_timestamp() AS at, make_interval(secs => :interval) AS length) AS clock
     ON CONFLICT (bucket) DO UPDATE
        SET counted_at = EXCLUDED.counted_at, retry_at = EXCLUDED.retry_at, forget_at = EXCLUDED.forget_at
      WHERE present.counted_at <= EXCLUDED.counted_at - make_interval(secs => :interval)
     RETURNING bucket`,
    { bucket, interval },
  );
  if (taken.length > 0) return 0;
  const [turn] = await rowsOf<{ left: number }>(
    knex,
    `SELECT extract(epoch FROM counted_at - clock_timestamp())::float8 + ? AS left FROM koa_login_attempts
      WHERE bucket = ?`,
    [interval, bucket],
  );
  return Math.max(turn?.left ?? 0, 1);
}
