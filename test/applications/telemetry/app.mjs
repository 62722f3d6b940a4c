/** An application that is watched by OpenTelemetry, see instrument.mjs. */
import Koa from 'koa';
import {
  authentication,
  connectKnex,
  defineSettings,
  login,
  ModelBackend,
  sessions,
  UserTable,
} from 'koa-django-session';
import { DatabaseStore } from 'koa-django-session/stores/db';

const settings = defineSettings({ SECRET_KEY: process.env['SECRET_KEY'] });
const knex = connectKnex(process.env['DATABASE_URL'] ?? '');
const users = new UserTable(knex);

const app = new Koa();
app.use(sessions(app, { settings, store: new DatabaseStore(knex) }));
app.use(authentication(app, { settings, backends: [new ModelBackend(users)] }));
app.use(async (ctx) => {
  if (ctx.path === '/login') {
    const user = await users.get_by_natural_key('alice');
    if (user !== null) await login(ctx, user);
  }
  ctx.session['visits'] = Number(ctx.session.get('visits', 0)) + 1;
  ctx.body = `${ctx.user.username} ${ctx.session.get('visits')}`;
});
const server = app.listen(0, '127.0.0.1', () => console.log(JSON.stringify(server.address())));
