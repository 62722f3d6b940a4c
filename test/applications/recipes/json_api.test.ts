import { expect } from 'chai';
import { defineSettings } from 'koa-django-session';
import { DatabaseStore } from 'koa-django-session/stores/db';
import { Client } from 'koa-django-session/testing';
import { type ApplicationDatabase, applicationDatabase } from '../support/database.js';
import { createApp } from './json_api.js';

const content_type = 'application/json';

describe('a JSON API', () => {
  const settings = defineSettings({ SECRET_KEY: 'recipes' });
  let database: ApplicationDatabase;
  let client: Client;
  let headers: Record<string, string>;

  before(async () => {
    database = await applicationDatabase();
  });
  after(() => database.drop());
  beforeEach(async () => {
    const store = new DatabaseStore(database.knex);
    client = new Client(createApp(settings, store), { settings, store, enforce_csrf_checks: true });
    const { csrf_token } = (await client.get('/api/csrf')).json() as { csrf_token: string };
    headers = { 'X-CSRFToken': csrf_token, Accept: content_type };
  });

  it('keeps what was sent, also when two requests come at once', async () => {
    const first = await client.post('/api/cart', { id: 7 }, { content_type, headers });
    expect([first.status, first.json()]).to.deep.equal([201, { cart: [7] }]);
    await Promise.all([8, 9].map((id) => client.post('/api/cart', { id }, { content_type, headers })));
    const { cart } = (await client.get('/api/cart')).json() as { cart: number[] };
    expect(cart).to.have.members([7, 8, 9]);
  });

  it('says in JSON what is wrong', async () => {
    const wrong = await client.post('/api/cart', { id: 'seven' }, { content_type, headers });
    expect([wrong.status, wrong.json()]).to.deep.equal([400, { error: 'Send {"id": 7}.', status: 400 }]);
    const forged = await client.post('/api/cart', { id: 7 }, { content_type, headers: { Accept: content_type } });
    expect([forged.status, Object.keys(forged.json() as object)]).to.deep.equal([403, ['error', 'status']]);
  });
});
