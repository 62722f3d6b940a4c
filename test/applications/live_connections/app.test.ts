import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { expect } from 'chai';
import { DatabaseStore } from 'koa-django-session/stores/db';
import { WebSocket } from 'ws';
import { type ApplicationDatabase, applicationDatabase } from '../support/database.js';
import { type Listening, listenWith } from '../support/server.js';
import { Visitor } from '../support/visitor.js';
import { createLiveSite, noteReport, People } from './app.js';

describe('a connection that stays open', () => {
  let database: ApplicationDatabase;
  let store: DatabaseStore;
  let site: Listening;
  const people = new People();
  before(async () => {
    database = await applicationDatabase();
    store = new DatabaseStore(database.knex);
    site = await listenWith(createLiveSite(store, people));
  });
  after(async () => {
    await site.close();
    await database.drop();
  });

  async function loggedIn(name: string): Promise<{ visitor: Visitor; session_key: string }> {
    people.passwords.set(name, `hash of ${name}`);
    const visitor = new Visitor(site);
    const { text } = await visitor.get(`/login?name=${name}`);
    return { visitor, session_key: JSON.parse(text).session_key };
  }

  /** The socket once the server has said welcome, or why it was closed before. */
  async function socketOf(visitor: Visitor): Promise<{ socket: WebSocket; ended: Promise<[number, string]> }> {
    const headers: Record<string, string> = visitor.cookie === '' ? {} : { cookie: visitor.cookie };
    const socket = new WebSocket(site.url.replace('http', 'ws'), { headers });
    const ended = once(socket, 'close').then(([code, reason]): [number, string] => [code, String(reason)]);
    await Promise.race([once(socket, 'message'), ended]);
    return { socket, ended };
  }

  /** An event stream that has begun. */
  async function eventsOf(visitor: Visitor): Promise<{ text: Promise<string> }> {
    const asked = request(`${site.url}/events`, { headers: { cookie: visitor.cookie } }).end();
    const [answer] = (await once(asked, 'response')) as [IncomingMessage];
    let text = '';
    answer.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    await once(answer, 'data');
    return { text: once(answer, 'end').then(() => text) };
  }

  it('is refused to who is not logged in', async () => {
    expect(await (await socketOf(new Visitor(site))).ended).to.deep.equal([4401, 'Log in first.']);
  });

  for (const [way, end] of Object.entries({
    'a logout': ({ visitor }: { visitor: Visitor }) => visitor.get('/logout'),
    'another program that deletes the row': ({ session_key }: { session_key: string }) =>
      database.knex('django_session').where({ session_key }).delete(),
    'a changed password': async () => people.passwords.set('alice', 'another'),
  })) {
    it(`ends by ${way}, as WebSocket and as event stream, and nobody else's does`, async () => {
      const alice = await loggedIn('alice');
      const bob = await loggedIn('bob');
      const sockets = [await socketOf(alice.visitor), await socketOf(bob.visitor)] as const;
      const events = await eventsOf(alice.visitor);
      await end(alice as never);
      expect(await sockets[0].ended).to.deep.equal([4401, 'Your session has ended.']);
      expect(await events.text).to.equal('data: hello alice\n\nevent: end\ndata: session\n\n');
      expect(sockets[1].socket.readyState).to.equal(WebSocket.OPEN);
      sockets[1].socket.close();
      expect((await sockets[1].ended)[0]).to.equal(1005);
    });
  }

  it("is not needed for a job: it writes into the visitor's session by its key", async () => {
    const { visitor, session_key } = await loggedIn('carol');
    await noteReport(session_key, store);
    expect(JSON.parse((await visitor.get('/')).text).report).to.equal('ready');
  });
});
