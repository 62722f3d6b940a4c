import { expect } from 'chai';
import { StoreUnavailable } from '../../../server/errors.js';
import { DatabaseStore } from '../../../server/session/stores/db.js';
import { type TestDatabase, testDatabase } from '../../support/database.js';
import { reasonOf } from '../../support/reason.js';
import { storeContract } from './contract.js';

describe('DatabaseStore', () => {
  let database: TestDatabase;
  before(async () => {
    database = await testDatabase();
  });
  after(async () => database.drop());

  storeContract(async (now) => {
    await database.knex('django_session').delete();
    return { store: new DatabaseStore(database.knex, { now }) };
  });

  describe('while a row is locked for the application', () => {
    const KEY = 'abcdefghijklmnopqrstuvwxyz012345';
    let store: DatabaseStore;

    beforeEach(async () => {
      await database.knex('django_session').delete();
      store = new DatabaseStore(database.knex);
      await store.create({ session_key: KEY, session_data: 'text', expire_date: new Date(Date.now() + 60_000) });
    });

    it("passes on what its change throws, also what looks like the database's own", async () => {
      const refused = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
      const changing = store.modify(KEY, async () => {
        throw refused;
      });
      expect(await reasonOf(changing)).to.equal(refused);
      expect(await store.load(KEY)).to.equal('text');
    });

    it('gives a change up that never ends: the row is free again, and so is the connection', async () => {
      const stuck = Array.from({ length: 6 }, (_, n) => reasonOf(store.modify(KEY, () => new Promise(() => n))));
      expect(await stuck[0]).to.be.instanceOf(StoreUnavailable);
      for (const error of await Promise.all(stuck)) expect(error).to.be.instanceOf(StoreUnavailable);
      await store.delete(KEY);
      expect(await store.load(KEY)).to.equal(null);
    });
  });
});
