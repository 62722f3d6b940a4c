import { expect } from 'chai';
import { defineSettings, make_password, UserTable } from 'koa-django-session';
import { DatabaseStore } from 'koa-django-session/stores/db';
import { Client, testClock } from 'koa-django-session/testing';
import { type ApplicationDatabase, applicationDatabase } from '../support/database.js';
import { createApp } from './login_form.js';

describe('a login form', () => {
  const settings = defineSettings({ SECRET_KEY: 'recipes' });
  const now = testClock();
  let database: ApplicationDatabase;
  let client: Client;

  before(async () => {
    database = await applicationDatabase();
    const users = new UserTable(database.knex, { settings });
    await users.create_user({ username: 'ann', password: await make_password('a good secret') });
  });
  after(() => database.drop());
  beforeEach(() => {
    const { knex } = database;
    const store = new DatabaseStore(knex, { now });
    client = new Client(createApp({ settings, knex, store, now }), { settings, store, now });
  });

  it('sends visitors who are not logged in to the form, and back after the login', async () => {
    expect((await client.get('/')).headers.location).to.equal('/login/?next=/');
    const response = await client.post(
      '/login/?next=/',
      { username: 'ann', password: 'a good secret' },
      { follow: true },
    );
    expect(response.redirect_chain).to.deep.equal([['/', 302]]);
    expect(response.text).to.equal('Hello, ann.');
  });

  it('says that name or password is wrong', async () => {
    const response = await client.post('/login/', { username: 'ann', password: 'a guess' });
    expect(response.status).to.equal(400);
    expect(response.text).to.contain('Name or password is wrong.');
  });

  it('sends nobody to another site', async () => {
    const response = await client.post('/login/?next=//evil.example/', { username: 'ann', password: 'a good secret' });
    expect(response.headers.location).to.equal('/');
  });

  it('refuses a form without its token', async () => {
    const { knex } = database;
    const store = new DatabaseStore(knex, { now });
    const strict = new Client(createApp({ settings, knex, store, now }), { enforce_csrf_checks: true });
    const page = await strict.get('/login/');
    const csrfmiddlewaretoken = /value="(\w+)"/.exec(page.text)?.[1] ?? '';
    const fields = { username: 'ann', password: 'a good secret' };
    expect((await strict.post('/login/', fields)).status).to.equal(403);
    expect((await strict.post('/login/', { ...fields, csrfmiddlewaretoken })).status).to.equal(302);
  });

  it('ends the session at the logout, and two weeks after the last visit', async () => {
    const user = await new UserTable(database.knex, { settings }).get_by_natural_key('ann');
    if (user === null) throw new Error('There is no ann.');
    await client.force_login(user);
    expect((await client.get('/')).status).to.equal(200);
    now.advance(settings.SESSION_COOKIE_AGE);
    expect((await client.get('/')).status).to.equal(302);
    await client.force_login(user);
    await client.post('/logout/');
    expect((await client.get('/')).status).to.equal(302);
  });
});
