import { networkInterfaces } from 'node:os';
import { expect } from 'chai';
import { takeTurn } from '../server/clear_regularly.js';
import { until } from './fire/until.js';
import { startServer } from './security/server.js';
import { databaseOfSuite } from './support/database.js';

const addresses = Object.values(networkInterfaces()).flatMap((list = []) => list.map(({ address }) => address));

describe('serve', () => {
  const database = databaseOfSuite();

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

  describe('with CLEARSESSIONS_INTERVAL', () => {
    const old = (name: string): object => ({
      session_key: name.padEnd(32, '0'),
      session_data: 'x',
      expire_date: new Date(0),
    });

    it('removes expired sessions in one process of all in each interval', async () => {
      const settings = { DATABASE_URL: database.url, CLEARSESSIONS_INTERVAL: '3600', LOG_LEVEL: 'debug' };
      await database.knex('django_session').insert([old('a'), old('b')]);
      const servers = await Promise.all([startServer(settings), startServer(settings), startServer(settings)]);
      const said = (): string[] =>
        servers.flatMap(({ lines }) => lines).filter((line) => line.includes('clearsessions'));
      try {
        await until(() => said().length === 3 || undefined, { seconds: 30, what: () => said().join('') });
        expect(said().filter((line) => line.includes('"removed":2'))).to.have.length(1);
        expect(said().filter((line) => line.includes('by another process'))).to.have.length(2);
        expect(await database.knex('django_session')).to.deep.equal([]);
      } finally {
        await Promise.all(servers.map((server) => server.stop()));
      }
    });

    it('gives the turn to one that asks after the interval, and tells the others how long to wait', async () => {
      const { knex } = database;
      expect(await takeTurn(knex, 'turns', 1000)).to.equal(0);
      expect(await takeTurn(knex, 'turns', 1000)).to.be.within(900, 1000);
      expect(await takeTurn(knex, 'turns', 2000), 'a longer interval').to.be.within(1900, 2000);
      await knex.raw(
        `UPDATE koa_login_attempts SET counted_at = now() - interval '1001 seconds' WHERE bucket = 'turns'`,
      );
      const turns = await Promise.all(Array.from({ length: 8 }, () => takeTurn(knex, 'turns', 1000)));
      expect(turns.filter((seconds) => seconds === 0)).to.have.length(1);
    });
  });
});
