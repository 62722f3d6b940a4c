import { expect } from 'chai';
import { defineSettings } from 'koa-django-session';
import { DatabaseStore } from 'koa-django-session/stores/db';
import { Client } from 'koa-django-session/testing';
import { type ApplicationDatabase, applicationDatabase } from '../support/database.js';
import { createApp, makeReport } from './job.js';

describe('a job', () => {
  const settings = defineSettings({ SECRET_KEY: 'recipes' });
  let database: ApplicationDatabase;
  let store: DatabaseStore;
  let client: Client;
  let queue: string[];

  before(async () => {
    database = await applicationDatabase();
    store = new DatabaseStore(database.knex);
  });
  after(() => database.drop());
  beforeEach(() => {
    queue = [];
    client = new Client(
      createApp(settings, store, (key) => queue.push(key)),
      { settings, store },
    );
  });

  it('leaves what it made in the session that asked for it', async () => {
    expect((await client.post('/report/')).json()).to.deep.equal({ status: 'waiting' });
    expect(await makeReport(queue[0] ?? '', settings, store)).to.equal(true);
    expect((await client.get('/report/')).json()).to.deep.equal({ status: 'ready', lines: 42 });
  });

  it('brings no session back that was logged out meanwhile', async () => {
    await client.post('/report/');
    await client.logout();
    expect(await makeReport(queue[0] ?? '', settings, store)).to.equal(false);
    expect(await database.knex('django_session').where({ session_key: queue[0] })).to.deep.equal([]);
  });
});
