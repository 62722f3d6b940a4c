/** The floor of all Koa servers: routing and a JSON answer, no session. */
import Router from '@koa/router';
import Koa from 'koa';
import { PORT } from './common.mjs';

const router = new Router();
const nobody = (ctx) => {
  ctx.body = { id: null, n: 0 };
};
router.get('/none', nobody).get('/read', nobody);

new Koa().use(router.routes()).listen(PORT, '127.0.0.1');
