/** This library as an application uses it: its public exports, Koa, and the db engine. */
import Router from '@koa/router';
import Koa from 'koa';
import { connectKnex, defineSettings, sessions } from 'koa-django-session';
import { DatabaseStore } from 'koa-django-session/stores/db';

const settings = defineSettings({ SECRET_KEY: process.env.SECRET_KEY });
const app = new Koa();
app.use(sessions(app, { settings, store: new DatabaseStore(connectKnex(process.env.DATABASE_URL)) }));

const router = new Router();
router.get('/none', (ctx) => {
  ctx.body = { id: null, n: 0 };
});
router.get('/read', (ctx) => {
  const { session } = ctx;
  ctx.body = { id: session.get('_auth_user_id'), n: session.get('n') };
});
router.post('/write', (ctx) => {
  const { session } = ctx;
  const n = session.get('n') + 1;
  session.set('n', n);
  ctx.body = { id: session.get('_auth_user_id'), n };
});
app.use(router.routes()).listen(Number(process.env.PORT), '127.0.0.1');

// An orderly end, so that `node --cpu-prof` has time to write its file.
process.on('SIGTERM', () => process.exit(0));
