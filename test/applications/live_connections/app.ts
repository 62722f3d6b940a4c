/** WebSockets and event streams of people who are logged in, which end when their sessions do; and a job. */
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { type Duplex, PassThrough } from 'node:stream';
import Koa from 'koa';
import {
  type AuthenticationBackend,
  authentication,
  type BaseUser,
  defineSettings,
  LiveSessions,
  login,
  login_required,
  logout,
  openSession,
  type SessionStore,
  sessions,
} from 'koa-django-session';
import { WebSocketServer } from 'ws';

const settings = defineSettings({ SECRET_KEY: 'live connections' });

/** Whom this application knows: by name, each with a password's hash that may be changed. */
export class People implements AuthenticationBackend<BaseUser> {
  readonly path = 'example.People';
  readonly passwords = new Map<string, string>();

  async authenticate(): Promise<null> {
    return null;
  }

  async get_user(id: string): Promise<BaseUser | null> {
    const password = this.passwords.get(id);
    return password === undefined ? null : { id, password, is_authenticated: true, get_username: () => id };
  }
}

/** What a worker does that was given a session's key. */
export async function noteReport(session_key: string, store: SessionStore): Promise<void> {
  const session = await openSession(session_key, { settings, store });
  session['report'] = 'ready';
  await session.save();
}

export function createLiveSite(store: SessionStore, people: People): Server {
  const app = new Koa();
  const backends = [people];
  const live = new LiveSessions({ settings, store, backends });
  app.use(sessions(app, { settings, store }));
  app.use(authentication(app, { settings, backends }));
  app.use(async (ctx, next) => {
    if (ctx.path === '/login') {
      const user = await people.get_user(String(ctx.query['name']));
      if (user !== null) await login(ctx, user, { backend: people.path });
    } else if (ctx.path === '/logout') {
      await logout(ctx);
    } else {
      return next();
    }
    ctx.body = { session_key: ctx.session.session_key };
    return undefined;
  });
  app.use(login_required());
  app.use((ctx) => {
    if (ctx.path !== '/events') {
      ctx.body = Object.fromEntries(ctx.session.items());
      return;
    }
    const events = new PassThrough();
    const forget = live.watch(ctx.session, () => events.end('event: end\ndata: session\n\n'));
    events.once('close', forget);
    events.write(`data: hello ${ctx.user.is_authenticated ? ctx.user.get_username() : ''}\n\n`);
    ctx.type = 'text/event-stream';
    ctx.body = events;
  });

  const server = createServer(app.callback());
  const wss = new WebSocketServer({ noServer: true });
  const upgrade = async (request: IncomingMessage, connection: Duplex, head: Buffer): Promise<void> => {
    const session = await openSession(request, { settings, store });
    wss.handleUpgrade(request, connection, head, (socket) => {
      if (!session.has_key('_auth_user_id')) {
        socket.close(4401, 'Log in first.');
        return;
      }
      const forget = live.watch(session, () => socket.close(4401, 'Your session has ended.'));
      socket.once('close', forget);
      socket.send('welcome');
    });
  };
  server.on('upgrade', (request, connection, head) => {
    upgrade(request, connection, head).catch(() => connection.destroy());
  });
  return server;
}
