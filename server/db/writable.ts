/** Whether the database takes writes: a standby answers, and no session can be saved there. */
import type { Knex } from 'knex';
import { StoreUnavailable } from '../errors.js';
import { READ_ONLY } from './unavailable.js';

/** knex's client, which tells of the errors of statements. */
interface Client {
  emit(event: 'query-error', error: unknown, query: object): void;
}

/**
 * See that the database takes writes. On a standby every transaction is read only, as on a database that somebody has set
 * so (`default_transaction_read_only`).
 *
 * @throws StoreUnavailable when it takes none. It is told as a statement's error, too, so that a knex of `connectKnex` gives
 *   up its connections: after a failover they may lead to the former primary, and no request would find that out while a
 *   balancer sends none
 */
export async function checkWritable(knex: Knex): Promise<void> {
  const { rows }: { rows: readonly { read_only: string }[] } = await knex.raw(
    "SELECT current_setting('transaction_read_only') AS read_only",
  );
  if (rows[0]?.read_only !== 'on') return;
  const cause = Object.assign(new Error('transaction_read_only is on'), { code: READ_ONLY });
  (knex.client as Client).emit('query-error', cause, {});
  throw new StoreUnavailable('The database is a standby, which takes no writes.', { cause });
}
