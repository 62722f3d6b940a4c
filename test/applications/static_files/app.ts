/** A site with files before its sessions and files behind them, as people order koa-static. */
import path from 'node:path';
import Koa from 'koa';
import { defineSettings, type SessionStore, sessions } from 'koa-django-session';
import serve from 'koa-static';

export interface SiteOptions {
  readonly store: SessionStore;
  readonly folder: string;
}

export function createApp({ store, folder }: SiteOptions): Koa {
  const app = new Koa();
  app.use(serve(path.join(folder, 'open')));
  app.use(sessions(app, { settings: defineSettings({ SECRET_KEY: 'static files' }), store }));
  app.use(serve(path.join(folder, 'behind')));
  app.use(async (ctx, next) => {
    if (ctx.path.startsWith('/members/') && !ctx.session.has_key('name')) ctx.throw(403, 'Members only.');
    await next();
  });
  app.use(serve(path.join(folder, 'members_only'), { defer: false }));
  app.use((ctx) => {
    ctx.session['name'] = 'alice';
    ctx.body = 'welcome';
  });
  return app;
}
