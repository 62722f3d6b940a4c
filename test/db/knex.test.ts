/** What becomes of connections that are of no use any more. */
import { expect } from 'chai';
import type { Knex } from 'knex';
import { connectKnex } from '../../server/db/knex.js';
import { isSilence } from '../../server/db/unavailable.js';
import { until } from '../fire/until.js';
import { databaseOfSuite } from '../support/database.js';
import { reasonOf } from '../support/reason.js';

describe('connectKnex', () => {
  const database = databaseOfSuite();
  let knex: Knex;
  afterEach(() => knex.destroy());

  /** All connections of a pool of three at work at the same time, doing this. */
  const onAll = async (statement: string): Promise<readonly { pid: number }[]> => {
    const transactions = await Promise.all([1, 2, 3].map(() => knex.transaction()));
    const rows = await Promise.all(
      transactions.map(async (transaction) => {
        await transaction.raw(statement);
        return (await transaction.raw<{ rows: { pid: number }[] }>('SELECT pg_backend_pid() AS pid')).rows;
      }),
    );
    await Promise.all(transactions.map((transaction) => transaction.commit()));
    return rows.flat();
  };

  it('replaces every connection of the pool when one leads to a server that takes no writes', async () => {
    knex = connectKnex(database.url, { poolSize: 3 });
    const before = await onAll("SELECT set_config('default_transaction_read_only', 'on', false)");
    const refused = await reasonOf(knex.raw("UPDATE django_session SET session_data = ''").then(() => {}));
    expect(refused).to.have.property('code', '25006');
    const after = await onAll("UPDATE django_session SET session_data = ''");
    const kept = after.filter(({ pid }) => before.some((row) => row.pid === pid));
    expect(kept).to.deep.equal([]);
  });

  it('ends at the server what goes on there after it was given up', async () => {
    knex = connectKnex(database.url, { poolSize: 1, statement_timeout: 1 });
    // As a COMMIT that waits for a frozen standby: the server's own timeout does not end it.
    await knex.raw('SET statement_timeout = 0');
    const running =
      "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(%' AND state = 'active' AND datname = current_database()";
    const given = reasonOf(knex.raw('SELECT pg_sleep(600)').then(() => {}));
    expect(isSilence(await given)).to.equal(true);
    await until(async () => (await database.knex.raw(running)).rows.length === 0 || undefined, {
      seconds: 60,
      what: () => 'the backend to end',
    });
  });
});
