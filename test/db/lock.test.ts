/** Work that must not run twice at once, on a knex as other applications make theirs. */
import { expect } from 'chai';
import makeKnex, { type Knex } from 'knex';
import { whileLocked } from '../../server/db/lock.js';
import { emptyDatabase, type TestDatabase } from '../support/database.js';

describe('whileLocked', () => {
  let database: TestDatabase;
  before(async () => {
    database = await emptyDatabase();
  });
  after(() => database.drop());

  const parts = (): Knex.PgConnectionConfig => {
    const { hostname, port, username, password, pathname } = new URL(database.url);
    return { host: hostname, port: Number(port), user: username, password, database: pathname.slice(1) };
  };
  const ways: Readonly<Record<string, () => NonNullable<Knex.Config['connection']>>> = {
    'a URL': () => database.url,
    'a URL as connectionString': () => ({ connectionString: database.url }),
    'an object with the password apart': parts,
    'a function': () => parts,
  };
  for (const [name, connection] of Object.entries(ways)) {
    it(`connects as the application's knex does, which was given ${name}`, async () => {
      const knex = makeKnex({ client: 'pg', connection: connection(), pool: { min: 0, max: 1 } });
      try {
        const work = async (connected: Knex): Promise<unknown> => {
          const { rows } = await connected.raw('SELECT current_database() AS name');
          return rows;
        };
        const rows = await whileLocked(knex, { lock: 'migrate', wait: 1 }, work);
        expect(rows).to.deep.equal([{ name: parts().database }]);
      } finally {
        await knex.destroy();
      }
    });
  }
});
