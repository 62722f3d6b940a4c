import { expect } from 'chai';
import { make_password, UserTable } from 'koa-django-session';
import { type ApplicationDatabase, applicationDatabase } from '../support/database.js';
import { type Listening, listen } from '../support/server.js';
import { Visitor } from '../support/visitor.js';
import { createApp } from './app.js';

describe('an application with types of its own for state and context', () => {
  let database: ApplicationDatabase;
  let site: Listening;
  before(async () => {
    database = await applicationDatabase();
    await new UserTable(database.knex).create_user({
      username: 'alice',
      password: await make_password('white rabbit'),
    });
    site = await listen(createApp(database.knex));
  });
  after(async () => {
    await site.close();
    await database.drop();
  });

  it('has its own members and those of the library', async () => {
    const page = await new Visitor(site).get('/');
    expect(JSON.parse(page.text)).to.deep.equal({ price: '12.5 €', requestId: 'first', cart: [], user: '', visits: 1 });
  });

  it('logs in and out by its router', async () => {
    const visitor = new Visitor(site);
    expect((await visitor.get('/members')).status).to.equal(302);
    const csrfmiddlewaretoken = (await visitor.get('/token')).text;
    const form = new URLSearchParams({ name: 'alice', password: 'white rabbit', csrfmiddlewaretoken });
    expect((await visitor.post('/login', form)).text).to.equal('alice');
    expect((await visitor.get('/members')).text).to.equal('0 €');
    const token = (await visitor.get('/token')).text;
    const logout = await visitor.post('/logout', new URLSearchParams({ csrfmiddlewaretoken: token }));
    expect([logout.status, (await visitor.get('/members')).status]).to.deep.equal([200, 302]);
  });
});
