/** An application behind node:http2, in clear text as behind a proxy, by the compatibility API. */
import { createServer, type Http2Server } from 'node:http2';
import Koa from 'koa';
import { defineSettings, type SessionStore, sessions } from 'koa-django-session';

export function createHttp2Server(store: SessionStore): Http2Server {
  const app = new Koa();
  app.use(sessions(app, { settings: defineSettings({ SECRET_KEY: 'http2' }), store }));
  app.use((ctx) => {
    if (ctx.path === '/missing') {
      ctx.session['missed'] = true;
      ctx.throw(404, 'There is no such page.');
    }
    if (ctx.path === '/count') ctx.session['visits'] = Number(ctx.session.get('visits', 0)) + 1;
    ctx.body = Object.fromEntries(ctx.session.items());
  });
  const callback = app.callback();
  return createServer((req, res) => {
    // Koa's own type knows node:http alone; its manual passes the callback to http2 all the same.
    void (callback as unknown as (req: unknown, res: unknown) => Promise<void>)(req, res);
  });
}
