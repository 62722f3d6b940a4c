/** Checks whether the database takes writes. A standby does not. */
import type { Knex } from 'knex';
import { StoreUnavailable } from '../errors.js';
import { rowsOf } from '../rows.js';
import { emitQueryError } from '../undocumented/knex.js';
import { READ_ONLY } from './unavailable.js';

/**
 * Checks that the database takes writes. On a standby all transactions are read-only, as with
 * `default_transaction_read_only`.
 *
 * Also emits knex's event `query-error`, so that `connectKnex` replaces its connections. After a failover they may lead to
 * the former primary, and no request would detect that while the load balancer sends none.
 *
 * @throws StoreUnavailable when the database is read-only
 */
export async function checkWritable(knex: Knex): Promise<void> {
  const [row] = await rowsOf<{ read_only: string }>(
    knex,
    "SELECT current_setting('transaction_read_only') AS read_only",
  );
  if (row?.read_only !== 'on') return;
  const cause = Object.assign(new Error('transaction_read_only is on'), { code: READ_ONLY });
  emitQueryError(knex, cause);
  throw new StoreUnavailable('The database is a standby, which takes no writes.', { cause });
}
