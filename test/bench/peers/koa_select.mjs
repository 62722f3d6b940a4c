/**
 * Koa with one named prepared SELECT on django_session, written by hand: the least that a session read can cost without
 * sharing queries. DECODE=0 stops after the query. DRIVER is pg, knex (its builder) or knex_raw (raw with a name).
 */
import Router from '@koa/router';
import knex from 'knex';
import Koa from 'koa';
import { decode, encode, MAX_AGE, PORT, pool, userLookup } from './common.mjs';

const SELECT = 'SELECT session_key, session_data FROM django_session WHERE session_key = $1 AND expire_date > now()';
const UPDATE = 'UPDATE django_session SET session_data = $2, expire_date = $3 WHERE session_key = $1';
const drivers = {
  pg() {
    const db = pool();
    return {
      load: async (key) => (await db.query({ name: 'load', text: SELECT, values: [key] })).rows[0],
      save: (key, data, date) => db.query({ name: 'save', text: UPDATE, values: [key, data, date] }),
    };
  },
  knex() {
    const db = knex({ client: 'pg', connection: process.env.DATABASE_URL, pool: { min: 0, max: 10 } });
    return {
      load: (key) =>
        db('django_session')
          .select('session_key', 'session_data')
          .where('session_key', key)
          .where('expire_date', '>', new Date())
          .first(),
      save: (key, session_data, expire_date) =>
        db('django_session').where('session_key', key).update({ session_data, expire_date }),
    };
  },
  knex_raw() {
    const db = knex({ client: 'pg', connection: process.env.DATABASE_URL, pool: { min: 0, max: 10 } });
    const load = SELECT.replace('$1', '?');
    return { load: async (key) => (await db.raw(load, [key]).options({ name: 'load' })).rows[0] };
  },
};
const { load, save } = drivers[process.env.DRIVER ?? 'pg']();
const user = userLookup();
const decoding = process.env.DECODE !== '0';

const router = new Router();
router.get('/none', (ctx) => {
  ctx.body = { id: null, n: 0 };
});
router.get('/read', async (ctx) => {
  const row = await load(ctx.cookies.get('sessionid'));
  if (!decoding) ctx.body = { id: row.session_key, n: 0 };
  else {
    const session = decode(row.session_data);
    ctx.body = { id: await user(session._auth_user_id), n: session.n };
  }
});
router.post('/write', async (ctx) => {
  const key = ctx.cookies.get('sessionid');
  const session = decode((await load(key)).session_data);
  session.n += 1;
  await save(key, encode(session), new Date(Date.now() + MAX_AGE * 1000));
  ctx.body = { id: session._auth_user_id, n: session.n };
});

new Koa().use(router.routes()).listen(PORT, '127.0.0.1');
