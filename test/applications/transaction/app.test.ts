import { expect } from 'chai';
import { DatabaseStore } from 'koa-django-session/stores/db';
import { type ApplicationDatabase, applicationDatabase } from '../support/database.js';
import { moveCart, openSession } from './app.js';

describe('a store on a transaction', () => {
  let database: ApplicationDatabase;
  before(async () => {
    database = await applicationDatabase();
  });
  after(() => database.drop());

  async function saved(data: Readonly<Record<string, unknown>>): Promise<string> {
    const session = await openSession(database.knex);
    session.update(data);
    await session.save();
    return session.session_key ?? '';
  }

  async function items(session_key: string): Promise<unknown> {
    return Object.fromEntries((await openSession(database.knex, session_key)).items());
  }

  it('changes both sessions when the transaction commits', async () => {
    const [from, to] = [await saved({ cart: ['tea'], name: 'alice' }), await saved({ name: 'bob' })];
    await moveCart(database.knex, { from, to }, () => {});
    expect(await items(from)).to.deep.equal({ name: 'alice' });
    expect(await items(to)).to.deep.equal({ name: 'bob', cart: ['tea'] });
  });

  it('changes neither when it is rolled back', async () => {
    const [from, to] = [await saved({ cart: ['tea'] }), await saved({ name: 'bob' })];
    const full = new Error('The cart is too heavy.');
    let thrown: unknown;
    await moveCart(database.knex, { from, to }, () => {
      throw full;
    }).catch((error: unknown) => {
      thrown = error;
    });
    expect(thrown).to.equal(full);
    expect(await items(from)).to.deep.equal({ cart: ['tea'] });
    expect(await items(to)).to.deep.equal({ name: 'bob' });
  });

  it('shows nobody else what is not committed, and takes it back', async () => {
    const { knex } = database;
    const key = await saved({ step: 1 });
    const trx = await knex.transaction();
    const inside = await openSession(trx, key);
    inside.set('step', 2);
    await inside.save();
    expect(await items(key)).to.deep.equal({ step: 1 });
    await inside.atomic((fresh) => fresh.set('step', Number(fresh.get('step')) + 1));
    await inside.cycle_key();
    const cycled = inside.session_key ?? '';
    expect(await new DatabaseStore(trx).exists(key)).to.equal(false);
    await trx.rollback();
    expect(await items(key)).to.deep.equal({ step: 1 });
    expect(await new DatabaseStore(knex).exists(cycled)).to.equal(false);
  });
});
