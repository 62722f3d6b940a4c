/**
 * What a read leaves behind dies with its request. How V8 collects differs from release to release, so this suite runs on
 * one of them alone (see .ci/run), and is no part of `npm test`.
 */
import { expect } from 'chai';
import { connectKnex } from '../../server/db/knex.js';
import { runPrepared } from '../../server/db/prepared.js';
import { newSessionKey } from '../../server/session/key.js';
import { DatabaseStore } from '../../server/session/stores/db.js';
import { databaseOfSuite, UNHURRIED } from '../support/database.js';
import { grownOld } from './old_objects.js';

/** Bytes; 40 MB pass through in each test. */
const FEW = 8_000_000;

describe('the next small collection takes', () => {
  const database = databaseOfSuite();

  it('rows of a prepared statement that were read', async () => {
    const knex = connectKnex(database.url, { ...UNHURRIED, poolSize: 1 });
    const large = { name: 'test_large', text: "SELECT repeat('x', 2000) FROM generate_series(1, 20) WHERE $1 <> ''" };
    try {
      // Most of them grew old while pg's callback led to the rows.
      expect(await grownOld(1000, () => runPrepared(knex, large, ['any']))).to.be.below(FEW);
    } finally {
      await knex.destroy();
    }
  });

  it('texts of sessions that were read in batches', async () => {
    const store = new DatabaseStore(database.knex);
    const session_data = 'x'.repeat(2000);
    const expire_date = new Date(Date.now() + 3_600_000);
    const rows = Array.from({ length: 20 }, () => ({ session_key: newSessionKey(), session_data, expire_date }));
    await Promise.all(rows.map((row) => store.create(row)));
    // Most of them grew old while the Map of open reads, outgrown again and again, led to them.
    const read = (): Promise<unknown> => Promise.all(rows.map(({ session_key }) => store.load(session_key)));
    expect(await grownOld(1000, read)).to.be.below(FEW);
  });
});
