/** A transaction that finds out whether it was committed when the connection breaks at COMMIT. */
import type { Knex } from 'knex';
import { isSilence, isUnavailable } from './unavailable.js';

/**
 * Runs `work` in a transaction.
 *
 * If the connection breaks between COMMIT and its answer, PostgreSQL may have committed or not. Then `wasCommitted` is
 * called, which looks on another connection. If it fails, the first error is thrown. It is not called after a
 * query_timeout: the server would not answer it either.
 *
 * @throws the error of `work`, after a rollback; otherwise the database's error
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
