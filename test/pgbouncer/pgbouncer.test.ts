/** Sessions by way of a real pgbouncer in transaction mode, which gives each transaction another connection. */
import { expect } from 'chai';
import type { Knex } from 'knex';
import { connectKnex } from '../../server/db/knex.js';
import { newSessionKey } from '../../server/session/key.js';
import { DatabaseStore } from '../../server/session/stores/db.js';
import { Planted } from '../fire/planted.js';
import { hangUp, Visitor } from '../fire/visitor.js';
import { startServer, type TestServer } from '../security/server.js';
import { storeContract } from '../session/stores/contract.js';
import { type TestDatabase, testDatabase, UNHURRIED } from '../support/database.js';
import { type Pgbouncer, startPgbouncer } from './pgbouncer.js';

describe('behind a pgbouncer that shares connections by transaction', () => {
  let database: TestDatabase;
  let pgbouncer: Pgbouncer;
  let knex: Knex;

  before(async () => {
    database = await testDatabase();
    pgbouncer = await startPgbouncer(database.url);
    knex = connectKnex(pgbouncer.url, UNHURRIED);
  });
  after(async () => {
    await knex.destroy();
    await pgbouncer.stop();
    await database.drop();
  });

  describe('DatabaseStore without prepared statements', () => {
    storeContract(async (now) => {
      await database.knex('django_session').delete();
      return { store: new DatabaseStore(knex, { now, prepared: false }) };
    });

    it('gives each of many visitors at once the own session, by ten connections that are two', async () => {
      const store = new DatabaseStore(knex, { prepared: false });
      const rows = Array.from({ length: 60 }, (_, n) => ({
        session_key: newSessionKey(),
        session_data: `text:${n}`,
        expire_date: new Date(Date.now() + 60_000),
      }));
      await Promise.all(rows.map((row) => store.create(row)));
      for (let round = 0; round < 5; round += 1) {
        const visits = rows.map(async (row, n) => {
          const text = await store.load(row.session_key);
          expect(text).to.equal(round === 0 ? `text:${n}` : `text:${n}:${round - 1}`);
          return store.replace(text ?? '', { ...row, session_data: `text:${n}:${round}` });
        });
        expect(new Set(await Promise.all(visits))).to.deep.equal(new Set([true]));
      }
    });
  });

  describe('the server with DATABASE_PREPARED=false', () => {
    let server: TestServer;

    before(async () => {
      server = await startServer({ DATABASE_URL: pgbouncer.url, DATABASE_PREPARED: 'false' });
    });
    after(() => {
      hangUp();
      return server.stop();
    });

    it('knows forty users at once who are logged in', async () => {
      const planted = new Planted(database);
      const users = await Promise.all(Array.from({ length: 40 }, () => planted.user()));
      const keys = await Promise.all(users.map((user) => planted.session({}, user)));
      for (let round = 0; round < 3; round += 1) {
        const answers = await Promise.all(keys.map((key) => new Visitor(key).get(`${server.url}/api/me/`)));
        const names = answers.map(
          ({ text }) => (JSON.parse(text) as { user: { username: string } | null }).user?.username,
        );
        expect(names).to.deep.equal(users.map(({ username }) => username));
      }
    });

    it('answers, and leaves no prepared statement at the database', async () => {
      const visitor = new Visitor();
      // The captcha's answer is kept in a session.
      await visitor.get(`${server.url}/captcha/`);
      expect(visitor.session_key).to.have.length(32);
      const visits = Array.from({ length: 40 }, () => visitor.ops(server.url, ['setdefault', 'n', 1], ['get', 'n']));
      for (const { results } of await Promise.all(visits)) expect(results).to.deep.equal([1, 1]);
      expect((await fetch(`${server.url}/readyz`)).status).to.equal(200);
      for (let n = 0; n < 20; n += 1) {
        const { rows } = await knex.raw("SELECT name FROM pg_prepared_statements WHERE name <> ''");
        expect(rows).to.deep.equal([]);
      }
    });
  });
});
