/** Every bound on a wait for the database, derived from one number: DATABASE_TIMEOUT. */
import type { Knex } from 'knex';

/** Seconds unless a name says otherwise. The README has this as a table. */
export interface DatabaseBounds {
  /** Until a connection stands, counting the wait for a free one in the pool. */
  readonly connection: number;
  /** Until the server ends a statement; a lock that another holds counts. */
  readonly statement: number;
  /** Until a server that sends nothing is given up, a little later, so that the server's own error wins where there is one. */
  readonly silence: number;
  /** All that one request waits for the database, from its first statement to its last. */
  readonly request: number;
  /** What must be left of `request` for a COMMIT to be sent, so that its answer can still be told. */
  readonly commit: number;
  /** How long the application may hold a row's lock, in `atomic`. */
  readonly change: number;
  /** Until the server ends a transaction in which nothing happens. */
  readonly idle_transaction: number;
}

/** @param timeout DATABASE_TIMEOUT, seconds */
export function databaseBounds(timeout = 1): DatabaseBounds {
  return {
    connection: timeout,
    statement: timeout,
    silence: timeout * 1.25,
    request: timeout * 2.5,
    commit: timeout * 0.5,
    change: timeout * 4,
    idle_transaction: timeout * 4,
  };
}

/** The share of a pool's connections that one kind of work may take: half of them, so that a locked table is not all. */
export function shareOf(knex: Knex): number {
  const { pool } = (knex.client as { readonly config: Knex.Config }).config;
  return Math.max(1, Math.floor((pool?.max ?? 10) / 2));
}
