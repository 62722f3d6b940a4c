/**
 * This library as an application uses it: its public exports and Koa. ENGINE names the engine; with USERS=1 each page
 * looks at `ctx.user`, with PERMISSION=1 also at what the user may do.
 */
import Router from '@koa/router';
import Koa from 'koa';
import {
  authentication,
  connectKnex,
  defineSettings,
  ModelBackend,
  openStore,
  sessions,
  UserTable,
} from 'koa-django-session';

const { DATABASE_URL, REDIS_URL: CACHE_URL, SECRET_KEY, ENGINE = 'db' } = process.env;
const settings = defineSettings({
  SECRET_KEY,
  SESSION_ENGINE: ENGINE,
  ...(CACHE_URL === undefined ? {} : { CACHE_URL }),
});
const app = new Koa();
const knex = connectKnex(DATABASE_URL);
app.use(sessions(app, { settings, store: await openStore({ settings, knex }) }));
const withUser = process.env.USERS === '1';
const withPermission = process.env.PERMISSION === '1';
if (withUser) app.use(authentication(app, { settings, backends: [new ModelBackend(new UserTable(knex))] }));
/** Who is logged in: the user's row, or what the session says of it. */
const idOf = (ctx) => (withUser ? String(ctx.user.id) : ctx.session.get('_auth_user_id'));

const router = new Router();
router.get('/none', (ctx) => {
  ctx.body = { id: null, n: 0 };
});
if (withPermission) {
  router.get('/read', async (ctx, next) => {
    if (await ctx.user.has_perm('shop.change_good')) await next();
  });
}
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
