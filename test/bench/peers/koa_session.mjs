/** koa-session with its external store on PostgreSQL: named statements, JSON, one row a session, signed cookie. */
import Router from '@koa/router';
import Koa from 'koa';
import session from 'koa-session';
import { MAX_AGE, PORT, SECRET_KEY, SessionTable, userLookup } from './common.mjs';

const table = new SessionTable();
const app = new Koa();
app.keys = [SECRET_KEY];
app.use(
  session(
    {
      maxAge: MAX_AGE * 1000,
      store: {
        get: (sid) => table.get(sid),
        set: (sid, sess, maxAge) => table.set(sid, sess, maxAge),
        destroy: (sid) => table.destroy(sid),
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
