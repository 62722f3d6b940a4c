/** Real faults of a real PostgreSQL, as pg and knex report them. */
import { expect } from 'chai';
import pg from 'pg';
import { connectKnex } from '../../server/db/knex.js';
import { isRefusal, isUnavailable, unavailable } from '../../server/db/unavailable.js';
import { StoreUnavailable } from '../../server/errors.js';
import { DatabaseStore } from '../../server/session/stores/db.js';
import { databaseOfSuite } from '../support/database.js';

const errorOf = (promise: PromiseLike<unknown>): Promise<unknown> =>
  Promise.resolve(promise).then(
    () => new Error('nothing was thrown'),
    (reason: unknown) => reason,
  );

describe('isUnavailable', () => {
  const database = databaseOfSuite();

  it('knows a port where nothing listens', async () => {
    const knex = connectKnex('postgres://nobody@127.0.0.1:1/nothing', { connect_timeout: 1 });
    expect(isUnavailable(await errorOf(knex.raw('SELECT 1')))).to.equal(true);
    await knex.destroy();
  });

  it('knows a host that has no address', async () => {
    const knex = connectKnex('postgres://nobody@host.invalid:1/nothing', { connect_timeout: 1 });
    expect(isUnavailable(await errorOf(knex.raw('SELECT 1')))).to.equal(true);
    await knex.destroy();
  });

  it('knows a login without the password that the server wants, as a refusal', async () => {
    const url = new URL(database.url);
    url.password = '';
    const client = new pg.Client({ connectionString: url.href });
    client.on('error', () => {});
    const error = await errorOf(client.connect());
    expect([isUnavailable(error), isRefusal(error)]).to.deep.equal([true, true]);
    // pg leaves the connection open, and PostgreSQL drops no database before its login has ended.
    await client.end();
  });

  it('knows a statement that took too long', async () => {
    const knex = connectKnex(database.url, { statement_timeout: 0.1 });
    expect(isUnavailable(await errorOf(knex.raw('SELECT pg_sleep(5)')))).to.equal(true);
    await knex.destroy();
  });

  it('knows a pool that is used up', async () => {
    const knex = connectKnex(database.url, { poolSize: 1, connect_timeout: 1 });
    const holder = await knex.transaction();
    expect(isUnavailable(await errorOf(knex.raw('SELECT 1')))).to.equal(true);
    await holder.rollback();
    await knex.destroy();
  });

  it('knows a pool that was destroyed, for a statement and for a transaction', async () => {
    const knex = connectKnex(database.url);
    await knex.destroy();
    const store = new DatabaseStore(knex);
    expect(isUnavailable(await errorOf(knex.transaction(async () => {})))).to.equal(true);
    expect(await errorOf(store.load('a'.repeat(32)))).to.be.instanceOf(StoreUnavailable);
    expect(await errorOf(store.delete('a'.repeat(32)))).to.be.instanceOf(StoreUnavailable);
  });

  it('knows a connection that the server ended', async () => {
    const knex = connectKnex(database.url, { poolSize: 1 });
    const { rows } = await knex.raw<{ rows: { pid: number }[] }>('SELECT pg_backend_pid() AS pid');
    const waiting = errorOf(knex.raw('SELECT pg_sleep(2)'));
    await database.knex.raw('SELECT pg_terminate_backend(?)', [rows[0]?.pid ?? 0]);
    expect(isUnavailable(await waiting)).to.equal(true);
    await knex.destroy();
  });

  it('knows a lock that was not to be had, and a database that may not be written', async () => {
    const { knex } = database;
    await knex.transaction(async (holder) => {
      await holder.raw('LOCK TABLE auth_user IN ACCESS EXCLUSIVE MODE');
      const error = await errorOf(
        knex.transaction(async (transaction) => {
          await transaction.raw("SET LOCAL lock_timeout = '50ms'");
          await transaction.raw('SELECT 1 FROM auth_user');
        }),
      );
      expect(isUnavailable(error)).to.equal(true);
    });
    const error = await errorOf(
      knex.transaction(async (transaction) => {
        await transaction.raw('SET TRANSACTION READ ONLY');
        await transaction.raw('DELETE FROM django_session');
      }),
    );
    expect(isUnavailable(error)).to.equal(true);
  });

  it('leaves alone what the statement itself did wrong', async () => {
    const { knex } = database;
    for (const statement of ['SELEC 1', 'SELECT * FROM no_table', "SELECT 'x'::int", 'SELECT 1/0']) {
      expect(isUnavailable(await errorOf(knex.raw(statement))), statement).to.equal(false);
    }
    expect(isUnavailable(await errorOf(knex.raw("SELECT 'Connection terminated'::int")))).to.equal(false);
    for (const value of [null, undefined, 'Connection terminated', 5, new Error('boom'), new TypeError('x')]) {
      expect(isUnavailable(value)).to.equal(false);
    }
  });
});

describe('unavailable', () => {
  it('keeps the cause, and says nothing of it', () => {
    const cause = new Error('connect ECONNREFUSED 10.0.0.7:5432');
    const error = unavailable(cause);
    expect(error).to.be.instanceOf(StoreUnavailable);
    expect(error).to.include({ status: 503, expose: false, cause });
    expect(error.message).to.not.include('10.0.0.7');
    expect(unavailable(error)).to.equal(error);
  });
});
