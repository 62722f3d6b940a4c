import { once } from 'node:events';
import { expect } from 'chai';
import { defineSettings, make_password, type User, UserTable } from 'koa-django-session';
import { DatabaseStore } from 'koa-django-session/stores/db';
import { Client } from 'koa-django-session/testing';
import { WebSocket } from 'ws';
import { type ApplicationDatabase, applicationDatabase } from '../support/database.js';
import { type Listening, listenWith } from '../support/server.js';
import { createChat } from './websocket.js';

describe('a WebSocket', () => {
  const settings = defineSettings({ SECRET_KEY: 'recipes' });
  let database: ApplicationDatabase;
  let site: Listening;
  let client: Client;
  let user: User;

  before(async () => {
    database = await applicationDatabase();
    const { knex } = database;
    const store = new DatabaseStore(knex);
    const { app, server } = createChat(settings, knex, store);
    site = await listenWith(server);
    client = new Client(app, { settings, store });
    const password = await make_password(null);
    user = await new UserTable(knex, { settings }).create_user({ username: 'ann', password });
  });
  after(async () => {
    await site.close();
    await database.drop();
  });

  function open(headers: Readonly<Record<string, string>>): WebSocket {
    return new WebSocket(site.url.replace('http', 'ws'), { headers });
  }

  it('is open to who is logged in, until the logout', async () => {
    await client.force_login(user);
    const socket = open({ cookie: client.cookies.header('/', false), origin: site.url });
    await once(socket, 'open');
    socket.send('hello');
    expect(String((await once(socket, 'message'))[0])).to.equal('hello');
    const ended = once(socket, 'close');
    await client.logout();
    const [code, reason] = await ended;
    expect([code, String(reason)]).to.deep.equal([4401, 'Your session has ended.']);
  });

  it('is refused to strangers, and to another site that a user looks at', async () => {
    await client.force_login(user);
    const cookie = client.cookies.header('/', false);
    for (const headers of [{ origin: site.url }, { origin: 'https://evil.example', cookie }]) {
      const [error] = await once(open(headers), 'error');
      expect(String(error)).to.contain('403');
    }
  });
});
