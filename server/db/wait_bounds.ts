/** Every bound on a wait for the database, derived from one number: DATABASE_TIMEOUT. */
import type { Knex } from 'knex';

interface Bound {
  /** In units of DATABASE_TIMEOUT. */
  readonly times: number;
  /** For the table in DEPLOYMENT.md. */
  readonly meaning: string;
}

export const DATABASE_BOUNDS = {
  connection: {
    times: 1,
    meaning: 'Until a connection stands, counting the wait for a free one in the pool.',
  },
  statement: {
    times: 1,
    meaning:
      'Until PostgreSQL ends a statement; waiting for a lock counts. Work that may wait for a lock begins only while as much is left of the request.',
  },
  silence: {
    times: 1.25,
    meaning: 'Until a server that sends nothing is given up, with all connections to it.',
  },
  request: {
    times: 2.5,
    meaning:
      'All that one request waits for sessions and users, from its first statement to its last. The application’s own time between them does not count.',
  },
  commit: {
    times: 0.5,
    meaning: 'What must be left of the request for a COMMIT to be sent, so that its answer can still be told.',
  },
  change: {
    times: 4,
    meaning: 'How long the application’s function in `atomic` may hold the row’s lock.',
  },
  idleTransaction: {
    times: 4,
    meaning: 'Until PostgreSQL ends a transaction in which nothing happens.',
  },
} as const satisfies Record<string, Bound>;

/** Seconds. */
export type DatabaseBounds = Readonly<Record<keyof typeof DATABASE_BOUNDS, number>>;

/** @param timeout DATABASE_TIMEOUT, seconds */
export function databaseBounds(timeout = 1): DatabaseBounds {
  const bounds = Object.entries(DATABASE_BOUNDS).map(([name, { times }]) => [name, times * timeout]);
  return Object.fromEntries(bounds) as DatabaseBounds;
}

/** The share of a pool's connections that one kind of work may take: half of them, so that a locked table is not all. */
export function shareOf(knex: Knex): number {
  const { pool } = (knex.client as { readonly config: Knex.Config }).config;
  return Math.max(1, Math.floor((pool?.max ?? 10) / 2));
}
