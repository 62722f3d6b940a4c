/** An application with types of its own, which is tested by the package's client. */
import type { Knex } from 'knex';
import Koa from 'koa';
import {
  authentication,
  type Clock,
  csrf,
  defineSettings,
  exceptions,
  formBody,
  login_required,
  ModelBackend,
  type SessionStore,
  type Settings,
  sessions,
  UserTable,
} from 'koa-django-session';

export const settings: Settings = defineSettings({ SECRET_KEY: 'testing' });

interface Shop {
  readonly price: (cents: number) => string;
}

export function createApp(knex: Knex, store: SessionStore, now: Clock): Koa<object, Shop> {
  const app = new Koa<object, Shop>();
  Object.assign(app.context, { price: (cents: number) => `${cents / 100} €` });
  app.use(sessions(app, { settings, store, now }));
  app.use(exceptions());
  app.use(csrf(app, { settings }));
  app.use(formBody({ settings }));
  app.use(authentication(app, { settings, backends: [new ModelBackend(new UserTable(knex))] }));
  app.use(login_required());
  app.use((ctx) => {
    if (ctx.method === 'POST')
      ctx.session.set('cart', [...(ctx.session.get('cart', []) as string[]), ctx.request.POST.get('id')]);
    ctx.body = { user: ctx.user.username, cart: ctx.session.get('cart'), price: ctx.price(1250) };
  });
  return app;
}
