import { expect } from 'chai';
import { defineSettings, make_password } from 'koa-django-session';
import { DatabaseStore } from 'koa-django-session/stores/db';
import { Client } from 'koa-django-session/testing';
import { type ApplicationDatabase, applicationDatabase } from '../support/database.js';
import { createApp } from './own_backend.js';

const ID = '3f1c6f0e-8c0a-4b1e-9a55-0d3c3f0f7f11';

describe('a backend of an application of its own', () => {
  const settings = defineSettings({ SECRET_KEY: 'recipes' });
  let database: ApplicationDatabase;
  let client: Client;

  before(async () => {
    database = await applicationDatabase();
    const { knex } = database;
    await knex.raw('CREATE TABLE members (id uuid PRIMARY KEY, email text UNIQUE, password text, is_locked boolean)');
    const password = await make_password('a good secret');
    await knex('members').insert({ id: ID, email: 'ann@example.com', password, is_locked: false });
  });
  after(() => database.drop());
  beforeEach(() => {
    const store = new DatabaseStore(database.knex);
    client = new Client(createApp(settings, database.knex, store), { settings, store });
  });

  const loggedIn = (password: string) =>
    client.post('/login/', { email: 'Ann@example.com', password }, { follow: true });

  it('logs members in by address and password', async () => {
    expect((await loggedIn('a good secret')).text).to.equal('Hello, ann@example.com.');
    expect((await client.session()).get('_auth_user_id')).to.equal(ID);
  });

  it('knows nobody by a wrong password', async () => {
    expect((await loggedIn('a guess')).status).to.equal(400);
    expect((await client.get('/')).status).to.equal(302);
  });

  it('ends the login of a member who is locked out', async () => {
    await loggedIn('a good secret');
    await database.knex('members').where({ id: ID }).update({ is_locked: true });
    expect((await client.get('/')).status).to.equal(302);
  });
});
