import { DatabaseStore } from '../../../server/session/stores/db.js';
import { type TestDatabase, testDatabase } from '../../support/database.js';
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
});
