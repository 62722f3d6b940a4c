/** A chat whose sockets know the session of the page that opened them, by the handshake's cookie. */
import { createServer, type Server as HttpServer, type IncomingMessage } from 'node:http';
import Koa from 'koa';
import { defineSettings, openSession, type Session, type SessionStore, sessions } from 'koa-django-session';
import { Server } from 'socket.io';

export interface Chat {
  readonly server: HttpServer;
  close(): Promise<void>;
}

export function createChat(store: SessionStore): Chat {
  const app = new Koa();
  const settings = defineSettings({ SECRET_KEY: 'socket.io' });
  app.use(sessions(app, { settings, store }));
  app.use((ctx) => {
    if (ctx.path === '/join') ctx.session['name'] = ctx.query['name'];
    if (ctx.path === '/leave') return ctx.session.flush();
    ctx.body = Object.fromEntries(ctx.session.items());
    return undefined;
  });

  const server = createServer(app.callback());
  const io = new Server(server, { transports: ['websocket', 'polling'] });

  const sessionOf = (request: IncomingMessage): Promise<Session> => openSession(request, { settings, store });

  io.use((socket, next) => {
    sessionOf(socket.request)
      .then((session) => {
        const name = session.get('name');
        if (typeof name !== 'string') throw new Error('Join first.');
        socket.data = { name };
      })
      .then(() => next(), next);
  });
  io.on('connection', (socket) => {
    socket.on('say', async (text: string, answer: (said: unknown) => void) => {
      const session = await sessionOf(socket.request);
      const said = [...(session.get('said', []) as unknown[]), text];
      session['said'] = said;
      await session.save();
      answer(said);
    });
    socket.emit('welcome', socket.data);
  });

  return {
    server,
    close: async () => {
      await io.close();
    },
  };
}
