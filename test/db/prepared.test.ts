import { inspect } from 'node:util';
import { expect } from 'chai';
import type { Knex } from 'knex';
import { connectKnex } from '../../server/db/knex.js';
import { runPrepared } from '../../server/db/prepared.js';
import { isUnavailable } from '../../server/db/unavailable.js';
import { type TestDatabase, testDatabase, UNHURRIED } from '../support/database.js';
import { reasonOf } from '../support/reason.js';

const LOAD = { name: 'test_load', text: 'SELECT text FROM test_plans WHERE text = $1' };

describe('runPrepared', () => {
  let database: TestDatabase;
  /** One connection, so that the statement is always asked where it was prepared. */
  let knex: Knex;

  before(async () => {
    database = await testDatabase();
    knex = connectKnex(database.url, { ...UNHURRIED, poolSize: 1 });
  });
  after(async () => {
    await knex.destroy();
    await database.drop();
  });
  beforeEach(async () => {
    await database.knex.raw('DROP TABLE IF EXISTS test_plans');
    await database.knex.raw('CREATE TABLE test_plans (text varchar(10))');
    await database.knex.raw("INSERT INTO test_plans VALUES ('here')");
    await runPrepared(knex, LOAD, ['here']);
  });

  const widen = (): Knex.Raw => database.knex.raw('ALTER TABLE test_plans ALTER text TYPE varchar(20)');
  const rowsOf = async (): Promise<unknown> => (await runPrepared(knex, LOAD, ['here'])).rows;

  it('keeps the plan at the connection', async () => {
    const { rows } = await knex.raw('SELECT name FROM pg_prepared_statements');
    expect(rows).to.deep.equal([{ name: LOAD.name }]);
  });

  it('goes on after a migration that changed the type of a column', async () => {
    await widen();
    expect(await rowsOf()).to.deep.equal([['here']]);
    expect(await rowsOf()).to.deep.equal([['here']]);
  });

  it('goes on after the connection lost its plans', async () => {
    await knex.raw('DISCARD ALL');
    expect(await rowsOf()).to.deep.equal([['here']]);
  });

  it('counts an overtaken plan in a transaction as a passing fault, which ends it, and is right in the next one', async () => {
    await widen();
    const inTransaction = (): Promise<unknown> =>
      knex.transaction(async (transaction) => (await runPrepared(transaction, LOAD, ['here'])).rows);
    const error = await reasonOf(inTransaction());
    expect(isUnavailable(error)).to.equal(true);
    expect(await inTransaction()).to.deep.equal([['here']]);
  });

  it('passes on other errors as they are, and the connection is good for the next statement', async () => {
    const broken = { name: 'test_broken', text: 'SELECT 1 / ($1::int - 1)' };
    expect(await reasonOf(runPrepared(knex, broken, ['1']))).to.include({ code: '22012' });
    expect((await runPrepared(knex, broken, ['2'])).rows).to.deep.equal([['1']]);
  });

  it('sends nothing in a transaction that is over: its connection is somebody else’s', async () => {
    const transaction = await knex.transaction();
    await transaction.rollback();
    const insert = { name: 'test_insert', text: 'INSERT INTO test_plans VALUES ($1)' };
    expect(await reasonOf(runPrepared(transaction, insert, ['late']))).to.be.instanceOf(Error);
    expect((await database.knex('test_plans').where({ text: 'late' })).length).to.equal(0);
  });

  it('tells those who listen for errors which statement failed, and nothing of its values', async () => {
    const told: unknown[] = [];
    const listen = (_: unknown, query: unknown): void => {
      told.push(query);
    };
    knex.on('query-error', listen);
    await reasonOf(runPrepared(knex, { name: 'test_none', text: 'SELECT $1 FROM nowhere' }, ['a secret']));
    knex.removeListener('query-error', listen);
    expect(told).to.have.length(1);
    expect(told[0]).to.have.keys('__knexUid', 'sql');
    expect(told[0]).to.include({ sql: 'SELECT $1 FROM nowhere' });
  });

  it('passes on no value of a row, such as a session key that is taken', async () => {
    await database.knex.raw('CREATE UNIQUE INDEX test_plans_text ON test_plans (text)');
    const insert = { name: 'test_insert', text: 'INSERT INTO test_plans VALUES ($1)' };
    await runPrepared(knex, insert, ['x1y2z3']);
    const error = await reasonOf(runPrepared(knex, insert, ['x1y2z3']));
    expect(error).to.have.property('code', '23505');
    expect(inspect(error)).to.include('duplicate key').and.not.include('x1y2z3');
  });
});
