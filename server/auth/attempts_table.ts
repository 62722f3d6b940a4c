/** The table koa_login_attempts of both throttles: its clock, its statements, and the removal of old rows. */
import type { Knex } from 'knex';
import type { Clock } from '../clock.js';
import type { Deadline } from '../db/deadline.js';
import { PoolShare } from '../db/pool_share.js';
import { checkedClock } from '../settings/given.js';

/** Old rows are removed once per so many checks, at most so many at a time. */
const PRUNE_EVERY = 100;
const PRUNE_AT_ONCE = 500;

export class AttemptsTable {
  readonly #knex: Knex;
  readonly #share: PoolShare;
  readonly #now: Clock | undefined;
  #checks = 0;

  /** @param now for tests; without it the database's own clock, which all servers share */
  constructor(
    knex: Knex,
    { now, timeout }: { readonly now?: Clock | undefined; readonly timeout?: number | undefined },
  ) {
    this.#knex = knex;
    this.#share = PoolShare.ofPages(knex, timeout);
    this.#now = now === undefined ? undefined : checkedClock(now);
  }

  /** Call it at every check: it prunes at some of them. No visitor waits for that; what fails is pruned next time. */
  pruneNowAndThen(): void {
    this.#checks += 1;
    if (this.#checks % PRUNE_EVERY === 0) this.prune().catch(() => {});
  }

  /** Remove some outdated rows of either throttle, so that those of a flood do not stay. @returns how many */
  async prune(): Promise<number> {
    const rows = await this.rows(
      `WITH clock AS (${this.clock()}),
            old AS MATERIALIZED (SELECT bucket FROM koa_login_attempts WHERE forget_at < (SELECT at FROM clock)
                                  ORDER BY forget_at LIMIT ${PRUNE_AT_ONCE} FOR UPDATE SKIP LOCKED)
       DELETE FROM koa_login_attempts WHERE bucket IN (SELECT bucket FROM old) RETURNING bucket`,
      [],
    );
    return rows.length;
  }

  /** A statement that selects the time as `at`. The number comes from our clock, never from a request. */
  clock(): string {
    return this.#now === undefined ? 'SELECT clock_timestamp() AS at' : `SELECT to_timestamp(${this.#now()}) AS at`;
  }

  /** For all statements of one call together. */
  deadline(): Deadline {
    return this.#share.deadline();
  }

  /** @throws StoreUnavailable when the database does not answer, or not before the deadline */
  async rows<Row>(sql: string, bindings: readonly string[], deadline?: Deadline): Promise<readonly Row[]> {
    const ask = (): PromiseLike<{ rows: readonly Row[] }> => this.#knex.raw(sql, [...bindings]);
    return (await this.#share.run(ask, deadline)).rows;
  }
}
