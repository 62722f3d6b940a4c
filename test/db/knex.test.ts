/** What becomes of connections that are of no use any more. */
import { expect } from 'chai';
import type { Knex } from 'knex';
import { connectKnex, knexConnection } from '../../server/db/knex.js';
import { PoolShare } from '../../server/db/pool_share.js';
import { isSilence } from '../../server/db/unavailable.js';
import { databaseBounds } from '../../server/db/wait_bounds.js';
import { DatabaseStore } from '../../server/session/stores/db.js';
import { configOf } from '../../server/undocumented/knex.js';
import { until } from '../fire/until.js';
import { databaseOfSuite, UNHURRIED } from '../support/database.js';
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
    knex = connectKnex(database.url, { ...UNHURRIED, poolSize: 3 });
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

  it('has by default the timeouts with which a store and a table count by default', async () => {
    knex = connectKnex(database.url);
    const bounds = databaseBounds();
    const share = new PoolShare(knex);
    expect([new DatabaseStore(knex).deadline().left(), share.deadline().left()]).to.deep.equal(
      [bounds.request, bounds.request].map((seconds) => seconds * 1000),
    );
    const { acquireConnectionTimeout } = configOf(knex);
    expect({ ...(knexConnection(database.url) as object), acquireConnectionTimeout }).to.include({
      acquireConnectionTimeout: bounds.connection * 1000,
      connectionTimeoutMillis: bounds.connection * 1000,
      statement_timeout: bounds.statement * 1000,
      query_timeout: bounds.silence * 1000,
      idle_in_transaction_session_timeout: bounds.idleTransaction * 1000,
    });
  });
});
