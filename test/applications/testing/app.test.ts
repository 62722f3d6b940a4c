import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { expect } from 'chai';
import { make_password, UserTable } from 'koa-django-session';
import { DatabaseStore } from 'koa-django-session/stores/db';
import { Client, testClock } from 'koa-django-session/testing';
import { type ApplicationDatabase, applicationDatabase } from '../support/database.js';
import { createApp, settings } from './app.js';

describe('an application whose tests use koa-django-session/testing', () => {
  let database: ApplicationDatabase;
  before(async () => {
    database = await applicationDatabase();
  });
  after(() => database.drop());

  it('is asked without a port, as a user who is logged in, with what lies in the session', async () => {
    const now = testClock();
    const store = new DatabaseStore(database.knex, { now });
    const client = new Client(createApp(database.knex, store, now), { settings, store, now });
    const anonymous = await client.get('/');
    expect([anonymous.status, anonymous.headers.location]).to.deep.equal([302, '/login/?next=/']);
    const password = await make_password(null);
    const user = await new UserTable(database.knex).create_user({ username: 'ann', password });
    await client.force_login(user);
    const session = await client.session();
    session['cart'] = ['7'];
    await session.save();
    const page = { user: 'ann', cart: ['7', '8'], price: '12.5 €' };
    expect((await client.post('/', { id: '8' })).json()).to.deep.equal(page);
    expect(await database.sessions()).to.equal(1);
    now.advance(settings.SESSION_COOKIE_AGE);
    expect((await client.get('/')).status).to.equal(302);
  });

  it("runs under Node's own runner, which ends by itself", () => {
    const file = path.join(import.meta.dirname, 'node_runner.mjs');
    // Not as a child of this runner, whose reports it would join.
    const { NODE_TEST_CONTEXT: _, ...env } = process.env;
    const { status, stdout } = spawnSync(process.execPath, ['--test', file], {
      encoding: 'utf8',
      env,
      timeout: 50_000,
    });
    expect(stdout).to.match(/pass 1\b/);
    expect(status).to.equal(0);
  });
});
