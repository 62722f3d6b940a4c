/** Pages with an ETag, answered 304 when the browser has them, that also count visits. */
import etag from '@koa/etag';
import Koa from 'koa';
import conditional from 'koa-conditional-get';
import { defineSettings, type SessionStore, sessions } from 'koa-django-session';

export interface ConditionalOptions {
  readonly store: SessionStore;
  /** Whether ETags are made outside of the sessions or inside. */
  readonly order: 'outside' | 'inside';
}

export function createApp({ store, order }: ConditionalOptions): Koa {
  const app = new Koa();
  const session = sessions(app, { settings: defineSettings({ SECRET_KEY: 'conditional' }), store });
  if (order === 'inside') app.use(session);
  app.use(conditional());
  app.use(etag());
  if (order === 'outside') app.use(session);
  app.use((ctx) => {
    if (ctx.path === '/') ctx.session['visits'] = Number(ctx.session.get('visits', 0)) + 1;
    ctx.body = ctx.path === '/visits' ? { visits: ctx.session.get('visits', 0) } : 'the same page each time';
  });
  return app;
}
