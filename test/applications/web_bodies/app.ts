/** Bodies of every kind that Koa takes: streams of Node, and with Koa 3 those of the web. */
import { Readable } from 'node:stream';
import Koa from 'koa';
import { defineSettings, type SessionStore, sessions } from 'koa-django-session';

const parts = ['one, ', 'two, ', 'three'];

export function createApp(store: SessionStore): Koa {
  const app = new Koa();
  app.use(sessions(app, { settings: defineSettings({ SECRET_KEY: 'bodies' }), store }));
  app.use((ctx) => {
    const visits = Number(ctx.session.get('visits', 0)) + 1;
    ctx.session['visits'] = visits;
    switch (ctx.path) {
      case '/response':
        ctx.body = new Response(`visit ${visits}`, { status: 201, headers: { 'X-From': 'a Response' } });
        break;
      case '/readable-stream':
        ctx.body = new Blob(parts).stream();
        break;
      case '/blob':
        ctx.body = new Blob(parts, { type: 'text/plain' });
        break;
      case '/stream':
        ctx.body = Readable.from(parts);
        break;
      case '/buffer':
        ctx.body = Buffer.from(parts.join(''));
        break;
      default:
        ctx.body = { visits };
    }
  });
  return app;
}
