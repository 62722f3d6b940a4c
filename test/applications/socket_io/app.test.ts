import { expect } from 'chai';
import { DatabaseStore } from 'koa-django-session/stores/db';
import { io, type Socket } from 'socket.io-client';
import { type ApplicationDatabase, applicationDatabase } from '../support/database.js';
import { type Listening, listenWith } from '../support/server.js';
import { Visitor } from '../support/visitor.js';
import { type Chat, createChat } from './app.js';

for (const transport of ['websocket', 'polling'] as const) {
  describe(`socket.io's handshake by ${transport}`, () => {
    let database: ApplicationDatabase;
    let chat: Chat;
    let site: Listening;
    const sockets: Socket[] = [];
    before(async () => {
      database = await applicationDatabase();
      chat = createChat(new DatabaseStore(database.knex));
      site = await listenWith(chat.server);
    });
    afterEach(() => {
      for (const socket of sockets.splice(0)) socket.disconnect();
    });
    after(async () => {
      await chat.close();
      await database.drop();
    });

    /** What the server says first: a welcome or why not. */
    function connect(visitor: Visitor): { socket: Socket; greeted: Promise<unknown> } {
      const extraHeaders: Record<string, string> = visitor.cookies.size === 0 ? {} : { cookie: visitor.cookie };
      const socket = io(site.url, { transports: [transport], forceNew: true, reconnection: false, extraHeaders });
      sockets.push(socket);
      const greeted = new Promise((resolve) => {
        socket.once('welcome', resolve).once('connect_error', (error) => resolve(error.message));
      });
      return { socket, greeted };
    }

    it("knows each socket's visitor", async () => {
      const [alice, bob] = [new Visitor(site), new Visitor(site)];
      await alice.get('/join?name=alice');
      await bob.get('/join?name=bob');
      const greeted = [connect(alice), connect(bob)].map((connected) => connected.greeted);
      expect(await Promise.all(greeted)).to.deep.equal([{ name: 'alice' }, { name: 'bob' }]);
    });

    it('refuses who has no session, and makes no row for them', async () => {
      const rows = await database.sessions();
      expect(await connect(new Visitor(site)).greeted).to.equal('Join first.');
      expect(await database.sessions()).to.equal(rows);
    });

    it('refuses who has left', async () => {
      const visitor = new Visitor(site);
      await visitor.get('/join?name=carol');
      const cookie = visitor.cookie;
      await visitor.get('/leave');
      visitor.cookies.set('sessionid', cookie.replace('sessionid=', ''));
      expect(await connect(visitor).greeted).to.equal('Join first.');
    });

    it('keeps what an event changes, beside what pages change', async () => {
      const visitor = new Visitor(site);
      await visitor.get('/join?name=dave');
      const { socket, greeted } = connect(visitor);
      await greeted;
      const say = (text: string): Promise<unknown> => new Promise((resolve) => socket.emit('say', text, resolve));
      await say('hello');
      await visitor.get('/join?name=david');
      expect(await say('again')).to.deep.equal(['hello', 'again']);
      const disconnected = new Promise((resolve) => socket.once('disconnect', resolve));
      socket.disconnect();
      await disconnected;
      const page = await visitor.get('/');
      expect(JSON.parse(page.text)).to.deep.equal({ name: 'david', said: ['hello', 'again'] });
    });
  });
}
