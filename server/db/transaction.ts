/** A transaction whose end is known also when the connection breaks at COMMIT. */
import type { Knex } from 'knex';
import { isSilence, isUnavailable } from './unavailable.js';

/**
 * Run `work` in a transaction.
 *
 * When the connection breaks after COMMIT was sent and before its answer came, PostgreSQL may have committed or not.
 * Then `wasCommitted` is asked, on another connection; if it cannot tell, the first error counts. It is not asked where
 * the server is silent: asking would be met with silence, too, and the visitor has waited long enough.
 *
 * @throws what `work` throws, and nothing was written; otherwise what the database throws
 */
export async function transact(
  knex: Knex,
  work: (transaction: Knex.Transaction) => Promise<void>,
  wasCommitted: () => Promise<boolean>,
): Promise<void> {
  let isWorkDone = false;
  try {
    await knex.transaction(async (transaction) => {
      await work(transaction);
      isWorkDone = true;
    });
  } catch (error) {
    const isInDoubt = isWorkDone && isUnavailable(error) && !isSilence(error);
    if (isInDoubt && (await wasCommitted().catch(() => false))) return;
    throw error;
  }
}
