/** Advisory locks, for work that only one process may do at a time. */
import makeKnex, { type Knex } from 'knex';
import { hasCode } from '../error_code.js';
import { rowsOf } from '../rows.js';
import { configOf } from '../undocumented/knex.js';

/** The second numbers of our locks; the first is "koa" in ASCII, so that other programs choose other ones. */
export const LOCKS = { migrate: 1, clearsessions: 2 } as const;
const OURS = 0x6b6f61;

const LOCK_NOT_AVAILABLE = '55P03';

export interface LockOptions {
  readonly lock: keyof typeof LOCKS;
  /** Seconds to wait for another process; 0: do not wait. */
  readonly wait: number;
}

/**
 * Runs `work` under a lock that one process in this database can hold.
 *
 * The lock belongs to a transaction on a separate connection, so that it ends with this process, and works behind pgbouncer.
 * `work` gets that transaction, and a knex for a further connection. Both have no statement timeout, because building an
 * index or deleting a million rows takes longer than a page may.
 *
 * @returns the result of `work`; undefined when another process held the lock
 */
export async function whileLocked<T>(
  knex: Knex,
  { lock, wait }: LockOptions,
  work: (knex: Knex, holder: Knex.Transaction) => Promise<T>,
): Promise<T | undefined> {
  return withPlainKnex(knex, { connection: withoutTimeouts(configOf(knex)) }, (own) =>
    own.transaction(async (holder) => ((await acquire(holder, LOCKS[lock], wait)) ? work(own, holder) : undefined)),
  );
}

/** Takes the lock until the end of this transaction, if it is free. May be called twice in one transaction. */
export function tryLock(trx: Knex, lock: keyof typeof LOCKS): Promise<boolean> {
  return acquire(trx, LOCKS[lock], 0);
}

/**
 * Runs `work` with a separate knex on the same database, with at most two connections and without the application's own
 * configuration: no mappers of names and rows, no settings of its migrations.
 */
export async function withPlainKnex<T>(
  knex: Knex,
  changes: Pick<Knex.Config, 'connection'>,
  work: (knex: Knex) => Promise<T>,
): Promise<T> {
  const { wrapIdentifier, postProcessResponse, migrations, seeds, pool, ...config } = configOf(knex);
  // The application's afterCreate may set a role or a search_path.
  const { afterCreate } = pool ?? {};
  const own = makeKnex({
    ...config,
    ...changes,
    pool: { min: 0, max: 2, ...(afterCreate === undefined ? {} : { afterCreate }) },
  });
  try {
    return await work(own);
  } finally {
    await own.destroy();
  }
}

async function acquire(holder: Knex, number: number, wait: number): Promise<boolean> {
  if (wait === 0) {
    const sql = 'SELECT pg_try_advisory_xact_lock(?, ?) AS got';
    const [row] = await rowsOf<{ got: boolean }>(holder, sql, [OURS, number]);
    return row?.got === true;
  }
  try {
    await holder.raw(`SET LOCAL lock_timeout = ${Math.round(wait * 1000)}`);
    await holder.raw('SELECT pg_advisory_xact_lock(?, ?)', [OURS, number]);
    await holder.raw('SET LOCAL lock_timeout TO DEFAULT');
    return true;
  } catch (error) {
    if (hasCode(error, LOCK_NOT_AVAILABLE)) return false;
    throw error;
  }
}

function withoutTimeouts({ connection }: Knex.Config): NonNullable<Knex.Config['connection']> {
  const timeouts = { statement_timeout: 0, query_timeout: 0, idle_in_transaction_session_timeout: 0 };
  if (typeof connection === 'function') {
    return async () => {
      const given: unknown = await connection();
      return { ...(typeof given === 'string' ? { connectionString: given } : (given as object)), ...timeouts };
    };
  }
  if (typeof connection === 'string') return { connectionString: connection, ...timeouts };
  // Knex makes the password non-enumerable.
  const password = connection === undefined ? undefined : Reflect.get(connection, 'password');
  return { ...connection, ...timeouts, ...(password === undefined ? {} : { password }) };
}
