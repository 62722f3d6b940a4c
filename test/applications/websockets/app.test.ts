import { expect } from 'chai';
import { DatabaseStore } from 'koa-django-session/stores/db';
import { WebSocket } from 'ws';
import { type ApplicationDatabase, applicationDatabase } from '../support/database.js';
import { type Listening, listenWith } from '../support/server.js';
import { Visitor } from '../support/visitor.js';
import { createSocketSite } from './app.js';

describe('a WebSocket that is opened in a middleware', () => {
  let database: ApplicationDatabase;
  let site: Listening;
  const errors: unknown[] = [];
  const warnings: string[] = [];
  before(async () => {
    database = await applicationDatabase();
    const store = new DatabaseStore(database.knex);
    const { app, server } = createSocketSite({ store, warn: (_details, message) => warnings.push(message) });
    app.on('error', (error) => errors.push(error));
    site = await listenWith(server);
  });
  after(async () => {
    await site.close();
    await database.drop();
  });

  /** What the server says, and the cookies of its 101. */
  function open(visitor: Visitor, path: string): Promise<{ said: string; set_cookie: readonly string[] }> {
    const headers: Record<string, string> = visitor.cookie === '' ? {} : { cookie: visitor.cookie };
    const socket = new WebSocket(`${site.url.replace('http', 'ws')}${path}`, { headers });
    let set_cookie: readonly string[] = [];
    socket.on('upgrade', (answer) => {
      set_cookie = answer.headers['set-cookie'] ?? [];
    });
    return new Promise((resolve, reject) => {
      socket.once('error', reject);
      socket.once('message', (data) => {
        const said = String(data);
        socket.once('close', () => resolve({ said, set_cookie }));
        socket.close();
      });
    });
  }

  it("reads the visitor's session", async () => {
    const visitor = await Visitor.returning(site);
    expect((await open(visitor, '/socket')).said).to.equal('hello alice');
    expect([errors, warnings]).to.deep.equal([[], []]);
  });

  it('keeps what changed while it was opened', async () => {
    const visitor = await Visitor.returning(site);
    await open(visitor, '/socket');
    await open(visitor, '/socket');
    const sockets = async (): Promise<unknown> => JSON.parse((await visitor.get('/')).text).sockets;
    // The save may be a moment behind the socket's message.
    while ((await sockets()) !== 2) expect(errors).to.deep.equal([]);
    expect([errors, warnings]).to.deep.equal([[], []]);
  });

  it('is open to a stranger, without a row', async () => {
    const rows = await database.sessions();
    expect(await open(new Visitor(site), '/socket')).to.deep.equal({ said: 'hello nobody', set_cookie: [] });
    expect(await database.sessions()).to.equal(rows);
  });

  it('sends the cookie of a session that was committed before', async () => {
    const visitor = new Visitor(site);
    const { set_cookie } = await open(visitor, '/socket?greet=bob');
    expect(set_cookie.length).to.equal(1);
    const [, sessionid = ''] = /^sessionid=(\w+);/.exec(set_cookie[0] ?? '') ?? [];
    visitor.cookies.set('sessionid', sessionid);
    expect((await open(visitor, '/socket')).said).to.equal('hello bob');
    expect([errors, warnings]).to.deep.equal([[], []]);
  });
});
