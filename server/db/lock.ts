/** One process at a time: advisory locks for work that must not run twice at once. */
import makeKnex, { type Knex } from 'knex';

/** The second numbers of our locks; the first is "koa" in ASCII, so that other programs choose other ones. */
export const LOCKS = { migrate: 1, clearsessions: 2 } as const;
const OURS = 0x6b6f61;

const LOCK_NOT_AVAILABLE = '55P03';

export interface LockOptions {
  readonly lock: keyof typeof LOCKS;
  /** Seconds to wait for another process; 0: not at all. */
  readonly wait: number;
}

/**
 * Do `work` while no other process holds the lock in this database.
 *
 * The lock hangs on a transaction of a connection of its own, so that it goes when this process goes, and holds behind
 * pgbouncer too. `work` gets another connection beside it, without statement timeout: to build an index or to remove a
 * million rows takes longer than a page may.
 *
 * @returns what `work` returned; undefined when another process kept the lock
 */
export async function whileLocked<T>(
  knex: Knex,
  { lock, wait }: LockOptions,
  work: (knex: Knex) => Promise<T>,
): Promise<T | undefined> {
  const { config } = knex.client as { readonly config: Knex.Config };
  const own = makeKnex({ ...config, connection: withoutTimeouts(config), pool: { min: 0, max: 2 } });
  try {
    return await own.transaction(async (holder) =>
      (await acquire(holder, LOCKS[lock], wait)) ? work(own) : undefined,
    );
  } finally {
    await own.destroy();
  }
}

async function acquire(holder: Knex.Transaction, number: number, wait: number): Promise<boolean> {
  if (wait === 0) {
    const result: { rows: readonly { got: boolean }[] } = await holder.raw(
      'SELECT pg_try_advisory_xact_lock(?, ?) AS got',
      [OURS, number],
    );
    return result.rows[0]?.got === true;
  }
  try {
    await holder.raw(`SET LOCAL lock_timeout = ${Math.round(wait * 1000)}`);
    await holder.raw('SELECT pg_advisory_xact_lock(?, ?)', [OURS, number]);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === LOCK_NOT_AVAILABLE) return false;
    throw error;
  }
}

function withoutTimeouts({ connection }: Knex.Config): NonNullable<Knex.Config['connection']> {
  const timeouts = { statement_timeout: 0, query_timeout: 0, idle_in_transaction_session_timeout: 0 };
  if (typeof connection === 'function') return connection;
  if (typeof connection === 'string') return { connectionString: connection, ...timeouts };
  return { ...connection, ...timeouts };
}
