/** Sockets that are opened in a Koa middleware: the upgrade passes through the application, as in koa-easy-ws. */
import { createServer, type IncomingMessage, type Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import Koa from 'koa';
import { commitSession, defineSettings, type SessionStore, sessions } from 'koa-django-session';
import { type WebSocket, WebSocketServer } from 'ws';

export interface SocketSiteOptions {
  readonly store: SessionStore;
  readonly warn: (details: object, message: string) => void;
}

export function createSocketSite({ store, warn }: SocketSiteOptions): { readonly app: Koa; readonly server: Server } {
  const app = new Koa();
  const wss = new WebSocketServer({ noServer: true });
  const upgrades = new WeakMap<IncomingMessage, { readonly socket: Socket; readonly head: Buffer }>();

  /** Take the connection over. The headers that the response has by then go out with the 101. */
  function accept(ctx: Koa.Context): Promise<WebSocket> {
    const upgrade = upgrades.get(ctx.req);
    if (upgrade === undefined) ctx.throw(426, 'Open a WebSocket here.');
    const { socket, head } = upgrade as { socket: Socket; head: Buffer };
    ctx.respond = false;
    wss.once('headers', (lines: string[]) => {
      for (const cookie of [ctx.res.getHeader('Set-Cookie') ?? []].flat()) lines.push(`Set-Cookie: ${cookie}`);
    });
    return new Promise((resolve) => {
      ctx.res.detachSocket(socket);
      wss.handleUpgrade(ctx.req, socket, head, resolve);
    });
  }

  app.use(
    sessions(app, { settings: defineSettings({ SECRET_KEY: 'websockets' }), store, logger: { warn: warn as never } }),
  );
  app.use(async (ctx) => {
    if (ctx.path === '/socket') {
      const name = ctx.session.get('name', 'nobody');
      if (ctx.query['greet'] !== undefined) {
        ctx.session['name'] = ctx.query['greet'];
        await commitSession(ctx);
      }
      const socket = await accept(ctx);
      if (name !== 'nobody') ctx.session['sockets'] = Number(ctx.session.get('sockets', 0)) + 1;
      socket.send(`hello ${name}`);
      return;
    }
    if (ctx.session.is_empty()) ctx.session['name'] = 'alice';
    ctx.body = Object.fromEntries(ctx.session.items());
  });

  const server = createServer(app.callback());
  server.on('upgrade', (req, socket: Socket, head) => {
    upgrades.set(req, { socket, head });
    const res = new ServerResponse(req);
    res.assignSocket(socket);
    app.callback()(req, res);
  });
  return { app, server };
}
