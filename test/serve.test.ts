import { networkInterfaces } from 'node:os';
import { expect } from 'chai';
import { startServer } from './security/server.js';
import { type TestDatabase, testDatabase } from './support/database.js';

const addresses = Object.values(networkInterfaces()).flatMap((list = []) => list.map(({ address }) => address));

describe('serve', () => {
  let database: TestDatabase;
  before(async () => {
    database = await testDatabase();
  });
  after(() => database.drop());

  for (const HOST of ['[::1]', '::1']) {
    it(`listens on HOST=${HOST}, and its url can be opened`, async function () {
      if (!addresses.includes('::1')) this.skip();
      const server = await startServer({ HOST, DATABASE_URL: database.url });
      try {
        expect(server.url).to.match(/^http:\/\/\[::1\]:\d+$/);
        expect((await fetch(`${server.url}/goods/`)).status).to.equal(200);
      } finally {
        await server.stop();
      }
    });
  }
});
