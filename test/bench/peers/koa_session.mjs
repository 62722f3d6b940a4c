/** koa-session with an external store: the table of connect-pg-simple, or Redis where STORE is redis. */
import Router from '@koa/router';
import Koa from 'koa';
import session from 'koa-session';
import { MAX_AGE, PORT, RedisSessions, SECRET_KEY, SessionTable, userLookup } from './common.mjs';

const sessions = process.env.STORE === 'redis' ? await RedisSessions.open() : new SessionTable();
const app = new Koa();
app.keys = [SECRET_KEY];
app.use(
  session(
    {
      maxAge: MAX_AGE * 1000,
      store: {
        get: (sid) => sessions.get(sid),
        set: (sid, sess, maxAge) => sessions.set(sid, sess, maxAge),
        destroy: (sid) => sessions.destroy(sid),
      },
    },
    app,
  ),
);

const user = userLookup();
const router = new Router();
router.get('/none', (ctx) => {
  ctx.body = { id: null, n: 0 };
});
router.get('/read', async (ctx) => {
  ctx.body = { id: await user(ctx.session.auth_user_id), n: ctx.session.n };
});
router.post('/write', async (ctx) => {
  ctx.session.n += 1;
  ctx.body = { id: await user(ctx.session.auth_user_id), n: ctx.session.n };
});
app.use(router.routes()).listen(PORT, '127.0.0.1');
