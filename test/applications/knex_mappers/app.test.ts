import { expect } from 'chai';
import type { Knex } from 'knex';
import { make_password, migrate, migrationStatus, UserTable } from 'koa-django-session';
import { DatabaseStore } from 'koa-django-session/stores/db';
import { type ApplicationDatabase, emptyDatabase } from '../support/database.js';
import { type Listening, listen } from '../support/server.js';
import { Visitor } from '../support/visitor.js';
import { connect, createApp, MAPPERS } from './app.js';

for (const [name, mappers] of Object.entries(MAPPERS)) {
  describe(`a knex with the mappers ${name}`, () => {
    let database: ApplicationDatabase;
    let knex: Knex;
    let site: Listening;
    before(async () => {
      database = await emptyDatabase();
      knex = connect(database.url, mappers);
      await migrate(knex);
      await new UserTable(knex).create_user({ username: 'alice', password: await make_password('white rabbit') });
      site = await listen(createApp(knex));
    });
    after(async () => {
      await site.close();
      await knex.destroy();
      await database.drop();
    });

    const see = async (visitor: Visitor, path = '/'): Promise<unknown> => JSON.parse((await visitor.get(path)).text);

    it('migrates once', async () => {
      expect((await migrationStatus(knex)).pending).to.deep.equal([]);
      expect(await migrate(knex)).to.deep.equal([]);
    });

    it('counts visits in the row that Django would read, also by atomic', async () => {
      const visitor = await Visitor.returning(site, '/count');
      await visitor.get('/atomic');
      expect(await see(visitor, '/count')).to.deep.include({ visits: 3 });
      const [row] = await database.knex('django_session').where({ session_key: visitor.sessionid });
      expect(Object.keys(row)).to.have.members(['session_key', 'session_data', 'expire_date']);
    });

    it("logs a user in, whose columns are Django's, and maps the application's own rows", async () => {
      const visitor = new Visitor(site);
      expect(await see(visitor, '/login')).to.deep.equal({ visits: 0, user: 'alice', theirs: ['lastLogin'] });
      expect(await see(visitor)).to.deep.equal({ visits: 0, user: 'alice', theirs: ['lastLogin'] });
    });

    it('removes what has expired', async () => {
      const { sessionid } = await Visitor.returning(site, '/count');
      await database
        .knex('django_session')
        .where({ session_key: sessionid })
        .update({ expire_date: new Date(0) });
      expect(await new DatabaseStore(knex).clear_expired()).to.equal(1);
    });
  });
}
