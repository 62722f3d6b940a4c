/** A TypeScript application that is compiled to CommonJS, as most were before Node had ES modules. */
import Koa from 'koa';
import {
  authenticate,
  authentication,
  connectKnex,
  defineSettings,
  login,
  logout,
  make_password,
  migrate,
  ModelBackend,
  sessions,
  UserTable,
  validate_password,
} from 'koa-django-session';
import { jsonBody } from 'koa-django-session/http';
import { DatabaseStore } from 'koa-django-session/stores/db';

export const settings = defineSettings({ SECRET_KEY: 'compiled to CommonJS' });

export async function createApp(url: string) {
  const knex = connectKnex(url);
  await migrate(knex);
  const users = new UserTable(knex, { settings });
  const store = new DatabaseStore(knex);
  const app = new Koa();
  app.use(sessions(app, { settings, store }));
  app.use(authentication(app, { settings, backends: [new ModelBackend(users)] }));
  app.use(async (ctx) => {
    if (ctx.path === '/login/') {
      const user = await authenticate(ctx, (await jsonBody(ctx, settings)) as { username: string; password: string });
      if (user === null) return ctx.throw(400);
      await login(ctx, user);
    }
    if (ctx.path === '/logout/') await logout(ctx);
    ctx.session['visits'] = Number(ctx.session.get('visits', 0)) + 1;
    ctx.body = `${ctx.user.get_username()} ${ctx.session.get('visits')}`;
  });
  const register = async (username: string, password: string): Promise<void> => {
    await validate_password(password);
    await users.create_user({ username, password: await make_password(password) });
  };
  return { app, store, register, close: () => knex.destroy() };
}
