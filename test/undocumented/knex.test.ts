/** The members of knex that it does not document, at the installed knex. */
import { setImmediate } from 'node:timers/promises';
import { expect } from 'chai';
import makeKnex, { type Knex } from 'knex';
import { configOf, dispose, emitQueryError, type KnexConnection, poolOf } from '../../server/undocumented/knex.js';
import { databaseOfSuite } from '../support/database.js';

describe('knex without documentation', () => {
  const database = databaseOfSuite();
  let knex: Knex;
  let made: KnexConnection[];
  beforeEach(() => {
    made = [];
    const afterCreate = (connection: KnexConnection, done: (error: null, connection: unknown) => void): void => {
      made.push(connection);
      done(null, connection);
    };
    knex = makeKnex({
      client: 'pg',
      connection: database.url,
      pool: { min: 0, max: 3, afterCreate },
      log: { warn() {} },
    });
  });
  afterEach(() => knex.destroy());

  it('keeps what it was made with', () => {
    const { client, connection, pool } = configOf(knex);
    const { password } = new URL(database.url);
    expect(client).to.equal('pg');
    expect(pool?.max).to.equal(3);
    expect(connection).to.have.property('password', decodeURIComponent(password));
  });

  it('counts the connections of its pool', async () => {
    const pool = poolOf(knex);
    const counts = (): number[] => [pool.numUsed(), pool.numFree(), pool.numPendingAcquires()];
    const transactions = await Promise.all([1, 2, 3].map(() => knex.transaction()));
    const waiting = knex.transaction();
    await setImmediate();
    const full = counts();
    await Promise.all(transactions.map((transaction) => transaction.rollback()));
    await (await waiting).rollback();
    expect(full).to.deep.equal([3, 0, 1]);
    expect(counts()).to.deep.equal([0, 3, 0]);
  });

  it('numbers its connections, and names in query-error the one that failed', async () => {
    const failed: unknown[] = [];
    knex.on('query-error', (_, { __knexUid }: KnexConnection) => failed.push(__knexUid));
    const transactions = await Promise.all([knex.transaction(), knex.transaction()]);
    await transactions[0]?.raw('SELECT nothing').catch(() => {});
    await Promise.all(transactions.map((transaction) => transaction.rollback()));
    const numbers = made.map(({ __knexUid }) => __knexUid);
    expect(new Set(numbers).size).to.equal(2);
    expect(failed).to.have.length(1);
    expect(numbers).to.include(failed[0]);
  });

  it('replaces a connection that was disposed of', async () => {
    const pid = async (): Promise<number> => (await knex.raw('SELECT pg_backend_pid() AS pid')).rows[0].pid;
    const before = await pid();
    expect(await pid()).to.equal(before);
    for (const connection of made) dispose(connection, 'a reason');
    expect(await pid()).not.to.equal(before);
    expect(made).to.have.length(2);
  });

  it('calls the listeners of query-error', () => {
    const errors: unknown[] = [];
    knex.on('query-error', (error) => errors.push(error));
    const error = new Error('reported');
    emitQueryError(knex, error);
    expect(errors).to.deep.equal([error]);
  });
});
