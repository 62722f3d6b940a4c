/** An application with a login of Django's users, as its authors would test it with supertest. */
import type { Knex } from 'knex';
import Koa from 'koa';
import {
  authenticate,
  authentication,
  csrf,
  defineSettings,
  exceptions,
  formBody,
  login,
  logout,
  ModelBackend,
  sessions,
  UserTable,
} from 'koa-django-session';
import { DatabaseStore } from 'koa-django-session/stores/db';

export function createApp(knex: Knex): Koa {
  const settings = defineSettings({ SECRET_KEY: 'supertest' });
  const app = new Koa();
  app.use(sessions(app, { settings, store: new DatabaseStore(knex) }));
  app.use(exceptions());
  app.use(formBody({ settings }));
  app.use(csrf(app, { settings }));
  app.use(authentication(app, { settings, backends: [new ModelBackend(new UserTable(knex))] }));
  app.use(async (ctx) => {
    switch (`${ctx.method} ${ctx.path}`) {
      case 'GET /token':
        ctx.body = ctx.csrf_token;
        return;
      case 'GET /me':
        ctx.body = { name: ctx.user.is_authenticated ? ctx.user.username : null };
        return;
      case 'POST /login': {
        const { POST } = ctx.request;
        const [username = null, password = null] = [POST.get('name'), POST.get('password')];
        const user = await authenticate(ctx, { username, password });
        if (user === null) return ctx.throw(400, 'Wrong name or password.');
        await login(ctx, user);
        ctx.body = 'welcome';
        return;
      }
      case 'POST /logout':
        await logout(ctx);
        ctx.body = 'bye';
    }
  });
  return app;
}
