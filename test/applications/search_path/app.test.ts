import { expect } from 'chai';
import type { Knex } from 'knex';
import { migrate } from 'koa-django-session';
import { type ApplicationDatabase, applicationDatabase } from '../support/database.js';
import { type Listening, listen } from '../support/server.js';
import { Visitor } from '../support/visitor.js';
import { CONNECTIONS, createApp } from './app.js';

for (const [name, connect] of Object.entries(CONNECTIONS)) {
  describe(`tables in another schema, by ${name}`, () => {
    // With tables of the same names in `public`, which must stay empty.
    let database: ApplicationDatabase;
    let knex: Knex;
    let site: Listening;
    before(async () => {
      database = await applicationDatabase();
      await database.knex.raw('CREATE SCHEMA shop');
      knex = connect(database.url, 'shop');
      await migrate(knex);
      site = await listen(createApp(knex));
    });
    after(async () => {
      await site.close();
      await knex.destroy();
      await database.drop();
    });

    it('makes, finds and changes the row there', async () => {
      const visitor = await Visitor.returning(site);
      expect((await visitor.get('/')).text).to.equal('2');
      const rows = await database.knex.withSchema('shop').from('django_session').pluck('session_key');
      expect(rows).to.deep.equal([visitor.sessionid]);
      expect(await database.sessions()).to.equal(0);
    });

    it('is migrated once', async () => {
      expect(await migrate(knex)).to.deep.equal([]);
    });
  });
}
