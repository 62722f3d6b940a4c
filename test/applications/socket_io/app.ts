/** A chat whose sockets know the session of the page that opened them, by the handshake's cookie. */
import { createServer, type Server as HttpServer, type IncomingMessage, ServerResponse } from 'node:http';
import Koa from 'koa';
import { defineSettings, type Session, type SessionStore, sessions } from 'koa-django-session';
import { Server } from 'socket.io';

export interface Chat {
  readonly server: HttpServer;
  close(): Promise<void>;
}

export function createChat(store: SessionStore): Chat {
  const app = new Koa();
  const session = sessions(app, { settings: defineSettings({ SECRET_KEY: 'socket.io' }), store });
  app.use(session);
  app.use((ctx) => {
    if (ctx.path === '/join') ctx.session['name'] = ctx.query['name'];
    if (ctx.path === '/leave') return ctx.session.flush();
    ctx.body = Object.fromEntries(ctx.session.items());
    return undefined;
  });

  const server = createServer(app.callback());
  const io = new Server(server, { transports: ['websocket', 'polling'] });

  /** The session of a handshake; what is changed meanwhile is saved when `work` is done. */
  async function withSession(req: IncomingMessage, work: (session: Session) => unknown): Promise<void> {
    const ctx = app.createContext(req, new ServerResponse(req));
    await session(ctx, async () => {
      await work(ctx.session);
    });
  }

  io.use((socket, next) => {
    withSession(socket.request, (session) => {
      const name = session.get('name');
      if (typeof name !== 'string') throw new Error('Join first.');
      socket.data = { name };
    }).then(() => next(), next);
  });
  io.on('connection', (socket) => {
    socket.on('say', (text: string, answer: (said: unknown) => void) => {
      let said: unknown;
      void withSession(socket.request, (session) => {
        said = [...(session.get('said', []) as unknown[]), text];
        session['said'] = said;
      }).then(() => answer(said));
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
