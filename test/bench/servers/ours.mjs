/** This library as an application uses it: its public exports, Koa, and the db engine. */
import Router from '@koa/router';
import Koa from 'koa';
import { authentication, connectKnex, defineSettings, ModelBackend, sessions, UserTable } from 'koa-django-session';
import { DatabaseStore } from 'koa-django-session/stores/db';

const settings = defineSettings({ SECRET_KEY: process.env.SECRET_KEY });
const app = new Koa();
const knex = connectKnex(process.env.DATABASE_URL);
app.use(sessions(app, { settings, store: new DatabaseStore(knex) }));
const withUser = process.env.USERS === '1';
if (withUser) app.use(authentication(app, { settings, backends: [new ModelBackend(new UserTable(knex))] }));
/** Who is logged in: the user's row, or what the session says of it. */
const idOf = (ctx) => (withUser ? String(ctx.user.id) : ctx.session.get('_auth_user_id'));

const router = new Router();
router.get('/none', (ctx) => {
  ctx.body = { id: null, n: 0 };
});
router.get('/read', (ctx) => {
  const id = idOf(ctx);
  ctx.body = { id, n: ctx.session.get('n') };
});
router.post('/write', (ctx) => {
  const { session } = ctx;
  const n = session.get('n') + 1;
  session.set('n', n);
  ctx.body = { id: idOf(ctx), n };
});
app.use(router.routes()).listen(Number(process.env.PORT), '127.0.0.1');

// An orderly end, so that `node --cpu-prof` has time to write its file.
process.on('SIGTERM', () => process.exit(0));
