import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Knex } from 'knex';
import Koa from 'koa';
import {
  authentication,
  LiveSessions,
  ModelBackend,
  openSession,
  type SessionStore,
  type Settings,
  sessions,
  UserTable,
} from 'koa-django-session';
import { type WebSocket, WebSocketServer } from 'ws';

/** Pages, and a chat for logged-in users. A socket closes within two seconds after its session ends. */
export function createChat(settings: Settings, knex: Knex, store: SessionStore): { app: Koa; server: Server } {
  const backends = [new ModelBackend(new UserTable(knex, { settings }))];
  const app = new Koa();
  app.use(sessions(app, { settings, store }));
  app.use(authentication(app, { settings, backends }));

  const live = new LiveSessions({ settings, store, backends }); // one per process
  const chat = new WebSocketServer({ noServer: true });
  chat.on('connection', (socket: WebSocket) => {
    socket.on('message', (text) => {
      for (const other of chat.clients) other.send(String(text));
    });
  });

  async function upgrade(request: IncomingMessage, connection: Duplex, head: Buffer): Promise<void> {
    const session = await openSession(request, { settings, store });
    const isOurs = request.headers.origin === undefined || isSameSite(request);
    if (!isOurs || !session.has_key('_auth_user_id')) {
      connection.end('HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n');
      return;
    }
    chat.handleUpgrade(request, connection, head, (socket) => {
      const forget = live.watch(session, () => socket.close(4401, 'Your session has ended.'));
      socket.once('close', forget);
      chat.emit('connection', socket, request);
    });
  }

  const server = createServer(app.callback());
  server.on('upgrade', (request, connection, head) => {
    upgrade(request, connection, head).catch(() => connection.destroy());
  });
  return { app, server };
}

/** Browsers send cookies also with a WebSocket of another site; Origin names that site. */
function isSameSite({ headers: { origin = '', host } }: IncomingMessage): boolean {
  return URL.canParse(origin) && new URL(origin).host === host;
}
